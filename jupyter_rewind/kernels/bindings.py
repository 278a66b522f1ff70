"""Which container or object a variable named then: that one is filled at a restore, and no other.

Known by where it lies, for as long as every look since has met it, and it cannot be another one
that was made where the former had lain: it has a name that it had at the look before, or is known
to have lived on. While a cell runs, only what is small and plain is held for that.
"""

from __future__ import annotations

import itertools
import operator
import weakref
from collections.abc import Iterable, Mapping
from typing import Any

from jupyter_rewind.kernels.filling import can_be_filled
from jupyter_rewind.kernels.pods import MODULE, VARIABLE, Arrays
from jupyter_rewind.kernels.state import Pod
from jupyter_rewind.model.ids import ExecutionId

_Births = tuple[dict[int, int], dict[tuple[str, ...], tuple[Arrays, int]]]
_REMEMBERED = 1_000
_MOST_HELD = 256
_MOST_BITS = 8 << 12
_NUMBERS = frozenset((float, complex, bool, type(None)))
_TEXTS = frozenset((str, bytes))
_NESTED = frozenset((list, dict, set, tuple))


class Bindings:
    """What the variables of one kernel named after each of the last executions."""

    def __init__(self) -> None:
        self._turn = 0
        self._arrays: dict[tuple[str, ...], tuple[Arrays, int]] = {}
        self._births: dict[int, int] = {}
        self._last: dict[str, int] = {}
        self._held: dict[int, Any] = {}
        self._alive: set[int] = set()
        self._dead: set[int] = set()
        """Where something lay that is known to have gone since the last look."""
        self._then: dict[ExecutionId, tuple[int, dict[str, int]]] = {}

    def let_go(self) -> None:
        """Nothing is held any more; which of what was held has lived on is known."""
        held = self._held.items()
        self._dead = {where for where, one in held if type(one) is weakref.ref and one() is None}
        self._alive = self._held.keys() - self._dead
        self._held.clear()

    def note(
        self, execution: ExecutionId, values: Mapping[str, Any], pods: Iterable[Pod] = ()
    ) -> None:
        """After this execution, or now that its state came back, these are the values, and these
        the pods."""
        self._turn += 1
        kinds = set(map(type, values.values()))
        fit = {kind for kind in kinds if can_be_filled(kind)}
        bound = {
            key: id(value)
            for key, value in values.items()
            if type(value) in fit and key.startswith((VARIABLE, MODULE))
        }
        # After nearly every cell they are the same.
        if bound != self._last or not self._dead.isdisjoint(bound.values()):
            self._bear(bound)
        self._last, self._alive, self._dead = bound, set(), set()
        self._held = _hold(values[key] for key in itertools.islice(bound, _MOST_HELD))
        self._then.pop(execution, None)
        self._then[execution] = (self._turn, bound)
        before, self._arrays = self._arrays, {}
        for pod in pods:
            if pod.arrays:
                arrays, since = before.get(pod.keys, ((), 0))
                since = since if _are_same(arrays, pod.arrays) else self._turn
                self._arrays[pod.keys] = pod.arrays, since
        if len(self._then) > _REMEMBERED:
            del self._then[next(iter(self._then))]

    def _bear(self, bound: Mapping[str, int]) -> None:
        """What has neither kept a name nor is known to have lived on is new."""
        stayed = {one for key, one in bound.items() if self._last.get(key) == one}
        stayed = (stayed - self._dead) | self._alive
        births = ((one, self._births.get(one) if one in stayed else None) for one in bound.values())
        self._births = {one: born or self._turn for one, born in births}

    def has_same_arrays(self, execution: ExecutionId, pod: Pod) -> bool:
        """True where the pod holds the very arrays that the one of its roots held then."""
        turn, _ = self._then.get(execution, (0, {}))
        arrays, since = self._arrays.get(pod.keys, ((), 0))
        return bool(arrays) and _are_same(arrays, pod.arrays) and since <= turn

    def births(self) -> _Births:
        """Since when each is known that is now."""
        return dict(self._births), dict(self._arrays)

    def return_to(self, execution: ExecutionId, births: _Births) -> None:
        """The very values of after this execution are there again, known since then."""
        self._births, self._arrays = births
        self._last = self._then.get(execution, (0, {}))[1]
        self._alive, self._dead = set(), set()
        self._held.clear()

    def note_again(self, execution: ExecutionId, same: ExecutionId) -> None:
        """After this execution, the values are what they were after the `same`."""
        if same in self._then:
            self._then[execution] = self._then[same]

    def find(self, execution: ExecutionId, living: Iterable[Any]) -> dict[str, Any]:
        """For each variable the container that it named then, where it is among the living."""
        turn, bound = self._then.get(execution, (0, {}))
        wanted = set(bound.values())
        by_id = {id(one): one for one in living if id(one) in wanted}
        return {
            key: by_id[where]
            for key, where in bound.items()
            if where in by_id and self._births.get(where, turn + 1) <= turn
        }


def _are_same(arrays: Arrays, others: Arrays) -> bool:
    """Of an array that lives there is one such reference, and no other one has the same."""
    return len(arrays) == len(others) and all(map(operator.is_, arrays, others))


def _hold(values: Iterable[Any]) -> dict[int, Any]:
    """What tells later that they are alive, by where they lie: weak references, and lists and dicts
    that are light."""
    held: dict[int, Any] = {}
    for value in values:
        if type(value) in (list, dict):
            if _is_light(value):
                held[id(value)] = value
            continue
        try:
            held[id(value)] = weakref.ref(value)
        except TypeError:
            continue
    return held


def _is_light(value: Any, depth: int = 2) -> bool:
    """True where nobody notices that it lives until the end of the cell."""
    if len(value) > 16:
        return False
    bits = 0
    # At once: another thread may change it.
    for part in [*value, *value.values()] if type(value) is dict else [*value]:
        kind = type(part)
        if kind is int:
            bits += part.bit_length()
        elif kind in _TEXTS:
            bits += 8 * len(part)
        elif kind in _NESTED:
            if depth == 0 or not _is_light(part, depth - 1):
                return False
        elif kind not in _NUMBERS:
            return False
    return bits < _MOST_BITS
