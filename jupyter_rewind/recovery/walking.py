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
TEXTS = frozenset({".py", ".r", ".jl", ".md", ".rmd", ".qmd"})
"""What the names of files end in that Jupyter may open as notebooks, and that are kept as text."""
ZIPS = (".zip",)
TARS = (".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
PACKED = (".gz", ".bz2", ".xz")
RECOVERED = ".recovered"
"""What the name of a notebook that was brought back ends in, before its suffix."""


def folders_of(scope: Scope) -> Iterator[Path]:
    """The folder of the notebook that is looked for, or the scope's folder and all below it."""
    if scope.notebook is not None:
        yield scope.notebook.parent
    else:
        yield from folders_below(scope.folder)


def folders_below(top: Path, *, hidden: bool = False, deep: bool = True) -> Iterator[Path]:
    """`top` and the folders below it, without those of programs.

    Hidden folders are entered only where `hidden` says so, and those of inner ones where `deep`.
    Those that cannot be opened are given too, for the caller to tell.
    """
    waiting = [str(top)]
    while waiting:
        at = waiting.pop()
        yield Path(at)
        if not deep and at != str(top):
            continue
        try:
            with os.scandir(at) as entries:
                names = sorted(each.name for each in entries if each.is_dir(follow_symlinks=False))
        except OSError:
            continue
        inner = [each for each in names if hidden or not each.startswith(".")]
        waiting += [os.path.join(at, each) for each in reversed(inner) if each not in _SKIPPED]


def settle(path: Path, scope: Scope) -> Path:
    """`path` in the scope's own spelling, where links lead to it: the notebook that is looked for,
    or what lies below the scope's folder; any other as it is.

    Nobody knows by which of its names a folder will be entered: a home may be a link.
    """
    wanted, folder = scope.notebook, scope.folder
    if path == wanted or not path.is_absolute():
        return path
    parent = real_path(path.parent)
    if wanted is not None and path.name == wanted.name and parent == real_path(wanted.parent):
        return wanted
    top = real_path(folder)
    if folder == Path(folder.anchor) or not parent.is_relative_to(top):
        return path
    return folder / parent.relative_to(top) / path.name


def spellings(path: Path, scope: Scope) -> list[Path]:
    """The names that programs most likely know `path` by: its own, where links lead from there, and
    the one below the home, which may be a link."""
    real, home = real_path(path.parent) / path.name, real_path(scope.home)
    found = [path, real]
    if real.is_relative_to(home):
        found.append(scope.home / real.relative_to(home))
    return list(dict.fromkeys(found))


def real_path(path: Path) -> Path:
    """Where links lead; the path itself where no path can be called so."""
    try:
        return Path(os.path.realpath(path))
    except ValueError:
        return path


def is_recovered(path: Path, asked: Path | None = None) -> bool:
    """Whether the notebook is one that was brought back, and so no trace of another; the one that
    is `asked` for by its name is looked for as any other."""
    return RECOVERED in path.name and (asked is None or path.name != asked.name)


def is_recovered_of(path: Path, notebook: Path) -> bool:
    """Whether the path is one that what was brought back for the notebook is written to."""
    name = path.name.startswith(f"{notebook.stem}{RECOVERED}")
    return name and path.parent == notebook.parent


def is_left_over(path: Path) -> bool:
    """Whether Jupyter left it of a save that did not end: a trace of the notebook, and none."""
    return path.name.startswith(".~")
