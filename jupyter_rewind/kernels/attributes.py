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
from jupyter_rewind.kernels.sink import Stream

_MADE = (b"\x81\x94", b"R\x94")
"""What pickle writes behind a class, or a function, and its arguments."""
_NOT_ASKED = (type, types.ModuleType, types.FunctionType, Placeholder)


def may_hold_objects(stream: Stream) -> bool:
    """False where nothing in the stream is made by a class or a function."""
    return stream.holds(_MADE)


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
    if not found:
        return []
    handed = _references_of_nobody(met, check)
    return [
        value
        for value in found
        if _references(value, told) - handed.get(id(attributes_of(value)), 0) > alone
    ]


_STEP = 4096
_PARTS = (tuple, list, dict)


def _references_of_nobody(met: list[Any], check: Callable[[], None]) -> dict[int, int]:
    """How often, by id, something is referred to by a container that was made for the writer, and
    that nobody else holds: pandas and Cython tell `(…, vars(a))`, of which the dict is the own one.
    """
    known = {id(value): value for value in met if type(value) in _PARTS}
    alone = _holders({0: []}) + _HELD_BY_WRITER
    handed: dict[int, int] = {}
    waiting = []
    for number, name in enumerate(known):
        if not number % _STEP:
            check()
        if _holders(known, name) == alone:
            waiting.append(name)
    while waiting:
        container = known[waiting.pop()]
        parts = container.values() if type(container) is dict else container
        for name in map(id, parts):
            handed[name] = handed.get(name, 0) + 1
            if name in known and _holders(known, name) - handed[name] == alone:
                waiting.append(name)
    return handed


_HELD_BY_WRITER = 2
"""A container that it met is in the list of these, and in its memo."""


def _holders(known: dict[int, Any], name: int = 0) -> int:
    return sys.getrefcount(known[name])


def untold_dicts(values: Iterable[Any]) -> set[int]:
    """Ids of the attributes of those whose class says how they are pickled: these need not be told
    with them, and belong to them all the same."""
    # Asking a partial for its attributes would make some, of which it tells if there are any.
    own: dict[type, bool] = {functools.partial: False}
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
    except Exception:  # a property of that name may raise anything
        return None
