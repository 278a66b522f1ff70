"""The notebook itself, as it lies on the disk: whole, damaged, emptied, or too old."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from jupyter_rewind.recovery.documents import read_notebook
from jupyter_rewind.recovery.evidence import EVERYTHING, Evidence, Holds, Problem, Scope, Trace
from jupyter_rewind.recovery.filestate import (
    LARGE_BYTES,
    MISSING,
    is_kept_as_text,
    state_of,
)
from jupyter_rewind.recovery.salvage import salvage_notebook
from jupyter_rewind.recovery.walking import folders_of, is_left_over, is_recovered


class PresentFinder:
    """The file of the notebook, or the notebooks that lie in the folder."""

    kind = "file"
    title = "the notebook itself"
    asked_only = False
    holds: frozenset[Holds] = EVERYTHING
    where: Mapping[str, str] = {
        "linux": "the file that was named, or the notebooks of the folder",
        "macos": "as on Linux",
        "windows": "as on Linux",
    }

    def find(self, scope: Scope) -> Iterator[Trace | Problem]:
        for path in _files(scope):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            except OSError as error:
                yield Problem(str(path), f"It could not be looked at: {error.strerror}.")
                continue
            if stat.S_ISREG(status.st_mode):
                trace = _trace(path, status)
                yield trace if scope.notebook is None else _judged(trace)

    def read(self, trace: Trace, scope: Scope) -> Evidence:
        return read_notebook(trace)


def _files(scope: Scope) -> Iterator[Path]:
    if scope.notebook is not None:
        if not _is_text(scope.notebook):
            yield scope.notebook
        return
    for folder in folders_of(scope):
        for path in sorted(folder.glob("*.ipynb")):
            if not is_recovered(path) and not is_left_over(path):
                yield path


def _is_text(path: Path) -> bool:
    """Whether it is read by the finder of what is made of notebooks."""
    try:
        return is_kept_as_text(path)
    except OSError:
        return False  # told where it is looked at


def _judged(trace: Trace) -> Trace:
    """The trace, with what is wrong with the file, and with nothing to hold where no cell reads."""
    state = state_of(Path(trace.place))
    if state.is_whole or state.state == MISSING:
        return trace
    holds = trace.holds
    if state.state == "empty" or (trace.size_bytes <= LARGE_BYTES and not _has_cells(trace)):
        holds = frozenset()
    return replace(
        trace, holds=holds, words=f"The file on disk ({state.state})", problem=state.words
    )


def _has_cells(trace: Trace) -> bool:
    try:
        return bool(salvage_notebook(Path(trace.place)).cells)
    except OSError:
        return True


def _trace(path: Path, status: os.stat_result) -> Trace:
    return Trace(
        PresentFinder.kind,
        str(path),
        str(path),
        EVERYTHING,
        status.st_mtime_ns,
        status.st_size,
        "The file on disk" if status.st_size else "The file on disk: it is empty",
        None if status.st_size else "0 bytes",
    )
