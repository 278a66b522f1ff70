"""What a restore takes apart: objects that a variable which stays shared with one that comes back.

A state can be without a variable: it was too large, there was no time for it, the user left it out.
Where that stays what it is, it goes on holding the very objects that it holds now, while what comes
back is made anew. Such a pair was never seen by any cell, so the user is told.
"""

from __future__ import annotations

import gc
import types
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from jupyter_rewind import clock

_MOST_OBJECTS = 1_000_000
_MOST_SECONDS = 2.0
"""Of looking before the move, and as much behind it."""
_MOST_NAMES = 5
_BATCH = 1_000
_NEVER_SHARED = frozenset(
    (int, float, complex, bool, str, bytes, type(None), type(...), types.ModuleType, range, slice,
     types.FunctionType, types.BuiltinFunctionType, types.CodeType, types.MethodDescriptorType,
     types.WrapperDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType)
)  # fmt: skip
"""What never changes, or leads to everything."""
_FIXED = frozenset((tuple, frozenset))


class Shared:
    """Which of the objects that some variables lead to others lead to as well, at one moment."""

    def __init__(self, staying: Mapping[str, Any], coming: Mapping[str, Any]) -> None:
        """`staying` and `coming` are the living values, by name."""
        self._found: list[tuple[str, dict[str, set[int]]]] = []
        until = clock.working() + _MOST_SECONDS
        of_staying = {name: _walk(value, until) for name, value in staying.items()}
        leading = [name for name, walk in of_staying.items() if walk.found or not walk.is_whole]
        self._unknown = {name for name in leading if not of_staying[name].is_whole}
        if not leading:
            return
        # What many variables lead to, and which meets nothing, is walked through for the first.
        meets_nothing: set[int] = set()
        for name, value in coming.items():
            own = _walk(value, until, meets_nothing)
            both = {other: own.found & of_staying[other].found for other in leading}
            met = {other: ids for other, ids in both.items() if ids}
            if met:
                self._found.append((name, met))
            if not own.is_whole:
                self._unknown.update(leading)
            elif not met and len(meets_nothing) < _MOST_OBJECTS:
                meets_nothing |= own.found | own.passed

    def words(self, now: Mapping[str, Any]) -> tuple[str, ...]:
        """What is apart, where these are the values now."""
        until = clock.working() + _MOST_SECONDS
        apart: dict[str, list[str]] = {}
        unknown = set(self._unknown)
        for name, met in self._found:
            if name not in now:
                continue
            walk = _walk(now[name], until)
            for other, both in met.items():
                if both <= walk.found:
                    continue
                if walk.is_whole:
                    apart.setdefault(other, []).append(name)
                else:
                    unknown.add(other)
        told = tuple(map(_words, apart, apart.values()))
        return (*told, _doubt(sorted(unknown))) if unknown else told


def _words(other: str, names: list[str]) -> str:
    return (
        f"{_listed(names)} shared objects with {other}, which stays what it is now: they are"
        f" apart, and {other} holds those of before the move"
    )


def _doubt(names: list[str]) -> str:
    return (
        "some variables are too large to be looked through: what they shared with"
        f" {_listed(names)}, which the move left alone, may be apart"
    )


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


@dataclass(slots=True)
class _Walk:
    """Ids of the objects that a value leads to, itself included."""

    found: set[int] = field(default_factory=set)
    """Those that can change which."""
    passed: set[int] = field(default_factory=set)
    """Those that only lead to others."""
    is_whole: bool = True


def _walk(value: Any, until: float, known: Set[int] = frozenset()) -> _Walk:
    """What is not `known` of what the value leads to; not whole where that is too much, or takes
    longer than `until`."""
    walk = _Walk()
    found, passed = walk.found, walk.passed
    waiting = [value]
    while waiting:
        if len(found) >= _MOST_OBJECTS or clock.working() >= until:
            walk.is_whole = False
            break
        batch = waiting[-_BATCH:]
        del waiting[-_BATCH:]
        new = []
        for one in batch:
            kind = type(one)
            if kind in _NEVER_SHARED:
                continue
            key = id(one)
            if key in found or key in passed or key in known or issubclass(kind, type):
                continue
            (passed if kind in _FIXED else found).add(key)
            new.append(one)
            if kind.__name__ == "ndarray" and getattr(one, "base", None) is not None:
                waiting.append(one.base)  # it tells the garbage collector of nothing
        waiting += gc.get_referents(*new)
    return walk
