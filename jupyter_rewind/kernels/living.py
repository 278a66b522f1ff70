"""What a living class is besides its attributes: name, bases, what is registered with it."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any


def rename_class(made: Any, name: str, bases: tuple[type, ...]) -> None:
    """The living class has this name and these bases, as it had them then."""
    if made.__name__ != name:
        type.__setattr__(made, "__name__", name)
    if made.__bases__ != bases:
        type.__setattr__(made, "__bases__", bases)


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
