"""How living things are put back as they were, where a restore is taken back."""

from __future__ import annotations

import abc
import enum
import types
from collections.abc import Callable
from typing import Any

from jupyter_rewind.kernels import enumerations, living, rebuild
from jupyter_rewind.kernels.classbodies import remove_attribute, set_attribute
from jupyter_rewind.kernels.finalized import Living
from jupyter_rewind.kernels.functions import contents_of
from jupyter_rewind.kernels.handmade import Place, module_as_it_was

Undo = Callable[[], Any]


def fill(target: Any, content: Any) -> None:
    """The living list, dict or set has this content."""
    if type(target) is list:
        target[:] = content
    else:
        target.clear()
        target.update(content)


def take_back(undo: list[Undo]) -> list[BaseException]:
    """Everything is put back, last first; what of it failed."""
    errors: list[BaseException] = []
    while undo:
        try:
            undo.pop()()
        except BaseException as error:
            errors.append(error)
    return errors


class Entries:
    """When called, gives a living dict the entries that it had when this was made.

    Of those that are still there when `thin_out` is called, only the keys are held from then on: a
    value that somebody else holds as well is looked at after each cell. `spares` says of an entry
    that came later whether it stays.
    """

    def __init__(
        self,
        living: Callable[[], dict[Any, Any]],
        spares: Callable[[Any, Any], bool] = lambda key, value: False,
    ) -> None:
        self._living = living
        self._spares = spares
        self._entries = dict(living())

    def thin_out(self) -> None:
        now = self._living()
        for key, value in self._entries.items():
            if now.get(key, _STILL) is value:
                self._entries[key] = _STILL

    def __call__(self) -> None:
        now = self._living()
        before = {
            key: now[key] if value is _STILL else value
            for key, value in self._entries.items()
            if value is not _STILL or key in now
        }
        for key, value in list(now.items()):
            if key not in self._entries and self._spares(key, value):
                before[key] = value
        fill(now, before)


_STILL = object()


def as_it_was(value: Any) -> Undo:
    """What puts a class, a function, a cell, a module or an object back as it is now."""
    if isinstance(value, types.FunctionType):
        return _function_as_it_was(value)
    if isinstance(value, Place | Living):
        return value.as_it_was()
    if isinstance(value, types.ModuleType):
        return module_as_it_was(value)
    if isinstance(value, types.CellType):
        held = contents_of(value)
        return lambda: rebuild.put_cell(value, held)
    return _class_as_it_was(value)


def _class_as_it_was(value: Any) -> Undo:
    attributes = dict(vars(value))
    name, qualname, bases = value.__name__, value.__qualname__, value.__bases__
    registered = living.registered_with(value) if isinstance(value, abc.ABCMeta) else []
    members: list[tuple[dict[str, Any], dict[str, Any]]] = []
    values: list[Undo] = []
    if isinstance(value, enum.EnumMeta):
        held: dict[str, Any] = dict(value.__members__)
        members = [(vars(one), dict(vars(one))) for one in enumerations.all_of(value)]
        values = [living.value_as_it_was(one) for one in held.values()]

    def put_back() -> None:
        for one in [one for one in vars(value) if one not in attributes]:
            remove_attribute(value, one)
        for one, content in attributes.items():
            if vars(value).get(one) is not content and not one.startswith("__dict"):
                set_attribute(value, one, content)
        living.rename_class(value, name, bases)
        if value.__qualname__ != qualname:
            type.__setattr__(value, "__qualname__", qualname)
        if isinstance(value, abc.ABCMeta):
            living.set_registered(value, registered)
        for own, before in members:
            fill(own, before)
        for put_value_back in values:
            put_value_back()

    return put_back


def _function_as_it_was(value: types.FunctionType) -> Undo:
    names = ("__code__", "__defaults__", "__kwdefaults__", "__annotations__", "__doc__",
             "__module__", "__name__", "__qualname__")  # fmt: skip
    attributes = {name: getattr(value, name) for name in names}
    own = dict(value.__dict__)

    def put_back() -> None:
        for name, held in attributes.items():
            setattr(value, name, held)
        value.__dict__.clear()
        value.__dict__.update(own)

    return put_back
