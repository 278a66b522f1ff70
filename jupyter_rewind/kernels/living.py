"""What a living class is besides its attributes: name, bases, what is registered with it, and what
the values of its members hold."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import Any

from jupyter_rewind.kernels.filling import can_be_filled, copy_of, fill


def rename_class(made: Any, name: str, bases: tuple[type, ...]) -> None:
    """The living class has this name and these bases, as it had them then."""
    if made.__name__ != name:
        type.__setattr__(made, "__name__", name)
    if made.__bases__ != bases:
        type.__setattr__(made, "__bases__", bases)


def set_value(member: Any, value: Any) -> None:
    """The value of the living member holds what this one does, where it can change."""
    live = member._value_
    if live is value or type(live) is not type(value) or not can_be_filled(type(live)):
        return
    if type(live) in (list, dict, set):
        # Looked for by comparing, it may be another one: that which variables hold as well.
        vars(member)["_value_"] = value
        for own in _lists_of(member):
            own[:] = [value if one is live else one for one in own]
    else:
        fill(live, value)


def _lists_of(member: Any) -> list[list[Any]]:
    """Where its class looks for values that have no hash."""
    own = vars(type(member))
    by_name = own.get("_unhashable_values_map_", {}).values()
    return [one for one in (own.get("_unhashable_values_"), *by_name) if type(one) is list]


def value_as_it_was(member: Any) -> Callable[[], Any]:
    """What gives the value of the member the content that it has now."""
    live = member._value_
    if not can_be_filled(type(live)):
        return lambda: None
    content = copy_of(live)
    lists = [(own, list(own)) for own in _lists_of(member)]

    def put_back() -> None:
        fill(live, content)
        for own, held in lists:
            own[:] = held

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
