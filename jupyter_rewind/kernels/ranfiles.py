"""The files that `%run` ran: IPython has a module of each, which it empties and fills when it runs
the file again.

What the file defined runs in that module's dictionary, so what is left of the first run goes on
with what the second one made. It does so after a restore too, also in a new kernel.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_rewind.kernels.homes import Scope


class RanFile(types.ModuleType):
    """A module whose dictionary is `scope`: Python's own cannot be given one."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Scope) -> None:
        super().__init__("")
        types.ModuleType.__getattribute__(self, "__dict__").clear()
        _SCOPE.__set__(self, scope)

    def __getattribute__(self, name: str) -> Any:
        if name == "__dict__":
            return _SCOPE.__get__(self)
        return super().__getattribute__(name)

    def __getattr__(self, name: str) -> Any:
        try:
            return _SCOPE.__get__(self)[name]
        except KeyError:
            raise AttributeError(f"module has no attribute {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        _SCOPE.__get__(self)[name] = value

    def __delattr__(self, name: str) -> None:
        if _SCOPE.__get__(self).pop(name, _SCOPE) is _SCOPE:
            raise AttributeError(f"module has no attribute {name!r}")


_SCOPE: Any = vars(RanFile)["_scope"]


def modules_of(shell: Any) -> dict[str, types.ModuleType]:
    """IPython's own dict of them, by the file's path."""
    found = getattr(shell, "_main_mod_cache", None)
    return found if type(found) is dict else {}


def put(
    modules: dict[str, types.ModuleType],
    files: Iterable[str],
    scopes: Iterable[Scope],
    before: Mapping[str, types.ModuleType],
) -> None:
    """There are modules of these files alone, each with that one of the `scopes` that is the
    file's. Where none is, it is that of `before`, or one that holds nothing."""
    wanted = list(files)
    # IPython marks its modules so.
    homes = {one.get("__file__"): one for one in scopes if "__nonzero__" in one}
    for file in [one for one in modules if one not in wanted]:
        del modules[file]
    for file in wanted:
        scope, made = homes.get(file), before.get(file, modules.get(file))
        if made is None or (scope is not None and vars(made) is not scope):
            made = types.ModuleType("__main__") if scope is None else RanFile(scope)
        modules[file] = made
