"""Dicts that are the attributes of an object and are held apart from it, too: `d = vars(a)`.

Pickle makes such an object with a dict of its own and fills it from the one that was told; what
held that one would hold another dict. So such an object is given the very dict. One whose author
said how it is pickled is made his way, and what holds its attributes is said to be apart from them.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

from jupyter_rewind.kernels import quiet, rebuild
from jupyter_rewind.kernels.placeholders import Placeholder

_MADE = (b"\x81\x94", b"R\x94")
"""What pickle writes behind a class, or a function, and its arguments."""
_NOT_ASKED = (type, types.ModuleType, types.FunctionType, Placeholder)


def may_hold_objects(stream: bytes) -> bool:
    """False where nothing in the stream is made by a class or a function."""
    return any(made in stream for made in _MADE)


def find_owners(met: list[Any], check: Callable[[], None]) -> list[Any]:
    """Of the objects that a writer has met, those whose attributes something holds besides. What
    was met is held by `met` and by the writer's memo; `check` is called now and then, and may
    raise."""
    # It tells its dict itself, and takes the very one that comes back.
    asked = set(map(type, met)) - {functools.partial}
    kinds = {kind for kind in asked if has_attributes(kind)}
    if not kinds:
        return []
    told = {id(value) for value in met if type(value) is dict}
    alone = _references_when_alone()
    found = []
    for number, value in enumerate(met):
        if not number % _STEP:
            check()
        if type(value) in kinds and _references(value, told) > alone:
            found.append(value)
    return found


_STEP = 4096


def untold_dicts(values: Iterable[Any]) -> set[int]:
    """Ids of the attributes of those whose class says how they are pickled: these need not be told
    with them, and belong to them all the same."""
    own: dict[type, bool] = {}
    found = set()
    for value in values:
        kind = type(value)
        if kind not in own:
            own[kind] = has_attributes(kind) and quiet.has_own_way(kind)
        if own[kind]:
            found.add(id(attributes_of(value)))
    return found


def with_its_dict(reduction: Any, owner: Any) -> Any:
    """How pickle makes the owner, but for its dict, which is to be the very one; None where its
    author makes it otherwise."""
    if type(reduction) is not tuple or len(reduction) < 3:
        return None
    make, arguments, state, items, pairs, setter = (*reduction, None, None, None)[:6]
    own = state[0] if type(state) is tuple and len(state) == 2 else state
    is_plain = setter is None and not hasattr(type(owner), "__setstate__")
    if own is not attributes_of(owner) or not (is_plain or setter in _SETTERS):
        return None
    return make, arguments, state, items, pairs, quiet.set_dict


_SETTERS = (rebuild.set_state, quiet.set_dict)


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


def has_attributes(kind: type) -> bool:
    offset = type.__getattribute__(kind, "__dictoffset__")
    return bool(offset) and not issubclass(kind, _NOT_ASKED)


def attributes_of(value: Any) -> Any:
    """The dict of its attributes, without asking it; None where there is none."""
    try:
        return object.__getattribute__(value, "__dict__")
    except AttributeError:
        return None
