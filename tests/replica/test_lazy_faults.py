"""What goes wrong on the way while contents come lazily: nothing is lost, doubled or made up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from obstore.store import MemoryStore

from jupyter_rewind.errors import Conflict, Integrity, RewindError, Unavailable
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.store.collect import collect
from jupyter_rewind.store.keep import KernelStore
from jupyter_rewind.store.partial import ABSENT, read_partial
from jupyter_rewind.store.replica.address import open_objects, parse_address
from jupyter_rewind.store.replica.cloud import CloudObjects
from jupyter_rewind.store.replica.collecting import collect_replica
from jupyter_rewind.store.replica.filling import fill
from jupyter_rewind.store.replica.holding import HELD
from jupyter_rewind.store.replica.hollows import note_hollows
from jupyter_rewind.store.replica.ledger import Ledger
from jupyter_rewind.store.replica.opening import read_identity, unseal
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.replica.pull import found_store, pull
from jupyter_rewind.store.replica.wholeness import make_whole
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.stats import stats
from jupyter_rewind.store.verify import verify
from tests.support.replicas import (
    Line,
    Machine,
    fresh,
    holds,
    lead_through,
    next_machine,
    with_contents,
)
from tests.support.stores import QuickFiles, Stopped, StoppingFiles, noise, refuse_to_open


def test_a_replica_that_is_gone_in_the_middle(tmp_path: Path, line: Line) -> None:
    """Cut off after any number of requests, of the pull, of reading, or of filling: what was told
    holds, and the next try goes on."""
    first = with_contents(tmp_path / "first", line, count=3)
    second = next_machine(tmp_path / "second", first)
    failures = 0
    for step in ("pull", "read", "fill"):
        for left in range(200):
            line.left = left
            try:
                _do(step, first, second)
            except Unavailable:
                failures += 1
            else:
                line.mend()
                break
            line.mend()
            if step != "pull":
                with second.open() as repository:
                    assert set(first.filled.bodies) == {e.id for e in repository.entries()}
                    assert verify(repository, read_data=True).ok
    assert failures > 10
    assert not (second.store / "partial").exists()
    assert holds(second, first)


def _do(step: str, first: Machine, second: Machine) -> None:
    if step == "pull":
        second.pull(lazy=True)
        return
    with second.open() as repository:
        if step == "read":
            first.filled.reads(repository, next(iter(first.filled.bodies)))
        else:
            fill(repository.layout, repository.files, second.objects)


@pytest.mark.parametrize("what", ["packs/", "refs/"])
def test_a_garbled_range_is_told_and_never_kept(tmp_path: Path, line: Line, what: str) -> None:
    """Other bytes than were written are refused; nothing of them stays, and once the replica
    sends what was written, it is read."""
    first, second = fresh(tmp_path, line)
    line.garbled = (what,)
    with second.open() as repository:
        for name in first.filled.bodies:
            with pytest.raises(RewindError) as told:
                first.filled.reads(repository, name)
            assert isinstance(told.value, Integrity | Unavailable)
        with pytest.raises(Integrity):
            fill(repository.layout, repository.files, line)
        report = verify(repository, read_data=True)
        assert report.ok and report.absent_bytes > 500_000
    line.mend()
    with second.open() as repository:
        assert all(first.filled.reads(repository, name) for name in first.filled.bodies)


@pytest.mark.parametrize("step", [1, 2, 3, 5, 8, 13, 21])
def test_killed_at_any_step(tmp_path: Path, line: Line, step: int) -> None:
    """A lazy pull or a filling that is killed leaves a store that reads as before, and goes on."""
    first, second = fresh(tmp_path, line)
    third = next_machine(tmp_path / "third", first)
    keys = third.filled.folder / "keys"
    found_store(third.store, keys, line, QuickFiles())
    for machine in (second, third):
        with suppress(Stopped):
            files = StoppingFiles(step)
            store = Repository.open(machine.store, key_folder=keys, files=files, create=False)
            if machine is second:
                fill(store.layout, files, line)
            else:
                pull(store, line, third.url, lazy=True)
    third.pull(lazy=True)
    for machine in (second, third):
        with machine.open() as repository:
            assert verify(repository, read_data=True).ok
            fill(repository.layout, repository.files, line)
        assert holds(machine, first)


def test_a_kernel_has_another_process_fetch(tmp_path: Path) -> None:
    """A kernel's store reads what a replica alone has, and does not build on what is not here."""
    (tmp_path / "replica").mkdir()
    url = (tmp_path / "replica").as_uri()
    first = with_contents(tmp_path / "first", open_objects(parse_address(url)), count=2)
    second = next_machine(tmp_path / "second", first)
    second.url = url
    second.pull(lazy=True)
    store = KernelStore.open(second.store, key_folder=second.filled.folder / "keys")
    content = next(iter(first.filled.links.values()))[0]
    try:
        store.refresh()
        assert not store.knows(content)
        assert noise("contents 0", 300_000).startswith(store.get(content))
        assert store.knows(content)
        with second.open() as repository:
            # What stands behind it came along.
            assert stats(repository).absent_bytes < 900_000
        (tmp_path / "replica").rename(tmp_path / "elsewhere")
        other = list(first.filled.links.values())[-1][0]
        with pytest.raises(Unavailable, match="still only in the replica file:///") as told:
            store.get(other)
        assert told.value.code == "absent"
    finally:
        store.close()


def test_what_fetches_is_not_imported_where_nothing_is_missing(tmp_path: Path) -> None:
    """A kernel that starts on a whole store pays nothing for it."""
    program = (
        "import sys; from pathlib import Path; from jupyter_rewind.store.keep import KernelStore;"
        f"store = KernelStore.open(Path({str(tmp_path / 'store')!r}),"
        f" key_folder=Path({str(tmp_path / 'keys')!r})); store.refresh(); store.close();"
        "print([name for name in sys.modules if 'replica.bringing' in name or 'obstore' in name])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


def test_an_unreadable_note_of_what_is_missing_is_no_empty_one(tmp_path: Path, line: Line) -> None:
    """Where it is not known what a replica alone has, that is an error and not damage."""
    first, second = fresh(tmp_path, line)
    (second.store / "partial").write_bytes(b"{")
    with second.open() as repository:
        with pytest.raises(Unavailable, match="does not read"):
            first.filled.reads(repository, next(iter(first.filled.bodies)))
        report = verify(repository)
        assert [damage.segment for damage in report.damages] == [""] and not report.ok


def test_a_segment_that_may_not_be_read_stops_no_look_at_what_is_missing(
    tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the others it is found out again; of that one when it may be read."""
    _, second = fresh(tmp_path, line)
    with second.open() as repository:
        known = sorted(read_partial(repository.layout))
        shut = repository.layout.segments / known[0]
        (second.store / "partial").write_bytes(b"{")
        identity = read_identity(line)
        ledger = Ledger(repository.layout, identity.replica)
        ledger.read(unseal(line, identity, repository.layout), Pace())
        with monkeypatch.context() as patch:
            refuse_to_open(shut, patch)
            assert note_hollows(repository, ledger, second.url, Pace()) == known[1:]
        assert note_hollows(repository, ledger, second.url, Pace()) == known[:1]
        assert sorted(read_partial(repository.layout)) == known


def test_two_that_fill_take_turns(tmp_path: Path, line: Line) -> None:
    """The second one says that the first one is at it, and changes nothing."""
    _, second = fresh(tmp_path, line)
    from jupyter_rewind.store.replica.turns import taking_turns

    with second.open() as repository:
        with (
            taking_turns(repository.layout, "fill", "Somebody"),
            pytest.raises(Conflict, match="is at work"),
        ):
            fill(repository.layout, repository.files, line)
        assert len(read_partial(repository.layout)) == 3


def test_what_no_mark_calls_expired_stays(tmp_path: Path, line: Line) -> None:
    """Another machine lets entries expire and collects twice, so that nothing says so any more of
    the first one: here it stays, that is told, and what this machine makes is pushed."""
    first = with_contents(tmp_path / "first", line, count=3)
    gone, *rest = first.filled.bodies
    with first.open() as repository:
        # Small, so it comes whole; but what it shares with the other one does not.
        other = first.filled.add(repository, parts=first.filled.parts[gone])
        rest.append(first.filled.add(repository, parts=[b"small"]))
    first.push()
    second = next_machine(tmp_path / "second", first)
    assert second.pull(lazy=True).absent_bytes > 500_000
    for name in (gone, other):
        with first.open() as repository:
            with repository.transaction(exclusive=True) as tx:
                tx.expire([name])
            collect(repository, must=[p.name for p in repository.layout.segments.iterdir()])
            collect_replica(repository, line, first.url)
        first.filled.forget(name)
    with second.open() as repository:
        assert {gone, other} < {entry.id for entry in repository.entries()}
        mine = second.filled.add(repository)
    with pytest.raises(Unavailable) as told:
        second.push()
    assert told.value.code == HELD
    with second.open() as repository:
        assert {entry.id for entry in repository.entries()} == {mine, gone, *rest}
        assert second.filled.reads(repository, mine)
        assert all(first.filled.reads(repository, name) for name in rest)
        report = verify(repository, read_data=True)
        assert report.ok, report.damages
    first.pull()
    assert holds(first, first, second)


steps = st.lists(
    st.tuples(
        st.sampled_from(["save", "same", "push", "pull", "lazy", "read", "fill", "expire"]),
        st.integers(0, 1),
        st.integers(0, 3),
    ),
    min_size=4,
    max_size=12,
)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps)
def test_two_machines_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    """Whatever two machines do, one of them or both lazily: each has all that it saved or pulled,
    byte for byte; in the end both have everything, without the replica."""
    with pytest.MonkeyPatch.context() as patch:
        line = Line(CloudObjects(MemoryStore(), "memory"))
        lead_through(line, patch, asks_at_once=True)
        _run(_Pair(tmp_path_factory.mktemp("pair"), line), steps)


class _Pair:
    """Two machines, and what each of them must have: plain sets, never read from a store. What
    either has let expire may be there or not: marks travel only as far as segments do."""

    def __init__(self, folder: Path, line: Line) -> None:
        self.line = line
        first = with_contents(folder / "0", line, count=1)
        second = next_machine(folder / "1", first)
        second.pull(lazy=True)
        self.machines = [first, second]
        self.parts = dict(first.filled.parts)
        self.has = [set(self.parts), set(self.parts)]
        self.pushed = set(self.parts)
        self.expired: set[EntryId] = set()

    def must(self, at: int) -> set[EntryId]:
        return self.has[at] - self.expired

    def check(self, at: int, *, reads: bool) -> None:
        with self.machines[at].open() as repository:
            found = {entry.id for entry in repository.entries()}
            assert self.must(at) <= found <= self.parts.keys()
            for name in self.must(at) if reads else ():
                links = repository.get_node(repository.entry(name).roots[0]).links
                assert repository.get_blob(links) == b"".join(self.parts[name])
            report = verify(repository, read_data=True)
            assert report.ok, report.damages

    def exchange(self, at: int) -> None:
        """The replica and this machine have what the other one has."""
        self.has[at] |= self.pushed
        self.pushed |= self.has[at]


def _run(pair: _Pair, steps: list[tuple[str, int, int]]) -> None:
    for number, (what, at, choice) in enumerate(steps):
        _step(pair, what, at, choice, number)
        pair.check(at, reads=False)
    for what in ("push", "pull", "fill") * 2:
        for at in (0, 1):
            _step(pair, what, at, 0, 0)
    pair.line.cut()
    for at in (0, 1):
        pair.check(at, reads=True)
    pair.line.mend()


def _step(pair: _Pair, what: str, at: int, choice: int, number: int) -> None:
    machine = pair.machines[at]
    alive = sorted(pair.must(at))
    chosen = alive[choice % len(alive)] if alive else None
    if what in ("save", "same"):
        parts = [noise(f"{number} {at} {choice}", 250_000)]
        parts += pair.parts[chosen] if what == "same" and chosen else []
        with machine.open() as repository:
            name = machine.filled.add(repository, parts=parts)
        pair.parts[name] = parts
        pair.has[at].add(name)
    elif what == "push":
        with _held(pair):
            machine.push()
            pair.pushed |= pair.has[at]
    elif what in ("pull", "lazy"):
        machine.pull(lazy=what == "lazy")
        pair.has[at] |= pair.pushed
    elif what == "read":
        try:
            pair.check(at, reads=True)
        except Unavailable as error:
            # Collected by the other machine: what is in use comes with a pull.
            assert pair.expired and "collected there" in error.message
            _step(pair, "pull", at, 0, 0)
            _step(pair, "fill", at, 0, 0)
            pair.check(at, reads=True)
    elif what == "fill":
        with machine.open() as repository, _held(pair):
            make_whole(repository, read_partial(repository.layout), pair.line, machine.url, Pace())
    elif what == "expire" and chosen and len(alive) > 2:
        with machine.open() as repository:
            with repository.transaction(exclusive=True) as tx:
                tx.expire([chosen])
            pair.expired.add(chosen)
            with _held(pair):
                collect(repository, threshold=0.0)
                collect_replica(repository, machine.objects, machine.url)
                pair.exchange(at)


@contextmanager
def _held(pair: _Pair) -> Iterator[None]:
    """What has expired on one machine may be gone before it is on the other one."""
    try:
        yield
    except Unavailable as error:
        assert pair.expired and error.code in (HELD, ABSENT), error
