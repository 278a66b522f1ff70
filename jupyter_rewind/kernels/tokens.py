"""Knowing a class or a function again without telling it: most of them never change.

A token names everything that the class or function holds, where all of it is immutable or has a
uid of its own. Two equal tokens of one object prove that it is as it was. Holds no user object:
plain values and uids only.
"""

from __future__ import annotations

import types
import weakref
from collections.abc import Callable, Iterable
from typing import Any

Uid = Callable[[Any], str | None]
_PLAIN = frozenset((int, bool, str, bytes, type(None)))
_INEXACT = frozenset((float, complex))
_MADE = (types.MemberDescriptorType, types.GetSetDescriptorType)
_SKIPPED = frozenset(("__dict__", "__weakref__", "__slotnames__", "_abc_impl"))


class _Changing(Exception):
    """Something in it can change without being replaced."""


def token_of(value: Any, uid_of: Uid) -> tuple[Any, ...] | None:
    """What tells that the class or function is as it was; None where nothing short of telling it
    can."""
    try:
        if type(value) is types.FunctionType:
            return _function(value, uid_of)
        if type(value) is type:
            return _class(value, uid_of)
    except _Changing:
        pass
    return None


def tokens_of(values: Iterable[Any], uid_of: Uid) -> tuple[Any, ...] | None:
    """The tokens of all, or None where one of them has none."""
    found = []
    for value in values:
        token = token_of(value, uid_of)
        if token is None:
            return None
        found.append(token)
    return tuple(found)


def _function(value: types.FunctionType, uid_of: Uid) -> tuple[Any, ...]:
    if value.__dict__ or value.__kwdefaults__:
        raise _Changing
    return (
        _Same(value.__code__),
        _parts(value.__defaults__ or (), uid_of),
        _parts((value.__doc__, value.__name__, value.__qualname__, value.__module__), uid_of),
        tuple(value.__annotations__),
        _parts(value.__annotations__.values(), uid_of),
        tuple(_cell(cell, uid_of) for cell in value.__closure__ or ()),
    )


def _cell(cell: types.CellType, uid_of: Uid) -> Any:
    try:
        return _part(cell.cell_contents, uid_of)
    except ValueError:
        return "unbound"


def _class(value: type, uid_of: Uid) -> tuple[Any, ...]:
    names, held = [], []
    for name, one in vars(value).items():
        if name not in _SKIPPED and not isinstance(one, _MADE):
            names.append(name)
            held.append(one)
    bases = _parts(value.__bases__, uid_of)
    return value.__name__, value.__qualname__, bases, tuple(names), _parts(held, uid_of)


def _parts(values: Iterable[Any], uid_of: Uid) -> tuple[Any, ...]:
    return tuple(_part(value, uid_of) for value in values)


def _part(value: Any, uid_of: Uid) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return kind, value
    if kind in _INEXACT:
        return kind, repr(value)
    if kind is types.FunctionType or isinstance(value, type):
        uid = uid_of(value)
        return uid if uid is not None else _of_library(value)
    if kind is tuple:
        return _parts(value, uid_of)
    if kind is property:
        return "property", *_parts((value.fget, value.fset, value.fdel, value.__doc__), uid_of)
    if kind is staticmethod or kind is classmethod:
        return kind, _part(value.__func__, uid_of)
    if kind is types.ModuleType:
        return "module", value.__name__, id(value)
    raise _Changing


def _of_library(value: Any) -> Any:
    module = type.__getattribute__(value, "__module__") if isinstance(value, type) else None
    return "library", module or value.__module__, value.__qualname__, id(value)


class _Same:
    """Code, compared by identity. Held weakly: who asks what else holds it must not find us."""

    __slots__ = ("_code", "_id")

    def __init__(self, code: types.CodeType) -> None:
        self._code = weakref.ref(code)
        self._id = id(code)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Same):
            return False
        code = self._code()
        return code is not None and other._code() is code

    def __hash__(self) -> int:
        return self._id
