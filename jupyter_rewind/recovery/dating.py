"""Since when a document is as it is: a checkout, a sync or an old tab writes an old state anew.

Its file is then newer than the work that it lacks. Where another trace has the same document, cell
for cell with all outputs and numbers, the document is at least as old as that trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from jupyter_rewind.recovery.attributed import Attributed
from jupyter_rewind.recovery.choosing import Base
from jupyter_rewind.recovery.evidence import EvidenceCell, FoundDocument
from jupyter_rewind.recovery.since import HALF, ran_beside, went_on

NO_CHANCE = 2
"""So much code that ran after all that the document shows is more than a cell that was tried."""


def dated(base: Base, documents: Iterable[FoundDocument], attributed: Sequence[Attributed]) -> Base:
    """The base with the time of the oldest of `documents` that is the same.

    It keeps its own time where what ran since then stands in another document: that was saved, and
    what is looked for is another state of the notebook (a branch, say).
    """
    document = base.document
    if document is None or base.time_ns is None or not document.complete or not attributed:
        return base
    if any(each.document is not document for each in base.cells):
        return base
    if all(each.execution_count is None for each in document.cells):
        return base  # nothing in it tells one run from the next
    wanted = _content(document)
    every = tuple(documents)
    times = [each.time_ns for each in every if each.time_ns and _is_same(each, document, wanted)]
    since = min(times, default=base.time_ns)
    if since >= base.time_ns:
        return base
    told = went_on(base, attributed)
    after = {*(told[1] if told else ()), *ran_beside(base, attributed)}
    if len(after) < NO_CHANCE:
        return base  # one cell that was tried, deleted and saved: it is told, no more
    saved = {
        cell.source.rstrip()
        for each in every
        if (each.time_ns or 0) >= since and not _is_same(each, document, wanted)
        for cell in each.cells
        if cell.kind == "code"
    }
    if sum(source in saved for source in after) >= HALF * len(after):
        return base
    return replace(base, time_ns=since)


def _is_same(other: FoundDocument, document: FoundDocument, content: list[Any]) -> bool:
    if not other.complete or len(other.cells) != len(document.cells):
        return False
    return other is document or _content(other) == content


def _content(document: FoundDocument) -> list[Any]:
    return [_told(each) for each in document.cells]


def _told(cell: EvidenceCell) -> tuple[str, str, Any, int | None]:
    return cell.kind, cell.source, cell.outputs, cell.execution_count
