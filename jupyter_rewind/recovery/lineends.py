"""Line ends as Windows writes them: the same text, letter for letter, for all that compares it.

What ran has plain ends as a rule, whatever the notebook's file has; read as they are, each cell of
several lines would seem to be changed. A cell keeps the ends that it had for when it is written.
"""

from __future__ import annotations

from dataclasses import replace

from jupyter_rewind.recovery.evidence import Evidence, EvidenceCell, FoundDocument, FoundRun

_WINDOWS = "\r\n"


def plain(heard: Evidence) -> Evidence:
    """`heard` with plain line ends in all its texts."""
    return replace(
        heard,
        documents=tuple(map(_document, heard.documents)),
        siblings=tuple(map(_document, heard.siblings)),
        runs=tuple(map(_run, heard.runs)),
        fragments=tuple(replace(e, source=_text(e.source)) for e in heard.fragments),
    )


def as_written(cell: EvidenceCell) -> str:
    """The cell's text with the line ends that it had."""
    return cell.source.replace("\n", cell.line_end)


def _document(document: FoundDocument) -> FoundDocument:
    if not any(_WINDOWS in each.source for each in document.cells):
        return document
    return replace(document, cells=tuple(map(_cell, document.cells)))


def _cell(cell: EvidenceCell) -> EvidenceCell:
    source = _text(cell.source)
    # Where a text has both kinds of ends, nothing says which of them was meant.
    is_throughout = _WINDOWS in cell.source and cell.source.count(_WINDOWS) == source.count("\n")
    return replace(cell, source=source, line_end=_WINDOWS if is_throughout else cell.line_end)


def _run(run: FoundRun) -> FoundRun:
    if not any(_WINDOWS in each.source for each in run.executions):
        return run
    ran = (replace(each, source=_text(each.source)) for each in run.executions)
    return replace(run, executions=tuple(ran))


def _text(source: str) -> str:
    return source.replace(_WINDOWS, "\n")
