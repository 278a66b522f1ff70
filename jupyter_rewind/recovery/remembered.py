"""Where a notebook belongs in time that only a program's memory has: nothing there tells a time.

It was sent or saved while the program ran. One that has nearly all of the newest version of a known
time, texts that no such version has, and more cells or more that was run, is taken for what became
of that version; a file that is whole stays the newest. What only it has is likely, not certain.
"""

from __future__ import annotations

from collections.abc import Iterable

from jupyter_rewind.recovery.ahead import age_of
from jupyter_rewind.recovery.evidence import EvidenceCell, FoundDocument

MEMORY = "memory"
"""The kind of trace that has no times of its own."""
COLLABORATION = "collaboration"
"""The kind of trace that is played from many small updates: damage to one may change a letter."""
NEARLY_ALL = 0.8
UNSURE = 0.8
"""No cell is surer that only a notebook of no known time has, or one of a damaged store."""


def is_untimed(document: FoundDocument) -> bool:
    """Whether it is of a program's memory, and nothing says when it was like this."""
    return document.trace.kind == MEMORY and document.time_ns is None


def is_unsure(document: FoundDocument) -> bool:
    """Whether what it alone has may not have been the notebook's last, or not in these letters."""
    is_hurt = document.trace.kind == COLLABORATION and bool(document.damages)
    return is_hurt or is_untimed(document) or document.trace.order > 0


def time_of(
    document: FoundDocument, documents: Iterable[FoundDocument], file: FoundDocument | None
) -> int:
    """When `document` was like this; if that is not known, a time right behind the one of
    `documents` that it goes on from, but none behind a whole `file`; 0 where it goes on from none.
    """
    if document.time_ns is not None or not is_untimed(document):
        return age_of(document)[0]
    known = [each for each in documents if each.time_ns is not None and each.cells]
    newest = max(known, key=lambda each: each.time_ns or 0, default=None)
    if newest is None or not _goes_on(document, newest, known):
        return 0
    return (newest.time_ns or 0) + (-1 if newest is file else 1)


def _goes_on(
    document: FoundDocument, before: FoundDocument, known: Iterable[FoundDocument]
) -> bool:
    """Whether it has nearly all cells of the one before, by their texts or ids, and new ones."""
    here = _texts(document.cells)
    ids = {cell.cell_id for cell in document.cells if cell.cell_id}
    old = [cell for cell in before.cells if _text(cell)]
    kept = sum(_text(cell) in here or cell.cell_id in ids for cell in old)
    if kept < NEARLY_ALL * len(old) or here <= {
        one for each in known for one in _texts(each.cells)
    }:
        return False
    count = sum(bool(_text(cell)) for cell in document.cells)
    return count > len(old) or _last_run(document) > _last_run(before)


def _last_run(document: FoundDocument) -> int:
    return max((cell.execution_count or 0 for cell in document.cells), default=0)


def known_texts(documents: Iterable[FoundDocument]) -> frozenset[tuple[str, str]]:
    """The kinds and texts of all cells of documents that are sure."""
    sure = (each for each in documents if not is_unsure(each))
    return frozenset((cell.kind, _text(cell)) for each in sure for cell in each.cells)


def _texts(cells: Iterable[EvidenceCell]) -> set[str]:
    return {_text(cell) for cell in cells} - {""}


def _text(cell: EvidenceCell) -> str:
    return cell.source.strip()
