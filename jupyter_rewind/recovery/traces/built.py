"""Whole copies of notebooks that tools which make books and sites of them keep in their output.

Sphinx, Jupyter Book and MyST-NB keep the sources beside the pages, and the executed notebooks;
nbsphinx and JupyterLite copy them; mkdocs-jupyter does where it is told to. All lie below the
book's own folder by the same way as the notebook itself does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from jupyter_rewind.recovery.evidence import EVERYTHING, Holds, Scope, Trace
from jupyter_rewind.recovery.walking import folders_of

_OUTPUTS = (
    "_build/html/_sources", "_build/jupyter_execute", "_build/html", "_build/doctrees/nbsphinx",
    "build/html/_sources", "build/jupyter_execute", "build/html", "build/doctrees/nbsphinx",
    "_output/files", "docs/_build/html/_sources", "docs/_build/jupyter_execute",
)  # fmt: skip
_BY_PAGE = "site"
_MOST_ABOVE = 6


def built_copies(scope: Scope, kind: str) -> Iterator[Trace]:
    """The copies of the notebook, or of those of the folder, as traces of this kind."""
    if scope.notebook is not None:
        for place in _places(scope.notebook.parent):
            for name in (scope.notebook.name, f"{scope.notebook.stem}/{scope.notebook.name}"):
                yield from _offer(place / name, scope.notebook, kind)
        return
    for folder in folders_of(scope):
        for place in _places(folder):
            for name in _notebooks(place):
                yield from _offer(place / name, folder / name, kind)


def _places(folder: Path) -> Iterator[Path]:
    """Where tools put what they make of the notebooks of this folder."""
    for top in (folder, *list(folder.parents)[:_MOST_ABOVE]):
        way = folder.relative_to(top)
        for output in (*_OUTPUTS, _BY_PAGE):
            if os.path.isdir(top / output.partition("/")[0]):
                yield top / output / way


def _notebooks(folder: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(".ipynb"))
    except OSError:
        return []  # most of these folders are not there


def _offer(place: Path, own: Path, kind: str) -> Iterator[Trace]:
    try:
        status = place.stat()
    except OSError:
        return
    if os.path.isfile(place) and place != own:
        yield Trace(
            kind, str(place), str(own), EVERYTHING - {Holds.TIMES}, status.st_mtime_ns,
            status.st_size, "A copy that a book or a site was made of",
        )  # fmt: skip
