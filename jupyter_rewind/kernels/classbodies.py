"""Attributes of a class, set and removed as its body set them: in the class itself.

`type.__setattr__` asks the metaclass first, and what that has under the same name takes the value
instead. Every class has such names (`__class__`, `__name__`), and a class that stands for something
else has descriptors of its own under them, for its instances.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import Any

from jupyter_rewind.kernels.homes import interned

_STORED = frozenset(
    ("__abstractmethods__", "__annotate__", "__annotations__", "__doc__", "__module__",
     "__qualname__", "__type_params__")
)  # fmt: skip
"""What `type` itself puts into the class."""
_mro_of = vars(type)["__mro__"].__get__
_dict_of = vars(type)["__dict__"].__get__


def set_attribute(made: type, name: str, value: Any) -> None:
    """The class has this attribute, whatever its metaclass makes of the name."""
    if _is_answered(type(made), name):
        _body_of(made)[interned(name)] = value
        _say_changed(made)
    else:
        type.__setattr__(made, name, value)


def remove_attribute(made: type, name: str) -> None:
    """The class has this attribute no more."""
    if _is_answered(type(made), name):
        del _body_of(made)[name]
        _say_changed(made)
    else:
        type.__delattr__(made, name)


def changed_attributes(made: Any, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Those that the class does not have, or has otherwise."""
    have = vars(made)
    return {name: value for name, value in wanted.items() if have.get(name, made) is not value}


def _is_answered(meta: type, name: str) -> bool:
    """Whether the metaclass takes what is set under this name, and does not put it into the
    class."""
    for base in _mro_of(meta):
        if name in _dict_of(base):
            answers = type(_dict_of(base)[name])
            is_one = any("__set__" in one or "__delete__" in one for one in _bodies(answers))
            return is_one and not (base is type and name in _STORED)
    return False


def _bodies(kind: type) -> list[Mapping[str, Any]]:
    return [_dict_of(base) for base in _mro_of(kind)]


def _body_of(made: type) -> dict[str, Any]:
    """The dict behind the view that a class gives of its attributes."""
    return next(one for one in gc.get_referents(_dict_of(made)) if type(one) is dict)


def _say_changed(made: type) -> None:
    """What Python remembers of the class and of those that derive from it is forgotten."""
    import ctypes

    ctypes.pythonapi.PyType_Modified(ctypes.py_object(made))
