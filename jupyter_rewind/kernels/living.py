"""What a living class is besides its attributes: name, bases, what is registered with it, and what
the values of its members hold."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jupyter_rewind.kernels.filling import can_be_filled, copy_of, fill


def rename_class(made: Any, name: str, bases: tuple[type, ...]) -> None:
    """The living class has this name and these bases, as it had them then."""
    if made.__name__ != name:
        type.__setattr__(made, "__name__", name)
    if made.__bases__ != bases:
        type.__setattr__(made, "__bases__", bases)


def set_values(made: Any, values: Mapping[str, Any]) -> None:
    """Of an enumeration: the members have these values, by which it finds them."""
    for name, value in values.items():
        _set_value(made.__members__[name], value)


def _set_value(member: Any, value: Any) -> None:
    live = member._value_
    if live is value or _is_same(live, value):
        return
    vars(member)["_value_"] = value
    own = vars(type(member))
    by_value, lists = own["_value2member_map_"], _lists_of(member)
    is_found = [one for one in by_value if one is live]
    if is_found:
        kept = [(one, held) for one, held in by_value.items() if one is not live]
        by_value.clear()
        by_value.update(kept)
    for held in lists:
        held[:] = [value if one is live else one for one in held]
    try:
        by_value.setdefault(value, member)
    except TypeError:  # it has no hash: its class looks for it by comparing
        for held in lists if is_found else ():
            held[:] = [one for one in held if one is not value]
        if is_found and "_unhashable_values_" in own:
            own["_unhashable_values_"].append(value)
            own.get("_unhashable_values_map_", {}).setdefault(member._name_, []).append(value)


def is_plain(value: Any) -> bool:
    """True for a value that never changes, nor leads to what does."""
    if type(value) is tuple:
        return all(map(is_plain, value))
    return type(value) in _PLAIN


_PLAIN = frozenset((int, float, complex, str, bytes, bool, type(None)))


def _is_same(live: Any, value: Any) -> bool:
    # As told: 1 is not True, nor 0.0 the other zero.
    return is_plain(live) and is_plain(value) and repr(live) == repr(value)


def _lists_of(member: Any) -> list[list[Any]]:
    """Where its class has the values besides, by whether they have a hash."""
    own = vars(type(member))
    by_name = own.get("_unhashable_values_map_", {}).values()
    found = own.get("_unhashable_values_"), own.get("_hashable_values_"), *by_name
    return [one for one in found if type(one) is list]


def value_as_it_was(member: Any) -> Callable[[], Any]:
    """What gives the member the value, and that one the content, that it has now."""
    live, own = member._value_, vars(type(member))
    content = copy_of(live) if can_be_filled(type(live)) else None
    by_value, by_name = own["_value2member_map_"], own.get("_unhashable_values_map_", {})
    found, names = list(by_value.items()), list(by_name)
    lists = [(held, list(held)) for held in _lists_of(member)]

    def put_back() -> None:
        if content is not None:
            fill(live, content)
        if list(map(id, by_value)) != [id(one) for one, _ in found]:
            by_value.clear()
            by_value.update(found)
        for name in [one for one in by_name if one not in names]:
            del by_name[name]
        for own_list, held in lists:
            own_list[:] = held

    return put_back


def registered_with(made: Any) -> list[type]:
    """The classes that were registered with this abstract one, and live."""
    if "_abc_impl" not in vars(made):
        return []
    references = getattr(abc, "_get_dump")(made)[0]  # noqa: B009 - it has no stub
    return [one for reference in references if (one := reference()) is not None]


def set_registered(made: Any, registered: Sequence[type]) -> None:
    """These classes are registered with the living abstract one, and no others."""
    if set(registered_with(made)) == set(registered):
        return
    getattr(abc, "_reset_registry")(made)  # noqa: B009
    for other in registered:
        abc.ABCMeta.register(made, other)
    for base in made.__mro__:
        if "_abc_impl" in vars(base):
            getattr(abc, "_reset_caches")(base)  # noqa: B009
