"""What somebody outside the notebook holds: a move may write into it only where it is the state's.

Held are lists, dicts, sets, arrays and objects of the notebook, by a module that no state keeps.
"""

from __future__ import annotations

import types
from collections import deque
from typing import Any

import numpy as np


class Outside:
    """The objects in a list that is not the notebook's, and what each held before a move."""

    def __init__(self, held: list[Any]) -> None:
        self._held = held
        self._before: list[tuple[Any, Any]] = []
        self._met: set[int] = set()

    def begin(self, met: set[int]) -> None:
        """A move may come next; `met` tells where all lies that the notebook leads to."""
        parts = [part for one in self._held for part in (one, *_parts(one))]
        self._before = [(one, content_of(one)) for one in parts if _can_change(one)]
        self._met = met

    def look(self, met: set[int], then: set[int]) -> str:
        """What a move did wrong, if so: the notebook leads to what `met` says now, and led to
        `then` when the state was kept, or came back before."""
        for one, content in self._before:
            is_of_state = id(one) in then and id(one) in met
            if content_of(one) != content and not is_of_state:
                return f"a {type(one).__name__} that is not of the state was written into: {one!r}"
            if id(one) in met and id(one) not in self._met and id(one) not in then:
                return f"a {type(one).__name__} that was not of the state is now: {one!r}"
        return ""


def _parts(value: Any) -> tuple[Any, ...]:
    return tuple(value) if type(value) in (list, tuple) else ()


def _can_change(value: Any) -> bool:
    if isinstance(value, type | types.FunctionType):
        return False
    kinds = (list, dict, set, deque, bytearray, np.ndarray)
    return isinstance(value, kinds) or type(value).__module__ == "__main__"


def content_of(value: Any) -> Any:
    """Of the object itself: what it refers to is told by where that lies."""
    if isinstance(value, np.ndarray):
        own: Any = list(map(id, value.ravel())) if value.dtype.hasobject else value.tobytes()
    elif isinstance(value, dict):
        own = [(id(key), id(one)) for key, one in value.items()]
    elif isinstance(value, bytearray):
        own = bytes(value)
    else:
        own = list(map(id, value)) if isinstance(value, list | set | deque) else ()
    attributes = getattr(value, "__dict__", {})
    return own, [(name, id(one)) for name, one in attributes.items()]
