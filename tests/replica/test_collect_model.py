"""A model of collecting: two machines that push, one that collects, stopped anywhere, in any order.

It says what `store/replica/collecting.py` says in words, and nothing else: one segment S that one
machine has collected, and two machines that may build on it. All states that can be reached are
looked at. Each part that is left out loses data, so each is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum

import pytest

OLD, NEW = "old", "new"


class Without(Enum):
    """What a mutant leaves out."""

    NOTHING = "nothing"
    BARRIER = "the barrier on each branch"
    SECOND_LOOK = "the look at what was pushed before the barriers"
    NAMES = "other names for packs behind a barrier"
    CLOSING = "the word that numbers may be free again"


@dataclass(frozen=True)
class Ref:
    """`builds`: commits that need S; `says`: the copy of S that it names."""

    builds: frozenset[tuple[int, int]] = frozenset()
    says: str = ""
    barrier: int = 0
    base: int = 0


@dataclass(frozen=True)
class Writer:
    """A machine that holds S and pushes commits that need it."""

    view: int = 0
    closed: int = 0
    epoch: int = 0
    sure: bool = True
    put: str = ""
    acked: int = 0


@dataclass(frozen=True)
class State:
    branches: tuple[tuple[Ref, ...], ...] = ((), ())
    bases: tuple[int, ...] = (0, 0)
    """The number of the base that readers begin with."""
    closed: tuple[int, ...] = (0, 0)
    freed: tuple[int, ...] = (0, 0)
    """Refs before this number are deleted."""
    writers: tuple[Writer, ...] = (Writer(), Writer())
    said: bool = True
    """The collecting machine's own branch names the old copy of S."""
    copies: frozenset[str] = frozenset({OLD})
    pushes: int = 2
    """How many commits each machine makes."""
    epochs: int = 1
    """How often it is collected."""
    logged: int = 0
    step: int = 0
    drop: bool = False


def visible(state: State, which: int) -> tuple[Ref, ...]:
    """What a reader reads of a branch."""
    return state.branches[which][max(state.bases[which] - 1, 0) :]


def spoken(state: State) -> set[tuple[str, int]]:
    """The copies of S that are named, with the epoch of who names them."""
    found = {(OLD, 0)} if state.said else set()
    for which in range(2):
        epoch = 0
        for ref in visible(state, which):
            epoch = max(epoch, ref.barrier, ref.base)
            if ref.says:
                found.add((ref.says, epoch))
    return found


def builds(state: State) -> frozenset[tuple[int, int]]:
    """The commits that readers find."""
    return gathered([*visible(state, 0), *visible(state, 1)])


def gathered(refs: Iterable[Ref]) -> frozenset[tuple[int, int]]:
    return frozenset().union(*(ref.builds for ref in refs))


def put(row: tuple[object, ...], at: int, value: object) -> tuple[object, ...]:
    return (*row[:at], value, *row[at + 1 :])


def writer_steps(state: State, which: int, without: Without) -> Iterator[State]:
    me = state.writers[which]
    branch = state.branches[which]

    def become(changed: State, writer: Writer) -> State:
        return replace(changed, writers=put(changed.writers, which, writer))  # type: ignore[arg-type]

    # A look at everything, the log first.
    seen = [ref.barrier for w in range(2) for ref in visible(state, w)]
    condemned = max([state.logged, *seen])
    own = max([ref.barrier or ref.base for ref in visible(state, which)], default=0)
    look = Writer(
        len(branch), state.closed[which], max(own, state.logged),
        any(epoch >= condemned for _, epoch in spoken(state)), "", me.acked,
    )  # fmt: skip
    if look != me:
        yield become(state, look)
    if me.acked == state.pushes:
        return
    if not me.sure and not me.put:
        name = NEW if me.epoch and without is not Without.NAMES else OLD
        yield become(replace(state, copies=state.copies | {name}), replace(me, put=name))
        return
    ref = Ref(frozenset({(which, me.acked)}), "" if me.sure else me.put)
    done = replace(me, view=me.view + 1, acked=me.acked + 1, sure=True, put="")
    if me.view == len(branch):
        grown = replace(state, branches=put(state.branches, which, (*branch, ref)))  # type: ignore[arg-type]
        yield become(grown, done)
    elif me.view + 1 < state.freed[which] and (
        without is Without.CLOSING or state.closed[which] == me.closed
    ):
        # The number was free: the ref stands where nobody reads.
        yield become(state, done)


def collector_steps(state: State, without: Without) -> Iterator[State]:
    if state.step and state.logged < state.epochs:
        yield replace(state, step=0, drop=False)  # killed; the next one begins
    step, epoch = state.step, state.logged
    after = replace(state, step=step + 1)
    if step == 0 and epoch < state.epochs:
        drop = not builds(state) if without is Without.SECOND_LOOK else False
        yield replace(after, logged=epoch + 1, drop=drop)
    elif step in {1, 2}:
        which = step - 1
        row = state.branches[which]
        grown = row if without is Without.BARRIER else (*row, Ref(barrier=epoch))
        yield replace(after, branches=put(state.branches, which, grown))  # type: ignore[arg-type]
    elif step == 3:
        # What was pushed is pulled: S comes back where something needs it, and is kept then.
        drop = state.drop if without is Without.SECOND_LOOK else not builds(state)
        yield replace(after, drop=drop)
    elif step in {4, 6}:
        which = (step - 4) // 2
        yield replace(
            after,
            branches=put(state.branches, which, (*state.branches[which], rebase(state, which))),  # type: ignore[arg-type]
        )
    elif step in {5, 7}:
        which = (step - 5) // 2
        number = max(n for n, ref in enumerate(state.branches[which], 1) if ref.base == epoch)
        yield replace(
            after,
            bases=put(state.bases, which, number),  # type: ignore[arg-type]
            closed=put(state.closed, which, epoch),  # type: ignore[arg-type]
        )
    elif step == 8:
        yield replace(after, said=state.said and not state.drop)
    elif step == 9:
        yield replace(after, freed=state.bases)
    elif step == 10:
        live = {name for name, _ in spoken(state)}
        # Packs of this epoch are somebody's who is at work.
        yield replace(after, copies=state.copies & (live | {NEW}))


def rebase(state: State, which: int) -> Ref:
    """What is left of a branch: what was said before its barrier is not, where S is dropped."""
    says, epoch = "", 0
    for ref in visible(state, which):
        epoch = max(epoch, ref.barrier, ref.base)
        if ref.says and (epoch >= state.logged or not state.drop):
            says = ref.says
    return Ref(gathered(visible(state, which)), says, base=state.logged)


def broken(state: State) -> str:
    """What is lost, if anything is."""
    if len(builds(state)) != sum(writer.acked for writer in state.writers):
        return "a commit that was acknowledged is not there"
    if builds(state) and not {name for name, _ in spoken(state)} & state.copies:
        return "a commit is there without what it needs"
    return ""


def explore(without: Without, pushes: int = 2, epochs: int = 1) -> tuple[str, int]:
    """The first loss that is met, and how many states were looked at."""
    begin = State(pushes=pushes, epochs=epochs)
    seen, wait = {begin}, [begin]
    while wait:
        state = wait.pop()
        if found := broken(state):
            return found, len(seen)
        for nexts in (
            writer_steps(state, 0, without), writer_steps(state, 1, without),
            collector_steps(state, without),
        ):  # fmt: skip
            for after in nexts:
                if after not in seen:
                    seen.add(after)
                    wait.append(after)
    return "", len(seen)


@pytest.mark.slow
def test_nothing_is_lost_in_any_order_of_steps() -> None:
    """Two machines push twice while another one collects."""
    found, count = explore(Without.NOTHING)
    assert not found
    assert count > 30_000


@pytest.mark.long
@pytest.mark.timeout(900)
def test_nothing_is_lost_where_collecting_is_killed_anywhere() -> None:
    """And begun again, while two machines push."""
    found, count = explore(Without.NOTHING, pushes=1, epochs=2)
    assert not found
    assert count > 100_000


@pytest.mark.parametrize("without", [each for each in Without if each is not Without.NOTHING])
def test_no_part_of_it_can_be_left_out(without: Without) -> None:
    """Without it something is lost, in some order of steps."""
    assert explore(without)[0]
