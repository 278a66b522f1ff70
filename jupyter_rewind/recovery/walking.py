"""Walks folders that a person named: never through links, never where no notebook is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from jupyter_rewind.recovery.evidence import Scope

_SKIPPED = frozenset(
    {
        "__pycache__", "node_modules", "site-packages", "dist-packages", "venv", "env",
        ".ipynb_checkpoints",
    }
)  # fmt: skip
RECOVERED = ".recovered"
"""What the name of a notebook that was brought back ends in, before its suffix."""


def folders_of(scope: Scope) -> Iterator[Path]:
    """The folder of the notebook that is looked for, or the scope's folder and all below it."""
    if scope.notebook is not None:
        yield scope.notebook.parent
    else:
        yield from folders_below(scope.folder)


def folders_below(top: Path, *, hidden: bool = False) -> Iterator[Path]:
    """`top` and the folders below it, without those of programs; unreadable ones are left out.

    Hidden folders are entered only where `hidden` says so.
    """
    for at, folders, _ in os.walk(top):
        folders[:] = sorted(
            name
            for name in folders
            if name not in _SKIPPED and (hidden or not name.startswith("."))
        )
        yield Path(at)


def is_recovered(path: Path) -> bool:
    """Whether the notebook is one that was brought back, and so no trace of another."""
    return RECOVERED in path.name
