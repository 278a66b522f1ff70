"""Containers and objects that somebody outside the notebook may hold take their content of then.

What a restore made stands for the living one it was told from; wherever the state refers to the one
that was made, it shall refer to the living one instead. Where not every such place can be written
to (the key of a dict, a set), the living one is left alone, and the state has its own.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Collection, Iterable
from typing import Any

from jupyter_rewind.kernels.holders import Holders
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
    holders = Holders(made, (one for one in hubs if issubclass(type(one), type)))
    chosen = [
        number for number in range(len(living)) if number < first or holders.can_be_replaced(number)
    ]
    holders.replace({number: living[number] for number in chosen})
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
