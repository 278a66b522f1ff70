"""Which container or object a variable named then: that one is filled at a restore, and no other.

Known by where it lies, for as long as every look since has met it under some name; holds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jupyter_rewind.kernels.filling import can_be_filled
from jupyter_rewind.kernels.pods import MODULE, VARIABLE
from jupyter_rewind.model.ids import ExecutionId

_REMEMBERED = 1_000


class Bindings:
    """What the variables of one kernel named after each of the last executions."""

    def __init__(self) -> None:
        self._turn = 0
        self._births: dict[int, int] = {}
        self._then: dict[ExecutionId, tuple[int, dict[str, int]]] = {}

    def note(self, execution: ExecutionId, values: Mapping[str, Any]) -> None:
        """After this execution, or now that its state came back, these are the values."""
        self._turn += 1
        kinds = set(map(type, values.values()))
        fit = {kind for kind in kinds if can_be_filled(kind)}
        bound = {
            key: id(value)
            for key, value in values.items()
            if type(value) in fit and key.startswith((VARIABLE, MODULE))
        }
        self._births = {one: self._births.get(one, self._turn) for one in bound.values()}
        self._then.pop(execution, None)
        self._then[execution] = (self._turn, bound)
        if len(self._then) > _REMEMBERED:
            del self._then[next(iter(self._then))]

    def note_again(self, execution: ExecutionId, same: ExecutionId) -> None:
        """After this execution, the values are what they were after the `same`."""
        if same in self._then:
            self._then[execution] = self._then[same]

    def find(self, execution: ExecutionId, living: Iterable[Any]) -> dict[str, Any]:
        """For each variable the container that it named then, where it is among the living."""
        turn, bound = self._then.get(execution, (0, {}))
        wanted = set(bound.values())
        by_id = {id(one): one for one in living if id(one) in wanted and can_be_filled(type(one))}
        return {
            key: by_id[where]
            for key, where in bound.items()
            if where in by_id and self._births.get(where, turn + 1) <= turn
        }
