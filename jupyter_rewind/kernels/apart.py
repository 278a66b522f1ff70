"""What a restore takes apart: objects that a variable which stays shared with one that comes back.

A state can be without a variable: it was too large, there was no time for it, the user left it out.
Where that stays what it is, it goes on holding the very objects that it holds now, while what comes
back is made anew. Such a pair was never seen by any cell, so the user is told.
"""

from __future__ import annotations

import gc
import types
from collections.abc import Mapping
from typing import Any

_MOST_OBJECTS = 1_000_000
_MOST_NAMES = 5
_BATCH = 1_000
_NEVER_SHARED = frozenset(
    (int, float, complex, bool, str, bytes, type(None), type(...), types.ModuleType, range, slice,
     types.FunctionType, types.BuiltinFunctionType, types.CodeType, types.MethodDescriptorType,
     types.WrapperDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType)
)  # fmt: skip
"""What never changes, or leads to everything."""


class Shared:
    """Which of the objects that some variables lead to others lead to as well, at one moment."""

    def __init__(self, staying: Mapping[str, Any], coming: Mapping[str, Any]) -> None:
        """`staying` and `coming` are the living values, by name."""
        self._found: list[tuple[str, str, set[int]]] = []
        of_staying = {name: _ids(value) for name, value in staying.items()}
        self._unknown = [name for name, ids in of_staying.items() if len(ids) >= _MOST_OBJECTS]
        if not any(of_staying.values()):
            return
        for name, value in coming.items():
            own = _ids(value)
            for other, ids in of_staying.items():
                both = own & ids
                if both:
                    self._found.append((name, other, both))

    def words(self, now: Mapping[str, Any]) -> tuple[str, ...]:
        """What is apart, where these are the values now."""
        apart: dict[str, list[str]] = {}
        for name, other, both in self._found:
            if name in now and not both <= _ids(now[name]):
                apart.setdefault(other, []).append(name)
        unknown = (
            f"{name} stays what it is now, and is too large to be looked through: what it shared"
            " with other variables may be apart"
            for name in self._unknown
            if name not in apart
        )
        return (*map(_words, apart, apart.values()), *unknown)


def _words(other: str, names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    told = ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
    return (
        f"{told} shared objects with {other}, which stays what it is now: they are apart, and"
        f" {other} holds those of before the move"
    )


def _ids(value: Any) -> set[int]:
    """Ids of the objects that can change which it leads to, itself included."""
    found: set[int] = set()
    passed: set[int] = set()
    waiting = [value]
    while waiting and len(found) < _MOST_OBJECTS:
        batch, waiting = waiting[-_BATCH:], waiting[:-_BATCH]
        new = []
        for one in batch:
            kind = type(one)
            if id(one) in found or id(one) in passed or not _may_be_shared(kind):
                continue
            (passed if kind in _FIXED else found).add(id(one))
            new.append(one)
            if kind.__name__ == "ndarray" and getattr(one, "base", None) is not None:
                waiting.append(one.base)  # it tells the garbage collector of nothing
        waiting += gc.get_referents(*new)
    return found


def _may_be_shared(kind: type) -> bool:
    return kind not in _NEVER_SHARED and not issubclass(kind, type)


_FIXED = frozenset((tuple, frozenset))
