"""Who refers to what a restore made, and how something else is put in its place.

What never changes itself (a tuple, a bound method) is made again around the other thing, where all
that refers to it can be written to.
"""

from __future__ import annotations

import functools
import gc
import sys
import types
import weakref
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

_HEAP = 1 << 9
_mro_of = vars(type)["__mro__"].__get__
_dict_of = vars(type)["__dict__"].__get__
_flags_of = vars(type)["__flags__"].__get__
_Place = tuple[int, Any]
_Put = Callable[[Any], None]
_Slots = Iterable[tuple[Any, Any, Callable[[Any], _Put]]]
_FIXED: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    tuple: tuple.__iter__,  # type: ignore[dict-item]
    types.MethodType: lambda value: (value.__func__, value.__self__),
}
"""Kinds that are made again, and what they are made of."""


class Holders:
    """Everything that refers to some objects. `made` gets what is to be made again around them;
    nothing else of ours may refer to what is in it meanwhile."""

    def __init__(self, made: list[Any], classes: Iterable[type]) -> None:
        self._made = made
        self._own = len(made)
        _add_fixed(made)
        held = _count(made)
        self._numbers = {id(one): number for number, one in enumerate(made)}
        self._places: list[dict[_Place, _Put]] = [{} for _ in made]
        self._within: list[dict[_Place, int]] = [{} for _ in made]
        """In which of those that are made again it stands."""
        self._find_places({id(_attributes(one)): one for one in classes})
        known = map(len, self._places), map(len, self._within), held
        self._whole = {
            number
            for number, (places, within, count) in enumerate(zip(*known, strict=True))
            if places + within == count and not weakref.getweakrefcount(made[number])
        }
        self._drop_stuck()

    def can_be_replaced(self, number: int) -> bool:
        """True where every place in which it stands can be written to."""
        return number in self._whole

    def replace(self, others: Mapping[int, Any]) -> None:
        """By the number of what was made, another thing stands where that one stood; but not in
        places that cannot be written to."""
        stand = dict(others)
        for number, other in others.items():
            for put in self._places[number].values():
                put(other)
        wrapped = {one for number in others for one in self._within[number].values()}
        again: set[int] = set()
        while wrapped:
            again |= wrapped & self._whole
            wrapped = {one for each in again for one in self._within[each].values()} - again
        for number in again:
            other = self._made_again(number, stand, again)
            for put in self._places[number].values():
                put(other)

    def _made_again(self, number: int, stand: dict[int, Any], again: Collection[int]) -> Any:
        if number in stand or number not in again:
            return stand.get(number, self._made[number])
        value = self._made[number]
        parts = []
        for part in _FIXED[type(value)](value):
            known = self._numbers.get(id(part))
            parts.append(part if known is None else self._made_again(known, stand, again))
        stand[number] = tuple(parts) if type(value) is tuple else type(value)(*parts)
        return stand[number]

    def _find_places(self, class_of: Mapping[int, type]) -> None:
        numbers = self._numbers
        for holder in _referrers(self._made):
            if holder is self._made or type(holder) is types.FrameType:
                continue
            if id(holder) in numbers and type(holder) in _FIXED:
                for place, content in enumerate(_FIXED[type(holder)](holder)):
                    if id(content) in numbers:
                        within = self._within[numbers[id(content)]]
                        within[id(holder), place] = numbers[id(holder)]
                continue
            for name, content, put in _slots(holder, class_of):
                number = numbers.get(id(content))
                if number is not None:
                    named = name if type(name) in (str, int) else id(name)
                    self._places[number][id(holder), named] = put(name)

    def _drop_stuck(self) -> None:
        """What stands in something that stays as it is."""
        stuck: set[int] | None = None
        while stuck is None or stuck:
            stuck = {
                number
                for number in self._whole
                if not self._whole.issuperset(self._within[number].values())
            }
            self._whole -= stuck


def _add_fixed(made: list[Any]) -> None:
    seen, first = set(map(id, made)), 0
    while first < len(made):
        level, first = made[first:], len(made)
        for holder in _referrers(level):
            if type(holder) in _FIXED and id(holder) not in seen:
                seen.add(id(holder))
                made.append(holder)


def _referrers(values: Iterable[Any]) -> list[Any]:
    """What refers to any of them. Python 3.13 finds the tuple in which they are asked about, too,
    and then what that one is asked about in, for ever."""
    mark = object()
    found = gc.get_referrers(*values, mark)
    return [one for one in found if not (type(one) is tuple and one and one[-1] is mark)]


def _count(made: list[Any]) -> list[int]:
    """How many references there are to each, but for ours."""
    probe: list[Any] = []
    (ours,) = map(sys.getrefcount, [probe])
    # One of ours is `probe` itself.
    return [count - (ours - 1) for count in map(sys.getrefcount, made)]


def _slots(holder: Any, class_of: Mapping[int, type]) -> _Slots:
    """What it refers to, by name or number, and how that is replaced."""
    kind = type(holder)
    if id(holder) in class_of:
        return _items(holder, _attribute_put(class_of[id(holder)]))
    if issubclass(kind, dict):
        return _items(holder, _item_put(dict, holder))
    if issubclass(kind, list):
        return _elements(list.__iter__(holder), _item_put(list, holder))
    if kind is deque:
        return _elements(holder, _item_put(deque, holder))
    if kind is types.CellType:
        return _elements(_contents(holder), _cell_put(holder))
    if kind is types.FunctionType:
        return [("__defaults__", holder.__defaults__, _default_put(holder))]
    if kind is functools.partial:
        return _elements((holder.func, holder.args, holder.keywords), _partial_put(holder))
    if _flags_of(kind) & _HEAP and not issubclass(kind, type):
        return _of_instance(holder)
    return ()


def _of_instance(holder: Any) -> _Slots:
    for base in _mro_of(type(holder))[:-1]:
        # Members of what was written in C may not be written to.
        has_slots = "__slots__" in _dict_of(base)
        for name, member in _dict_of(base).items():
            if has_slots and type(member) is types.MemberDescriptorType:
                try:
                    yield member, member.__get__(holder), _member_put(holder)
                except AttributeError:
                    continue
            elif name == "__dict__" and type(member) is types.GetSetDescriptorType:
                own = member.__get__(holder)
                yield from _items(own, _item_put(dict, own))


def _items(holder: dict[Any, Any], put: Callable[[Any], _Put]) -> _Slots:
    return ((name, content, put) for name, content in list(dict.items(holder)))


def _elements(content: Iterable[Any], put: Callable[[Any], _Put]) -> _Slots:
    return ((number, one, put) for number, one in enumerate(content))


def _item_put(base: Any, holder: Any) -> Callable[[Any], _Put]:
    return lambda name: lambda value: base.__setitem__(holder, name, value)


def _attribute_put(made: type) -> Callable[[Any], _Put]:
    return lambda name: lambda value: type.__setattr__(made, name, value)


def _cell_put(cell: types.CellType) -> Callable[[Any], _Put]:
    return lambda _: lambda value: setattr(cell, "cell_contents", value)


def _contents(cell: types.CellType) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()


def _default_put(function: types.FunctionType) -> Callable[[Any], _Put]:
    return lambda name: lambda value: setattr(function, name, value)


def _partial_put(holder: Any) -> Callable[[Any], _Put]:
    def put(number: int, value: Any) -> None:
        parts = [holder.func, holder.args, holder.keywords]
        parts[number] = value
        # It tells its own dict, if it has one, and keeps the very one.
        holder.__setstate__((*parts, holder.__reduce__()[2][3]))

    return lambda number: lambda value: put(number, value)


def _member_put(holder: Any) -> Callable[[Any], _Put]:
    return lambda member: lambda value: member.__set__(holder, value)


def _attributes(made: type) -> Any:
    """The dict behind the view that a class gives of its attributes."""
    return next((one for one in gc.get_referents(_dict_of(made)) if type(one) is dict), None)
