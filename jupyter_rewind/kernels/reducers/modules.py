"""Modules: by name where they can be imported, with their content where the notebook made them."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable, Collection
from typing import Any

from jupyter_rewind.kernels import origins, rebuild
from jupyter_rewind.kernels.filling import attributes_of
from jupyter_rewind.kernels.handmade import NOT_CONTENT, HandMade, Place, is_handmade
from jupyter_rewind.kernels.reducers.contract import Context, Reduction
from jupyter_rewind.kernels.reducers.registry import Registry
from jupyter_rewind.model.snapshot import Fidelity


def register(registry: Registry) -> None:
    registry.add(types.ModuleType, reduce_module, subclasses=True)
    registry.add_named("logging.Logger", reduce_logger)


def reduce_module(value: types.ModuleType, context: Context) -> Reduction:
    name = _imported_as(value)
    if name == "__main__":
        return main_module, ()
    if name is not None and not is_handmade(value):
        is_own, is_whole = origins.is_own(value), context.keeps_variables_of(name)
        context.note(Fidelity.REFERENCE, words_for(name, is_own=is_own, is_whole=is_whole))
        if is_whole:
            return import_whole_module, (name,)
        return import_own_module if is_own else import_module, (name,)
    content = {key: held for key, held in vars(value).items() if key not in NOT_CONTENT}
    made = (value.__name__, value.__doc__, name)
    return rebuild_module, made, content, None, None, set_content


def words_for(name: str, *, is_own: bool, is_whole: bool = False) -> str:
    """What is told of a module that comes back by its name; `is_whole` where its variables are
    kept."""
    words = f"the module {name}, imported again"
    if is_whole:
        return f"{words}; its variables are what they were"
    return f"{words}; what its own variables hold is not kept" if is_own else words


def words_of(module: types.ModuleType, whole: Collection[str] = ()) -> str:
    """The same of one that is here; `whole` are those whose variables are kept."""
    name = module.__name__
    return words_for(name, is_own=origins.is_own(module), is_whole=name in whole)


def _imported_as(module: types.ModuleType) -> str | None:
    name = getattr(module, "__name__", None)
    if isinstance(name, str) and sys.modules.get(name) is module:
        return name
    return next((key for key, held in list(sys.modules.items()) if held is module), None)


def main_module() -> types.ModuleType:
    return sys.modules["__main__"]


def import_module(name: str) -> types.ModuleType:
    return importlib.import_module(name)


def import_own_module(name: str) -> types.ModuleType:
    """A module of the user's own: its name says that what its variables held is not kept."""
    return importlib.import_module(name)


def import_whole_module(name: str) -> types.ModuleType:
    """A module of the user's own, of which the state has the variables, too."""
    return importlib.import_module(name)


def _handmade() -> HandMade:
    loading = rebuild.current()
    if loading is not None:
        return loading.handmade
    return HandMade(False, lambda action, *arguments: action(*arguments))


def rebuild_module(
    name: str, doc: str | None, imported_as: str | None, uid: str = ""
) -> types.ModuleType:
    """One that is found under no name is known by its uid while it lives."""
    return _handmade().make(name, doc, imported_as, uid)


def set_content(module: types.ModuleType, content: dict[str, Any]) -> None:
    _handmade().fill(module, content)


class _Attributes(Place):
    """What an object that a module holds has of its own."""

    __slots__ = ("owner",)

    def __init__(self, owner: Any) -> None:
        super().__init__("")
        self.owner = owner

    def as_it_was(self) -> Callable[[], Any]:
        before = dict(attributes_of(self.owner))
        return lambda: attributes_of(self.owner).update(before)


def clear_attributes(owner: Any, _: dict[str, Any]) -> None:
    """The living object, which had nothing of its own then, has nothing after the swap."""
    loading = rebuild.current()
    # In a new kernel something else may stand under that name.
    if loading is not None and type(owner).__dictoffset__:
        loading.defer(_clear, _Attributes(owner))


def _clear(of: _Attributes) -> None:
    attributes_of(of.owner).clear()


def reduce_logger(value: Any, context: Context) -> Reduction:
    words = f"the logger {value.name!r} of the kernel it comes back to, with the level it had"
    handlers = "its handlers are not kept" if value.handlers else "it had no handlers of its own"
    context.note(Fidelity.REFERENCE, f"{words}; {handlers}")
    reduction: Any = value.__reduce__()
    return (*reduction[:2], (value.level, value.disabled, value.propagate), None, None, set_logger)


class _Settings(Place):
    """The settings of a logger, which lives as long as the process."""

    __slots__ = ("logger",)

    def __init__(self, logger: Any) -> None:
        super().__init__(logger.name)
        self.logger = logger

    def as_it_was(self) -> Callable[[], Any]:
        kept = self.logger.level, self.logger.disabled, self.logger.propagate
        return lambda: _put_settings(self, kept)


def set_logger(logger: Any, kept: tuple[int, bool, bool]) -> None:
    """The level and its like, at the swap: the logger is the living one."""
    loading = rebuild.current()
    if loading is None:
        _put_settings(_Settings(logger), kept)
    else:
        loading.defer(_put_settings, _Settings(logger), kept)


def _put_settings(of: _Settings, kept: tuple[int, bool, bool]) -> None:
    level, of.logger.disabled, of.logger.propagate = kept
    if of.logger.level != level:
        of.logger.setLevel(level)
