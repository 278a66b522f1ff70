"""Dicts that are the attributes of an object and are held apart from it, too: `d = vars(a)`.

Pickle makes such an object with a dict of its own and fills it from the one that was told; what
held that one would hold another dict. Where a variable names it, it is told as the attributes of
its object. Elsewhere it comes back as a dict of its own, and that is said.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Sequence
from typing import Any

from jupyter_rewind.kernels import rebuild
from jupyter_rewind.kernels.placeholders import Placeholder

Root = tuple[str, Any]

FEW_BYTES = 1 << 14
"""In a stream of so many, looking for such dicts takes nothing worth naming."""
_NOT_ASKED = (type, types.ModuleType, types.FunctionType, Placeholder)


class Attributes:
    """Stands for the dict of an object's attributes."""

    __slots__ = ("owner",)

    def __init__(self, owner: Any) -> None:
        self.owner = owner

    def __reduce__(self) -> tuple[Any, ...]:
        return own_attributes, (self.owner,)


def own_attributes(owner: Any) -> Any:
    """The very dict of the attributes of what was made; a placeholder is one for them, too.

    Part of the format of stored snapshots."""
    if isinstance(owner, Placeholder):
        return owner
    own = object.__getattribute__(owner, "__dict__")
    loading = rebuild.current()
    if loading is not None:
        loading.note_attributes(owner, own)
    return own


def may_be_attributes(roots: Sequence[Root]) -> bool:
    """True where one of the roots is a dict that something holds besides its own names: for each
    of those there is the namespace, the roots of the look, and this list."""
    ours = _references_in_roots()
    named = [value for _, value in roots if type(value) is dict]
    counts = list(map(sys.getrefcount, named))
    names: dict[int, int] = {}
    for value in named:
        names[id(value)] = names.get(id(value), 0) + 1
    # Besides, each stands once for each name in `named`.
    return any(
        count > ours + 4 * names[id(value)] for value, count in zip(named, counts, strict=True)
    )


def _references_in_roots() -> int:
    """What the interpreter counts of something for the asking alone."""
    alone: list[Any] = [[]]
    (count,) = map(sys.getrefcount, alone)
    return count - 1


def find_owners(met: list[Any]) -> dict[int, Any]:
    """Of the objects that a writer has met, those whose attributes something holds besides: by the
    id of the dict. What was met is held by `met` and by the writer's memo."""
    kinds = {kind for kind in set(map(type, met)) if _has_dict(kind)}
    if not kinds:
        return {}
    told = {id(value) for value in met if type(value) is dict}
    alone = _references_when_alone()
    return {
        id(attributes_of(value)): value
        for value in met
        if type(value) in kinds and _references(value, told) > alone
    }


def _references(owner: Any, told: set[int] | None = None) -> int:
    """How often its dict is referred to; 0 where that was not told."""
    own = attributes_of(owner)
    if type(own) is not dict or (told is not None and id(own) not in told):
        return 0
    return sys.getrefcount(own)


def _references_when_alone() -> int:
    owner = _Alone()
    met, memo = [vars(owner)], (0, vars(owner))
    count = _references(owner)
    del met, memo
    return count


class _Alone:
    """Has attributes that nothing else refers to."""


def _has_dict(kind: type) -> bool:
    offset = type.__getattribute__(kind, "__dictoffset__")
    return bool(offset) and not issubclass(kind, _NOT_ASKED)


def attributes_of(value: Any) -> Any:
    """The dict of its attributes, without asking it; None where there is none."""
    try:
        return object.__getattribute__(value, "__dict__")
    except AttributeError:
        return None
