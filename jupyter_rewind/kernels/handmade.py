"""Modules that the notebook made by hand: built aside, and in their place at the swap only."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable
from typing import Any

NOT_CONTENT = frozenset({"__name__", "__doc__", "__loader__", "__spec__", "__builtins__"})
"""What a module has from its making."""


def is_handmade(module: Any) -> bool:
    """True where nothing says from where the module could be loaded again."""
    if not isinstance(module, types.ModuleType):
        return False
    held = vars(module)
    return held.get("__spec__") is None and not held.get("__file__") and held.get(
        "__name__"
    ) != "__main__"  # fmt: skip


class Place:
    """An entry of `sys.modules`."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def as_it_was(self) -> Callable[[], Any]:
        """What puts the entry back as it is now."""
        before = sys.modules.get(self.name)

        def put_back() -> None:
            if before is None:
                sys.modules.pop(self.name, None)
            else:
                sys.modules[self.name] = before

        return put_back


class HandMade:
    """The modules of one state that is loaded. In place, the living ones are used, and changed at
    the swap."""

    def __init__(
        self,
        in_place: bool,
        defer: Callable[..., None],
        alive: Callable[[str], Any] = lambda _: None,
    ) -> None:
        """`alive` finds what lives by its uid."""
        self._in_place = in_place
        self._defer = defer
        self._alive = alive
        self._made: dict[str, types.ModuleType] = {}
        self._living: set[int] = set()

    def make(
        self, name: str, doc: str | None, imported_as: str | None, uid: str = ""
    ) -> types.ModuleType:
        """The module of this name, or of this uid, without its content yet."""
        if imported_as is None:
            live = self._alive(uid) if self._in_place and uid else None
            if type(live) is not types.ModuleType:
                return types.ModuleType(name, doc)
            self._living.add(id(live))
            return live
        found = self._made.get(imported_as)
        if found is None:
            found = self._made[imported_as] = self._find(name, imported_as)
        found.__doc__ = doc if id(found) not in self._living else found.__doc__
        return found

    def _find(self, name: str, imported_as: str) -> types.ModuleType:
        live = sys.modules.get(imported_as) if self._in_place else None
        if live is not None and is_handmade(live):
            self._living.add(id(live))
            return live
        made = types.ModuleType(name)
        self._defer(put_in_place, Place(imported_as), made)
        return made

    def fill(self, module: types.ModuleType, content: dict[str, Any]) -> None:
        """The module has this content: a living one not before the swap."""
        if id(module) in self._living:
            self._defer(put_content, module, content)
        else:
            vars(module).update(content)

    def home(self, name: str) -> dict[str, Any]:
        """The variables of the module of this name. Raises ImportError."""
        if name in self._made:
            return vars(self._made[name])
        try:
            return vars(importlib.import_module(name))
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            return vars(self.make(name, None, name))


def put_in_place(place: Place, module: types.ModuleType) -> None:
    sys.modules[place.name] = module


def put_content(module: types.ModuleType, content: dict[str, Any]) -> None:
    """The module has this content, and no other."""
    held = vars(module)
    for name in [name for name in held if name not in content and name not in NOT_CONTENT]:
        del held[name]
    held.update(content)


def module_as_it_was(module: types.ModuleType) -> Callable[[], Any]:
    """What gives the module the content that it has now."""
    before = {name: held for name, held in vars(module).items() if name not in NOT_CONTENT}
    return lambda: put_content(module, before)
