"""The notebooks beside the one that is looked for, as far as telling whose a session is takes:
those that are there, and Jupyter's checkpoints of those that were.

Their code and their counts are kept, nothing else; the newest come first, within a bound.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from jupyter_rewind.recovery.assembly import AT, NOTES, OF
from jupyter_rewind.recovery.checkpointplaces import USUAL
from jupyter_rewind.recovery.documents import read_document
from jupyter_rewind.recovery.evidence import (
    Evidence,
    EvidenceCell,
    FoundDocument,
    Problem,
    Scope,
    Trace,
)
from jupyter_rewind.recovery.filestate import LARGE_BYTES
from jupyter_rewind.recovery.keptcopies import notebook_of
from jupyter_rewind.recovery.lineends import plain
from jupyter_rewind.recovery.regular import read_file
from jupyter_rewind.recovery.walking import is_left_over, is_recovered, settle

MOST_SIBLINGS = 100
MOST_FOLDERS = 200
MOST_BYTES = 1 << 26
_KIND, _KEPT = "file", "checkpoint"
NEVER = 1 << 63
"""No run began so late."""


def with_siblings(evidence: Evidence, scope: Scope) -> Evidence:
    """`evidence` with the other notebooks of the folder, and those that kernels were started for,
    where a session may be one's of them."""
    if not any(run.executions and (run.asked or not run.certain) for run in evidence.runs):
        return evidence
    named = {each.notebook for each in evidence.kernels if os.path.isabs(each.notebook)}
    own = frozenset(filter(None, (brought_back_at(each) for each in evidence.documents)))
    heard = [_read(trace, scope, own) for trace in _siblings(scope, named)]
    return sum(heard, evidence)


def with_rivals_around(evidence: Evidence, scope: Scope, traces: Iterable[Trace] = ()) -> Evidence:
    """`evidence` of all notebooks below a folder, with those of the folders around it, and with
    Jupyter's checkpoints, among `traces`, of those that are not there any more."""
    if not any(run.executions and not run.certain for run in evidence.runs):
        return evidence
    paths = (each for each in _around(scope.folder) if not each.is_relative_to(scope.folder))
    near = [*_traces_of(paths, scope, ()), *_of_lost(traces)]
    return sum((_read(trace, scope, ()) for trace in near), evidence)


def _of_lost(traces: Iterable[Trace]) -> list[Trace]:
    """The checkpoints among the traces whose notebooks have no file: the newest."""
    kept = [each for each in traces if each.kind == _KEPT and each.size_bytes <= LARGE_BYTES]
    lost = [each for each in kept if each.notebook and not os.path.lexists(each.notebook)]
    return sorted(lost, key=lambda each: each.time_ns or 0, reverse=True)[:MOST_SIBLINGS]


def _siblings(scope: Scope, named: Collection[str]) -> list[Trace]:
    """The files of the folder and of those around it, and those `named` elsewhere, that are read:
    those of the folder first, the newest of them first."""
    near = [*_notebooks_in(scope.folder), *map(Path, named)]
    paths = [*near, *_kept_of_lost(scope.folder), *_around(scope.folder)]
    return _traces_of(paths, scope, frozenset(map(str, near)))


def _traces_of(paths: Iterable[Path], scope: Scope, first: Collection[str]) -> list[Trace]:
    """Those of the files that are read, within the bounds: the `first`, then the newest."""
    found = []
    for path in dict.fromkeys(paths):
        copied = notebook_of(path)
        notebook = copied or path
        if notebook == scope.notebook or is_recovered(notebook) or is_left_over(notebook):
            continue
        if settle(notebook, scope) == scope.notebook:
            continue
        try:
            status = path.stat()
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode) and 0 < status.st_size <= LARGE_BYTES:
            found.append(
                Trace(
                    _KIND if copied is None else _KEPT,
                    str(path),
                    str(notebook),
                    frozenset(),
                    status.st_mtime_ns,
                    status.st_size,
                )
            )
    found.sort(key=lambda each: (each.place in first, each.time_ns or 0), reverse=True)
    kept, room = [], MOST_BYTES
    for trace in found[:MOST_SIBLINGS]:
        room -= trace.size_bytes
        if room >= 0:
            kept.append(trace)
    return kept


def _notebooks_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(each.path) for each in entries if each.name.endswith(".ipynb")]
    except OSError:
        # Who looks for the notebook itself tells of it.
        return []


def _kept_of_lost(folder: Path) -> list[Path]:
    """Jupyter's checkpoints of notebooks of the folder that are not there any more."""
    kept = ((path, notebook_of(path)) for path in _notebooks_in(folder / USUAL))
    return [path for path, notebook in kept if notebook and not os.path.lexists(notebook)]


def _around(folder: Path) -> list[Path]:
    """The notebooks of the folders in `folder`, of the one above, and of those that lie there, and
    Jupyter's checkpoints of those that lay there."""
    above = folder.parent
    folders = [
        *_folders_in(folder),
        above,
        *(each for each in _folders_in(above) if each != folder),
    ]
    return [
        path
        for each in folders[:MOST_FOLDERS]
        for path in (*_notebooks_in(each), *_kept_of_lost(each))
    ]


def _folders_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                Path(each.path)
                for each in entries
                if each.is_dir(follow_symlinks=False) and not each.name.startswith(".")
            )
    except OSError:
        return []


def _read(trace: Trace, scope: Scope, own: Collection[int]) -> Evidence:
    """The notebook as a sibling; one that cannot be opened is told, one that is broken is not."""
    try:
        raw = read_file(trace.place, LARGE_BYTES)
    except OSError as error:
        words = f"It could not be compared with what was run: {error.strerror or error}."
        return Evidence(problems=(Problem(trace.place, words, trace),))
    documents = plain(read_document(trace, raw)).documents
    return Evidence(siblings=tuple(part for each in documents for part in _bare(each, scope, own)))


def _bare(document: FoundDocument, scope: Scope, own: Collection[int]) -> list[FoundDocument]:
    """The document without all that says nothing of a session.

    What was brought back for the notebook that is looked for, whatever the result was called, was
    made of the notebook's own sessions: only those that began since may be the result's. Where the
    notebook is itself what was brought back then (`own`), this is a copy of it.
    """
    cells = [
        (EvidenceCell("code", each.source, execution_count=each.execution_count), each.metadata)
        for each in document.cells
        if each.kind == "code"
    ]
    since_ns = _brought_back_ns(document, scope)
    bare = replace(document, metadata={}, damages=())
    if since_ns is None or since_ns in own:
        return [replace(bare, cells=tuple(cell for cell, _ in cells))]
    added = tuple(cell for cell, metadata in cells if NOTES not in metadata)
    whole = replace(bare, cells=tuple(cell for cell, _ in cells), since_ns=since_ns)
    return [replace(bare, cells=added), whole]


def _brought_back_ns(document: FoundDocument, scope: Scope) -> int | None:
    """When it was brought back for the notebook that is looked for; None where it was not."""
    notes = document.metadata.get(NOTES)
    of = notes.get(OF) if isinstance(notes, Mapping) else None
    if not isinstance(of, str) or "\0" in of or settle(Path(of), scope) != scope.notebook:
        return None
    return brought_back_at(document) or NEVER


def brought_back_at(document: FoundDocument) -> int | None:
    """When it was brought back, whatever for; None where that is not known."""
    notes = document.metadata.get(NOTES)
    at = notes.get(AT) if isinstance(notes, Mapping) else None
    return int(at * 1e9) if isinstance(at, int | float) and math.isfinite(at) else None
