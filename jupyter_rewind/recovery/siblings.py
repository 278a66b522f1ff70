"""The notebooks beside the one that is looked for, as far as telling whose a session is takes.

Their code and their counts are kept, nothing else; the newest come first, within a bound.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from jupyter_rewind.recovery.assembly import CODE, NOTES, OF, code_digest
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
from jupyter_rewind.recovery.lineends import plain
from jupyter_rewind.recovery.regular import read_file
from jupyter_rewind.recovery.walking import is_left_over, is_recovered, settle

MOST_SIBLINGS = 100
MOST_BYTES = 1 << 26
_KIND = "file"


def with_siblings(evidence: Evidence, scope: Scope) -> Evidence:
    """`evidence` with the other notebooks of the folder, and those that kernels were started for,
    where a session may be one's of them."""
    if not any(run.executions and (run.asked or not run.certain) for run in evidence.runs):
        return evidence
    named = {each.notebook for each in evidence.kernels if os.path.isabs(each.notebook)}
    heard = [_read(trace, scope) for trace in _siblings(scope, named)]
    return sum(heard, evidence)


def _siblings(scope: Scope, named: Collection[str]) -> list[Trace]:
    """The files of the folder, and those `named` elsewhere, that are read, the newest first."""
    found = []
    try:
        with os.scandir(scope.folder) as entries:
            paths = [Path(each.path) for each in entries if each.name.endswith(".ipynb")]
    except OSError:
        # Who looks for the notebook itself tells of it.
        return []
    paths += [each for each in map(Path, named) if each.parent != scope.folder]
    for path in paths:
        if path == scope.notebook or is_recovered(path) or is_left_over(path):
            continue
        if settle(path, scope) == scope.notebook:
            continue
        try:
            status = path.stat()
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode) and 0 < status.st_size <= LARGE_BYTES:
            place = str(path)
            found.append(
                Trace(_KIND, place, place, frozenset(), status.st_mtime_ns, status.st_size)
            )
    found.sort(key=lambda each: each.time_ns or 0, reverse=True)
    kept, room = [], MOST_BYTES
    for trace in found[:MOST_SIBLINGS]:
        room -= trace.size_bytes
        if room >= 0:
            kept.append(trace)
    return kept


def _read(trace: Trace, scope: Scope) -> Evidence:
    """The notebook as a sibling; one that cannot be opened is told, one that is broken is not."""
    try:
        raw = read_file(trace.place, LARGE_BYTES)
    except OSError as error:
        words = f"It could not be compared with what was run: {error.strerror or error}."
        return Evidence(problems=(Problem(trace.place, words, trace),))
    documents = plain(read_document(trace, raw)).documents
    return Evidence(siblings=tuple(_bare(each, scope) for each in documents))


def _bare(document: FoundDocument, scope: Scope) -> FoundDocument:
    """The document without all that says nothing of a session: cells that were brought back from
    the notebook's own sessions, too, whatever the result was called. Where one of those was
    changed, run anew or deleted since, the result is a notebook of its own."""
    was_own = _was_own(document, scope)
    cells = tuple(
        EvidenceCell("code", each.source, execution_count=each.execution_count)
        for each in document.cells
        if each.kind == "code" and not (was_own and NOTES in each.metadata)
    )
    return replace(document, cells=cells, metadata={}, damages=())


def _was_own(document: FoundDocument, scope: Scope) -> bool:
    """Whether it was brought back for the notebook that is looked for, and is as it was."""
    notes = document.metadata.get(NOTES)
    of = notes.get(OF) if isinstance(notes, Mapping) else None
    if not isinstance(of, str) or "\0" in of or settle(Path(of), scope) != scope.notebook:
        return False
    code = (each for each in document.cells if each.kind == "code" and NOTES in each.metadata)
    digest = code_digest((each.source, each.execution_count) for each in code)
    return isinstance(notes, Mapping) and notes.get(CODE) == digest
