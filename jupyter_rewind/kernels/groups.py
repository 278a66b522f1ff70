"""Roots that are told together: as they were before, and as they turn out to share an object."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_rewind.kernels import pods
from jupyter_rewind.kernels.budget import Deadline, OutOfTime
from jupyter_rewind.kernels.closure import Binding
from jupyter_rewind.kernels.codec import Session
from jupyter_rewind.kernels.ownvariables import home_of, split_key
from jupyter_rewind.kernels.pods import ENVIRONMENT, HUB, MODULE, OUTPUT, SMALL, VARIABLE, Written
from jupyter_rewind.kernels.state import Pod

_LEAST_SECONDS: dict[type, float] = {
    **dict.fromkeys((list, tuple, set, frozenset, dict, deque), 5e-8),
    **dict.fromkeys((str, bytes, bytearray), 5e-10),
}
"""What an item of these takes at least, on any machine."""
_UNKNOWN_SECONDS = 1e-3
SLIGHT_SECONDS = 5e-3
"""What may be told in so little is tried however late it is, and then given so much."""
_SLIGHT_BYTES = 1 << 16
_OVERTIME_SECONDS = 0.25
"""Even slight values, when there are very many, have an end."""


@dataclass(slots=True)
class Group:
    """Roots that are told together, and the pod they were before."""

    keys: tuple[str, ...]
    before: Pod | None
    written: Written | None = None
    error: Exception | None = None
    is_late: bool = False
    """There was no time to tell it."""
    closed: bool = False
    may_share_dicts: bool = False
    """Something in it may hold the attributes of an object, besides the object."""
    seconds: float = 0.0

    @property
    def is_small(self) -> bool:
        """Told in any case, whatever time it takes."""
        return self.keys[0].startswith((SMALL, ENVIRONMENT))

    @property
    def is_of_modules(self) -> bool:
        """Only modules of the user's own lead to it, and not the notebook."""
        return all(key.startswith(MODULE) for key in self.keys)

    def is_slight(self, values: Iterable[Any], deadline: Deadline) -> bool:
        """True for what may be small, and for what is told already and is small."""
        if self.is_small or deadline.left() < -_OVERTIME_SECONDS:
            return self.is_small
        if self.written is not None:
            return self.written.size_bytes <= _SLIGHT_BYTES
        return max(map(guess_seconds, values)) <= SLIGHT_SECONDS / 5

    def known_seconds(self, ids: tuple[int, ...]) -> float:
        """How long these very objects took the last time; 0 where that is not known."""
        is_known = self.before is not None and self.before.ids == ids
        return self.before.seconds if self.before is not None and is_known else 0.0

    def give_up(self, spent: float, ids: tuple[int, ...]) -> None:
        """There was no time for it: this much was not enough."""
        self.let_go()
        self.is_late, self.seconds = True, max(self.known_seconds(ids), 2 * spent)

    @property
    def earlier(self) -> tuple[Pod, ...]:
        """What it may be again: the pod of before, or what that one stands for."""
        if self.before is None:
            return ()
        return (self.before,) if self.before.kept is None else (self.before, self.before.kept)

    @property
    def stream_size(self) -> int:
        return len(self.written.stream) if self.written is not None else 0

    @property
    def size_bytes(self) -> int:
        return self.written.size_bytes if self.written is not None else 0

    @property
    def refs(self) -> frozenset[str]:
        """The classes and functions that it names."""
        return self.written.refs if self.written is not None else frozenset()

    def let_go(self) -> None:
        """Nothing of the user's is held."""
        if self.written is not None:
            self.written.release()
            self.written = None


def guess_seconds(value: Any) -> float:
    """What it takes at least, by its length, where it has one that tells."""
    each = _LEAST_SECONDS.get(type(value))
    return len(value) * each if each is not None else _UNKNOWN_SECONDS


Regrouped = tuple[tuple[str, ...], Pod | None, Pod | None]
"""Keys that go together; the pod of just these, if there was one; the pod that they were in."""


def regroup(
    before: Mapping[tuple[str, ...], Pod], roots: Mapping[str, Any], skip: Callable[[Pod], bool]
) -> tuple[dict[tuple[str, ...], Pod], list[Regrouped]]:
    """Pods of small values that are as they were, and what is to be told together: names of one
    object, and the roots of a pod, unless one of them was bound anew that held it together."""
    kept: dict[tuple[str, ...], Pod] = {}
    left = dict.fromkeys(roots)
    earlier: dict[str, Pod] = {}
    groups: dict[int, list[str]] = {}
    whole: dict[tuple[str, ...], Pod] = {}
    for keys, pod in before.items():
        if keys[0].startswith(SMALL) and keys[0] in left and skip(pod):
            kept[keys] = pod
            del left[keys[0]]
            continue
        if len(keys) == 1 and pod.ids and keys[0] in left:
            # Nearly all of them, and there may be a hundred thousand.
            key, value = keys[0], pod.ids[0]
            if value == id(roots[key]) and value not in groups:
                groups[value] = [key]
                earlier[key] = whole[keys] = pod
                del left[key]
                continue
        bound = dict(zip(keys, pod.ids, strict=False))
        present = [key for key in keys if key in left]
        stay = [key for key in present if bound.get(key) == id(roots[key])]
        earlier.update(dict.fromkeys(present, pod))
        values = {bound[key] for key in stay}
        # Under names that may be fewer by now, all that it was is still here.
        if values == {bound.get(key) for key in keys} and groups.keys().isdisjoint(values):
            groups.update(dict.fromkeys(values, stay))
            for key in stay:
                del left[key]
            if len(stay) == len(keys):
                whole[keys] = pod
    for key in left:
        groups.setdefault(_identity(key, roots[key]), []).append(key)
    found: list[Regrouped] = []
    for group in {id(group): group for group in groups.values()}.values():
        told = tuple(group)
        known = whole.get(told)
        keys = told if known is not None else in_place(told, roots)
        found.append((keys, known, earlier.get(group[0])))
    return kept, found


def _identity(key: str, value: Any) -> int:
    """The same for names of one object; that of a class or a function is told apart."""
    is_alone = key.startswith((HUB, SMALL, ENVIRONMENT))
    return -id(key) if is_alone else id(value)


def in_place(keys: Iterable[str], roots: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys of a pod in their order."""
    return tuple(sorted(keys, key=lambda key: pods.place(key, roots[key])))


def predecessor(
    before: Mapping[tuple[str, ...], Pod], part: Sequence[Group], keys: tuple[str, ...]
) -> Pod | None:
    """The pod of just these keys, or else the largest that they were in."""
    known = before.get(keys)
    if known is not None:
        return known
    earlier = [group.before for group in part if group.before is not None]
    return max(earlier, key=lambda pod: pod.content.stream_size, default=None)


def partition(
    groups: Sequence[Group], session: Session, ids_of: Callable[[Group], tuple[int, ...]]
) -> list[list[Group]]:
    """The groups that share an object, together. One for whose objects there is no time to be
    gone through is given up."""
    parent = list(range(len(groups)))

    def find(one: int) -> int:
        while parent[one] != one:
            parent[one] = one = parent[parent[one]]
        return one

    owner: dict[int, int] = {}
    is_open = [number for number, one in enumerate(groups) if one.written and not one.closed]
    is_open.sort(key=lambda number: groups[number].stream_size)
    # The largest is asked for what the others have, and one alone shares with nobody.
    for number in is_open if len(is_open) > 1 else ():
        group = groups[number]
        others = owner.keys() if number == is_open[-1] else None
        if group.written is None:
            continue
        began = session.deadline.spent()
        try:
            with session.in_any_case(group.is_slight((), session.deadline)):
                names = pods.shared_ids(group.written, session, others)
        except OutOfTime:
            group.give_up(group.seconds + session.deadline.spent() - began, ids_of(group))
            continue
        met = names & owner.keys()
        for first in {owner[name] for name in met}:
            parent[find(number)] = find(first)
        owner.update(dict.fromkeys(names - met, number))
    parts: dict[int, list[Group]] = {}
    for number, group in enumerate(groups):
        parts.setdefault(find(number), []).append(group)
    return list(parts.values())


Refuse = Callable[[Sequence[str], Written], str]
"""Why these roots are not to be kept, though they could be told; or empty."""


def binding_of(key: str, known: Sequence[Any], roots: Mapping[str, Any]) -> Binding:
    """What holds the root; `known` begins with the namespace and IPython's outputs."""
    namespace, outputs = known[:2]
    if key.startswith(VARIABLE):
        return namespace, key[len(VARIABLE) :]
    if key.startswith(MODULE):
        return home_of(key), split_key(key)[1]
    number = key[len(OUTPUT) :]
    if key.startswith(OUTPUT) and number.isdecimal():
        return outputs, int(number)
    return roots, key


def whole_of_modules(kept: Iterable[Pod], groups: Iterable[Group], refuse: Refuse) -> Iterator[str]:
    """Variables of modules that a restore sets, as `module:name`."""
    for pod in kept:
        yield from (root.key[len(MODULE) :] for root in pod.roots if pods.is_whole(root))
    for group in groups:
        if group.written is not None and not refuse(group.keys, group.written):
            yield from pods.whole_of_modules(group.written)
