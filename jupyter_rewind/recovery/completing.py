"""The cell at which a document breaks off gets its end from what was run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from jupyter_rewind.recovery.attributed import Attributed
from jupyter_rewind.recovery.choosing import Base
from jupyter_rewind.recovery.evidence import EvidenceCell, FoundDocument, FoundRun
from jupyter_rewind.recovery.outputs import Loose, without_outputs


def part_of(base: Base, attributed: Sequence[Attributed]) -> FoundRun | None:
    """The last run, where the document has lost a part: what stood there was run in it, perhaps,
    before the document was saved."""
    is_part = base.document is not None and not base.document.complete
    return attributed[-1].run if is_part and attributed else None


def read_of(base: Base, run: FoundRun) -> int:
    """How many executions the run had behind it when it first ran the last cell that is read of a
    document in front of what is lost: the cells of the lost part were run after that."""
    cells = base.document.cells if base.document is not None else ()
    read = list(takewhile(lambda cell: cell.whole, cells))
    for cell in reversed(read):
        source = cell.source.rstrip()
        for at, executed in enumerate(run.executions, 1):
            if cell.kind == "code" and source and executed.source.rstrip() == source:
                return at
    return 0


def completed(base: Base, attributed: Sequence[Attributed]) -> Base:
    """The base, where the first piece of a code cell has the text that ran at its count and begins
    so, or that ran next; it stays as doubtful as a piece is. What it showed another text may have
    made, in an earlier kernel under the same number or before the cell was changed: that is kept
    beside."""
    run = part_of(base, attributed)
    if run is None or base.document is None:
        return base
    piece = next((cell for cell in base.document.cells if not cell.whole), None)
    if piece is None or piece.kind != "code" or not piece.source.strip():
        return base
    begin = piece.source.rstrip()
    whole = _text_of(base.document, run, piece, read_of(base, run), base.time_ns)
    if whole is None:
        return base
    words = "" if whole == begin else "its end is what was run"
    cells = tuple(
        replace(
            each,
            cell=replace(each.cell, source=whole, whole=True, outputs=()),
            certain=False,
            words=words,
        )
        if each.cell is piece
        else each
        for each in base.cells
    )
    return replace(base, cells=cells)


def _text_of(
    document: FoundDocument, run: FoundRun, piece: EvidenceCell, read: int, saved_ns: int | None
) -> str | None:
    """What ran at the piece's own count, where it begins so, unless the run began after the
    document was saved; else the next that ran and begins so. What a whole cell shows as its own, by
    count and text, is that cell's: twice in the result would be a guess."""
    begin = piece.source.rstrip()
    others = {
        (each.execution_count, each.source.rstrip())
        for each in document.cells
        if each.whole and each.kind == "code"
    }
    ran = [(each.line, each.source.rstrip()) for each in run.executions]
    began_later = run.started_ns is not None and saved_ns is not None and run.started_ns > saved_ns
    own = [each for each in ran if each[0] == piece.execution_count and each[1].startswith(begin)]
    fitting = own if own and not began_later else ran[read:]
    return next(
        (each[1] for each in fitting if each[1].startswith(begin) and each not in others), None
    )


def loose_of(read: Base, made: Base) -> tuple[Loose, ...]:
    """The outputs of pieces in `read` that stand under no cell of what was `made` of it."""
    pairs = ((was.cell, now.cell) for was, now in zip(read.cells, made.cells, strict=True))
    return without_outputs(was for was, now in pairs if not (now.whole and now.outputs))
