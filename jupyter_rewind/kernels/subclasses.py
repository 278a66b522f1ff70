"""Values of classes that derive from Python's own: told and made by the base's methods alone.

Pickle asks the class: its `items()`, its `__new__`, its `__setitem__`. Where these convert, count
or lie, a value would change with every restore. Here what the base holds is read and set by the
base's own methods, and attributes beside it; the class has its say only where its author wrote how
it is pickled (`__reduce__`, `__reduce_ex__`, `__getnewargs__`, `__getstate__`, `__setstate__`).
"""

from __future__ import annotations

import collections
import copyreg
import datetime
import decimal
from collections.abc import Callable
from typing import Any

from jupyter_rewind.kernels import rebuild

_HEAP, _IMMUTABLE = 1 << 9, 1 << 8
_ALL = slice(None)
_OWN_WAY = ("__reduce__", "__reduce_ex__", "__getnewargs__", "__getnewargs_ex__")

_VALUES: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    int: lambda value: (int.__int__(value),),
    float: lambda value: (float.__float__(value),),
    complex: lambda value: (complex.__pos__(value),),
    str: lambda value: (str.__getitem__(value, _ALL),),
    bytes: lambda value: (bytes.__getitem__(value, _ALL),),
    tuple: lambda value: (tuple.__getitem__(value, _ALL),),
    frozenset: lambda value: (list(frozenset.__iter__(value)),),
    datetime.datetime: lambda value: datetime.datetime.__reduce_ex__(value, 4)[1],  # type: ignore[dict-item,return-value]
    datetime.date: lambda value: datetime.date.__reduce__(value)[1],  # type: ignore[dict-item,return-value]
    datetime.time: lambda value: datetime.time.__reduce_ex__(value, 4)[1],  # type: ignore[dict-item,return-value]
    datetime.timedelta: lambda value: datetime.timedelta.__reduce__(value)[1],  # type: ignore[dict-item,return-value]
    decimal.Decimal: lambda value: (decimal.Decimal.__str__(value),),
}
"""Bases whose values never change: what the base's `__new__` takes."""


def _pairs(base: Any, value: Any) -> list[Any]:
    return [part for pair in base.items(value) for part in pair]


_factory = vars(collections.defaultdict)["default_factory"].__get__
_length = vars(collections.deque)["maxlen"].__get__
_CONTAINERS: dict[type, Callable[[Any], Any]] = {
    list: lambda value: list.__getitem__(value, _ALL),
    dict: lambda value: _pairs(dict, value),
    set: lambda value: list(set.__iter__(value)),
    bytearray: lambda value: bytes(bytearray.__getitem__(value, _ALL)),
    collections.OrderedDict: lambda value: _pairs(collections.OrderedDict, value),
    collections.defaultdict: lambda value: (_factory(value), _pairs(dict, value)),
    collections.deque: lambda value: (_length(value), list(collections.deque.__iter__(value))),
}
"""Bases whose values are filled: what they hold, keys and values of dicts in turn."""


def find_base(kind: type) -> type | None:
    """The class of Python's own that `kind` derives from, if its values are to be kept by that
    one's methods."""
    # A Counter tells all it holds before there is one to refer to: it could not hold itself.
    is_known = _home_of(kind) == "collections" and kind is not collections.Counter
    if kind in copyreg.dispatch_table or is_known:
        return None
    for base in _mro_of(kind):
        if base in _VALUES or base in _CONTAINERS:
            return base if base is not kind else None
        if not base.__flags__ & _HEAP or base.__flags__ & _IMMUTABLE:
            return None
        if _has_own_way(base):
            return None
    return None


_mro_of = vars(type)["__mro__"].__get__
_dict_of = vars(type)["__dict__"].__get__
_bases_of = vars(type)["__bases__"].__get__


def _home_of(kind: type) -> Any:
    return type.__getattribute__(kind, "__module__")


def _has_own_way(base: type) -> bool:
    held = _dict_of(base)
    if _home_of(base) == "collections" or ("_fields" in held and _bases_of(base) == (tuple,)):
        return False  # written by `collections`, not by the author of the class
    return any(name in held for name in _OWN_WAY)


def make_reducer(base: type) -> Callable[[Any, Any], Any]:
    """What tells values of subclasses of `base`."""
    if base in _VALUES:
        arguments_of = _VALUES[base]

        def reduce_value(value: Any, _: Any) -> Any:
            made = make_value, (base, type(value), *arguments_of(value))
            state = _state_of(value)
            return made if state is None else (*made, state, None, None, set_attributes)

        return reduce_value
    content_of = _CONTAINERS[base]

    def reduce_container(value: Any, _: Any) -> Any:
        state = (base, content_of(value), _state_of(value))
        return make_value, (base, type(value)), state, None, None, set_content

    return reduce_container


def _state_of(value: Any) -> Any:
    for base in _mro_of(type(value)):
        getter = _dict_of(base).get("__getstate__")
        if getter is not None:
            return getter.__get__(value)()
    return None


# --- back: part of the format of stored snapshots ------------------------------------------


def make_value(base: Any, kind: type, *arguments: Any) -> Any:
    """A value of `kind`, made by its base; nothing of the class's own runs."""
    return base.__new__(kind, *arguments)


def set_attributes(made: Any, state: Any) -> None:
    """What the instance has beside what its base holds."""
    for base in _mro_of(type(made)):
        setter = _dict_of(base).get("__setstate__")
        if setter is not None:
            setter.__get__(made)(state)
            return
    rebuild.set_state(made, state)


def set_content(made: Any, content: tuple[Any, Any, Any]) -> None:
    """What the base holds, by its own methods; then the attributes."""
    base, held, state = content
    _FILLERS[base](made, held)
    if state is not None:
        set_attributes(made, state)


_PLAIN = frozenset((str, bytes, int, float, complex, bool, type(None)))


def _fill_dict(made: Any, held: list[Any]) -> None:
    if not _PLAIN.issuperset(map(type, held[::2])):
        rebuild.fill_dict(made, held)  # put off: a key may not know its hash yet
        return
    for key, value in zip(held[::2], held[1::2], strict=True):
        dict.__setitem__(made, key, value)


def _fill_ordered(made: Any, held: list[Any]) -> None:
    for key, value in zip(held[::2], held[1::2], strict=True):
        collections.OrderedDict.__setitem__(made, key, value)


def _fill_default(made: Any, held: Any) -> None:
    factory, pairs = held
    collections.defaultdict.__init__(made, factory)
    _fill_dict(made, pairs)


def _fill_set(made: Any, held: list[Any]) -> None:
    if _PLAIN.issuperset(map(type, held)):
        set.update(made, held)
    else:
        rebuild.fill_set(made, held)


def _fill_deque(made: Any, held: Any) -> None:
    length, items = held
    collections.deque.__init__(made, items, length)


_FILLERS: dict[Any, Callable[[Any, Any], None]] = {
    list: list.extend,
    dict: _fill_dict,
    set: _fill_set,
    bytearray: bytearray.extend,
    collections.OrderedDict: _fill_ordered,
    collections.defaultdict: _fill_default,
    collections.deque: _fill_deque,
}
