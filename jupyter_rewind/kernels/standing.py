"""Whether a value holds something: what only stands for what is gone, or one very object."""

from __future__ import annotations

import gc
import itertools
import types
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from jupyter_rewind.kernels.placeholders import Placeholder

_MOST = 2000
"""So many objects are looked at; what holds more of them is told by its first."""
_CLOSED = (type, types.ModuleType, types.GeneratorType, types.FrameType, types.CodeType)


def holds_placeholder(value: Any) -> bool:
    """Whether the value is a placeholder, or holds one. Calls nothing of the user's."""
    return any(issubclass(type(one), Placeholder) for one in _walk(value))


def holds(value: Any, wanted: object) -> bool:
    """Whether the value is that very object, or holds it. Calls nothing of the user's."""
    return any(one is wanted for one in _walk(value))


def _walk(value: Any) -> Iterator[Any]:
    seen: set[int] = set()
    waiting = deque([value])
    while waiting and len(seen) < _MOST:
        one = waiting.popleft()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        kind = type(one)
        if not issubclass(kind, _CLOSED):
            waiting += _within(one, kind)


def _within(value: Any, kind: type) -> Iterable[Any]:
    if kind is types.FunctionType:
        held: tuple[Any, ...] = value.__closure__ or ()  # its globals are the whole notebook
        return held
    if kind in (list, tuple, set, frozenset):
        return itertools.islice(value, _MOST)
    if kind is dict:
        return tuple(itertools.islice(value.values(), _MOST))
    return gc.get_referents(value)
