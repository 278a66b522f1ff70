"""Containers and objects that somebody outside the notebook may hold take their content of then.

What a restore made stands for the living one it was told from; wherever the state refers to the one
that was made, it shall refer to the living one instead. Where not every such place can be written
to (a tuple, the key of a dict), the living one is left alone, and the state has its own.
"""

from __future__ import annotations

import gc
import sys
import types
import weakref
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from jupyter_rewind.kernels.origins import is_own
from jupyter_rewind.kernels.silence import hush

_HEAP = 1 << 9
_PLAIN = (list, dict, set)
MOST = 256
"""Looking for who refers to more than these would take long."""
_mro_of = vars(type)["__mro__"].__get__
_dict_of = vars(type)["__dict__"].__get__
_flags_of = vars(type)["__flags__"].__get__
_size_of = vars(type)["__basicsize__"].__get__
_item_size_of = vars(type)["__itemsize__"].__get__
_Place = tuple[int, Any]
_Put = Callable[[Any], None]
Undo = Callable[[], Any]


def can_be_filled(kind: type) -> bool:
    """True for lists, dicts, sets, and instances of classes of the notebook, or of a module of the
    user's own, that are their attributes and nothing else."""
    if kind in _PLAIN:
        return True
    if not _flags_of(kind) & _HEAP or not _is_users(kind) or _has_more(kind):
        return False
    return all(
        _flags_of(base) & _HEAP and "__slots__" not in _dict_of(base) and not names_dict(base)
        for base in _mro_of(kind)[:-1]
    )


class _Bare:
    """Its instances have attributes, and may be referred to weakly."""


def _has_more(kind: type) -> bool:
    """True where instances hold what is no attribute: a base was written in C."""
    return _size_of(kind) > _size_of(_Bare) or bool(_item_size_of(kind))


def _is_users(kind: type) -> bool:
    home: Any = type.__getattribute__(kind, "__module__")
    return home == "__main__" or (type(home) is str and is_own(sys.modules.get(home)))


def names_dict(base: type) -> bool:
    """True where code of a class of the notebook may give its instances a dict that others have."""
    if not _is_users(base):
        return False
    made = (one for one in _dict_of(base).values() if type(one) is types.FunctionType)
    return any("__dict__" in one.__code__.co_names for one in made)


def fill(target: Any, content: Any) -> None:
    """The living list, dict, set or instance has the content of the other."""
    if type(target) is list:
        target[:] = content
    elif type(target) in _PLAIN:
        target.clear()
        target.update(content)
    else:
        own = attributes_of(target)
        own.clear()
        own.update(content if type(content) is dict else attributes_of(content))


def copy_of(value: Any) -> Any:
    """What `fill` gives back to the value later."""
    return value.copy() if type(value) in _PLAIN else dict(attributes_of(value))


def attributes_of(value: Any) -> dict[str, Any]:
    """Its own, without asking it."""
    found: dict[str, Any] = object.__getattribute__(value, "__dict__")
    return found


def fill_living(
    pairs: list[tuple[Any, Any]],
    hubs: Iterable[Any],
    undo: list[Undo],
    sharing: Collection[int] = (),
    *,
    first: int = 0,
) -> None:
    """Of each pair, the one that was made and the living one, the latter has the content of the
    former and stands wherever that one stood. Classes among `hubs` may hold one; `undo` gets what
    takes it back, last first. Those whose ids are in `sharing` were made with attributes that
    others hold, too: the living take these. The `first` of the pairs have the content in any case,
    also where some place cannot be written to.

    What was made is held by `pairs`, which are cleared, by what is to be rewritten, and by nothing
    else.
    """
    if not pairs:
        return
    made, living = [one for one, _ in pairs], [one for _, one in pairs]
    pairs.clear()
    held = _count(made)
    classes = (one for one in hubs if issubclass(type(one), type))
    places = _find_places(made, {id(_attributes(one)): one for one in classes})
    chosen = []
    for number, found in enumerate(places):
        is_everywhere = len(found) == held[number] and not weakref.getweakrefcount(made[number])
        if is_everywhere or number < first:
            chosen.append(number)
            for put in found.values():
                put(living[number])
    for number in chosen:
        live = living[number]
        if id(made[number]) in sharing and type(live) not in _PLAIN:
            undo.append(_give_attributes(live, attributes_of(live)))
            object.__setattr__(live, "__dict__", attributes_of(made[number]))
        else:
            undo.append(_refill(live, copy_of(live)))
            fill(live, made[number])
        hush(made[number])


def _give_attributes(live: Any, own: dict[str, Any]) -> Undo:
    return lambda: object.__setattr__(live, "__dict__", own)


def _refill(live: Any, content: Any) -> Undo:
    return lambda: fill(live, content)


def _count(made: list[Any]) -> list[int]:
    """How many references there are to each, but for ours."""
    probe: list[Any] = []
    (ours,) = map(sys.getrefcount, [probe])
    # One of ours is `probe` itself.
    return [count - (ours - 1) for count in map(sys.getrefcount, made)]


def _find_places(made: list[Any], class_of: Mapping[int, type]) -> list[dict[_Place, _Put]]:
    """For each where it stands, and how something else is put there."""
    numbers = {id(one): number for number, one in enumerate(made)}
    found: list[dict[_Place, _Put]] = [{} for _ in made]
    for holder in gc.get_referrers(*made):
        if holder is made or type(holder) is types.FrameType:
            continue
        for name, content, put in _slots(holder, class_of):
            number = numbers.get(id(content))
            if number is not None:
                place = name if type(name) in (str, int) else id(name)
                found[number][id(holder), place] = put(name)
    return found


_Slots = Iterable[tuple[Any, Any, Callable[[Any], _Put]]]


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
    if _flags_of(kind) & _HEAP and not issubclass(kind, type):
        return _of_instance(holder)
    return ()


def _of_instance(holder: Any) -> _Slots:
    for base in _mro_of(type(holder))[:-1]:
        for name, member in _dict_of(base).items():
            if type(member) is types.MemberDescriptorType:
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


def _member_put(holder: Any) -> Callable[[Any], _Put]:
    return lambda member: lambda value: member.__set__(holder, value)


def _attributes(made: type) -> Any:
    """The dict behind the view that a class gives of its attributes."""
    return next((one for one in gc.get_referents(_dict_of(made)) if type(one) is dict), None)
