"""Jupyter Rewind: work done in a notebook can be brought back.

Importing this package is cheap: whatever costs time is imported by the entry point that needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from jupyter_server.serverapp import ServerApp

__version__ = "0.1.0"

__all__ = ["__version__", "register"]


def register(
    kind: type, reduce: Callable[[Any], tuple[Any, ...] | str], *, subclasses: bool = False
) -> None:
    """Keep values of `kind` in snapshots of kernels the way `reduce` says.

    `reduce(value)` returns what `__reduce__` would: a tuple `(callable, args, ...)` whose callable
    can be imported. It must only look at the value. With `subclasses`, values of subclasses are
    kept so too, even where they have a `__reduce__` of their own.

    Raises `InvalidInput` where `kind` is no class or `reduce` no function.
    """
    from jupyter_rewind.kernels.reducers import register as register_reducer

    register_reducer(kind, reduce, subclasses=subclasses)


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    """Where Jupyter Server finds the extension."""
    from jupyter_rewind.faces.server.app import RewindExtension

    return [{"module": "jupyter_rewind.faces.server.app", "app": RewindExtension}]


def _load_jupyter_server_extension(serverapp: ServerApp) -> None:
    """Load the extension into a server that was not asked for its extension points."""
    from jupyter_rewind.faces.server.app import RewindExtension

    # Jupyter Server declares it without types.
    RewindExtension._load_jupyter_server_extension(serverapp)  # type: ignore[no-untyped-call]


def load_ipython_extension(shell: object) -> None:
    """`%load_ext jupyter_rewind`: this kernel's cells are kept from now on."""
    from jupyter_rewind.faces.ipython.extension import load

    load(shell)


def unload_ipython_extension(shell: object) -> None:
    """`%unload_ext jupyter_rewind`: they are not kept any more."""
    from jupyter_rewind.faces.ipython.extension import unload

    unload(shell)
