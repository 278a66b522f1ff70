"""Instances of classes that answer for themselves: told and made without asking them.

A class with a `__getattr__` or a `__setattr__` of its own would answer while its values are loaded,
when they have nothing yet; one that says to be of another class, or passes everything on to what it
wraps, would be told as that. What such an instance has is read and set beside its class, unless the
author wrote how it is pickled. A `__new__` would be called without what it wants, and may answer
with another instance: none is.
"""

from __future__ import annotations

import copyreg
import sys
import types
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from jupyter_rewind.kernels import rebuild, subclasses
from jupyter_rewind.kernels.filling import names_dict
from jupyter_rewind.kernels.origins import is_own

_HEAP = 1 << 9
_PROTOCOL = 5
_ANSWERS = frozenset(("__getattr__", "__getattribute__", "__setattr__", "__class__"))
_PRETENDS = frozenset(("__getattribute__", "__class__"))
_OWN_WAY = frozenset(
    ("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs__",
     "__getnewargs_ex__")
)  # fmt: skip
_OTHER_MAKING = _OWN_WAY - {"__getstate__", "__setstate__"}
_new: Any = vars(copyreg)["__newobj__"]
_MISS = object()
_mro_of = vars(type)["__mro__"].__get__
_dict_of = vars(type)["__dict__"].__get__
_flags_of = vars(type)["__flags__"].__get__


def find_reducer(kind: type) -> Callable[[Any, Any], Any] | None:
    """What tells values of `kind` without asking them; None where pickle's own way will do."""
    tell = _find_quiet(kind)
    if not _makes_itself(kind):
        return tell
    told: Callable[[Any, Any], Any] = tell or _tell_plainly

    def reduce(value: Any, context: Any) -> Any:
        found = told(value, context)
        if type(found) is tuple and found[0] is _new and found[1] == (kind,):
            return (subclasses.make_value, (object, kind), *found[2:])
        return found

    return reduce


def _makes_itself(kind: type) -> bool:
    """True where `__new__` was written in Python, and is not said how to be called again; and
    where there is nothing that only the `__new__` of another class could make. That of a library
    is called as pickle does, if it can be: the author may count on it."""
    bases = _mro_of(kind)[:-1]
    if kind in copyreg.dispatch_table or not all(_flags_of(base) & _HEAP for base in bases):
        return False
    pairs = [(base, _dict_of(base)) for base in bases]
    if any(name in own for _, own in pairs for name in _OTHER_MAKING):
        return False
    made = [(base, _function_of(own["__new__"])) for base, own in pairs if "__new__" in own]
    if not made or not all(type(new) is _FUNCTION for _, new in made):
        return False
    # What its own state leaves out, its `__new__` has set.
    has_state = any(name in own for _, own in pairs for name in ("__getstate__", "__setstate__"))
    return (not has_state and _is_users(made[0][0])) or _wants_arguments(made[0][1])


def _function_of(new: Any) -> Any:
    return new.__func__ if type(new) is staticmethod else new


def _is_users(base: type) -> bool:
    home: Any = type.__getattribute__(base, "__module__")
    return home == "__main__" or (type(home) is str and is_own(sys.modules.get(home)))


def _wants_arguments(new: types.FunctionType) -> bool:
    """Beside the class itself."""
    code = new.__code__
    given = len(new.__defaults__ or ()), len(new.__kwdefaults__ or ())
    return code.co_argcount - given[0] > 1 or code.co_kwonlyargcount > given[1]


def _tell_plainly(value: Any, _: Any) -> Any:
    return object.__reduce_ex__(value, _PROTOCOL)


def _find_quiet(kind: type) -> Callable[[Any, Any], Any] | None:
    bases = _mro_of(kind)[:-1]
    own = {name for base in bases for name in _dict_of(base)}
    if own & _OWN_WAY or kind in copyreg.dispatch_table or not _flags_of(kind) & _HEAP:
        return None
    if any(map(names_dict, bases)):
        return _reduce_with_dict
    if not own & _ANSWERS:
        return None
    if own & _PRETENDS and all(_flags_of(base) & _HEAP for base in bases):
        return _reduce_unasked
    return _reduce_quietly


def has_own_way(kind: type) -> bool:
    """True where a class statement says how the values are pickled."""
    bases = (base for base in _mro_of(kind) if _flags_of(base) & _HEAP)
    return any(name in _dict_of(base) for base in bases for name in _OWN_WAY)


def name_slots(kind: type) -> None:
    """What pickle notes in a class, the names of its slots, stands there already where the class
    has a say in what is set in it: nothing of the user's runs for that."""
    if type(kind) is type or "__slotnames__" in _dict_of(kind) or not _flags_of(kind) & _HEAP:
        return
    if any(type(_dict_of(one).get("__setattr__")) is _FUNCTION for one in _mro_of(type(kind))):
        # It sets what it finds in what it is given: that is not the class itself.
        asked: Any = types.SimpleNamespace(__mro__=_mro_of(kind), __slots__=())
        with suppress(Exception):
            type.__setattr__(kind, "__slotnames__", _find_slots(asked))


_FUNCTION = types.FunctionType
_find_slots: Callable[[Any], list[str]] = vars(copyreg)["_slotnames"]


def _reduce_with_dict(value: Any, _: Any) -> Any:
    reduction = object.__reduce_ex__(value, _PROTOCOL)
    if type(reduction) is not tuple or len(reduction) < 3 or reduction[2] is None:
        return reduction
    more = (*reduction, None, None)[3:5]
    return (*reduction[:3], *more, set_dict)


def _reduce_quietly(value: Any, _: Any) -> Any:
    reduction = object.__reduce_ex__(value, _PROTOCOL)
    if type(reduction) is not tuple or len(reduction) < 3 or reduction[2] is None:
        return reduction
    more = (*reduction, None, None)[3:5]
    return (*reduction[:3], *more, rebuild.set_state)


def _reduce_unasked(value: Any, _: Any) -> Any:
    kind = type(value)
    attributes: dict[str, Any] = {}
    slots: dict[str, Any] = {}
    for base in _mro_of(kind)[:-1]:
        for name, held in _dict_of(base).items():
            if name == "__dict__" and type(held) is _GETSET:
                attributes = held.__get__(value)
            elif type(held) is _MEMBER:
                content = _content(held, value)
                if content is not _MISS:
                    slots.setdefault(name, content)
    made = subclasses.make_value, (object, kind)
    return (*made, (attributes, slots), None, None, rebuild.set_state)


class _Slotted:
    __slots__ = ("__dict__", "_member")


_GETSET, _MEMBER = (type(vars(_Slotted)[name]) for name in ("__dict__", "_member"))


def _content(slot: Any, value: Any) -> Any:
    try:
        return slot.__get__(value)
    except AttributeError:
        return _MISS


# --- back: part of the format of stored snapshots ------------------------------------------


def set_dict(made: Any, state: Any) -> None:
    """The attributes are this very dict, which others may have too; then the slots."""
    slots = None
    if type(state) is tuple and len(state) == 2:
        state, slots = state
    if state is not None:
        object.__setattr__(made, "__dict__", state)
        loading = rebuild.current()
        if loading is not None:
            loading.note_shared(made)
    rebuild.set_state(made, (None, slots))
