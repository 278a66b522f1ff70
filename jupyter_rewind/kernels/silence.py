"""Objects that a restore made and nobody got go away without what `__del__` would do.

What it closes or deletes is also that of the living object that was told, or filled from them.
"""

from __future__ import annotations

import types
from typing import Any

from jupyter_rewind.kernels import rebuild

_FOR_EVER: list[Any] = []
"""What cannot be made to go away in silence does not go away."""
_mro_of = vars(type)["__mro__"].__get__
_dict_of = vars(type)["__dict__"].__get__


def is_closing(kind: type) -> bool:
    """True where code that is written in Python runs when values of this class go away."""
    return any(type(_dict_of(base).get("__del__")) is types.FunctionType for base in _mro_of(kind))


def hush(value: Any) -> None:
    """What was to be done when it goes away is not done; it is good for nothing else."""
    if not is_closing(type(value)):
        return
    try:
        object.__setattr__(value, "__class__", _Husk)
    except TypeError:
        make_still(value)


def make_still(value: Any) -> None:
    """It is what it was, but nothing is done when it goes away."""
    if not is_closing(type(value)):
        return
    try:
        object.__setattr__(value, "__class__", _still(type(value)))
    except TypeError:
        _FOR_EVER.append(value)


class _Husk:
    """What is left of an object that nobody got."""


def _still(kind: type) -> type:
    held = {"__slots__": (), "__del__": lambda _: None, "__module__": kind.__module__}
    with rebuild.quiet_bases((kind,)):
        return type.__new__(type(kind), kind.__name__, (kind,), held)
