"""The cell at which a document breaks off gets its end from what was run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from jupyter_rewind.recovery.attribution import Attributed
from jupyter_rewind.recovery.choosing import Base
from jupyter_rewind.recovery.evidence import EvidenceCell, FoundRun
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
    others = {each.source.rstrip() for each in base.document.cells if each.whole}
    ran = (each.source.rstrip() for each in run.executions[read_of(base, run) :])
    fitting = [_at_count(base, run, piece), *ran]
    # A text that a whole cell has is that cell's: twice in the result would be a guess.
    mine = (each for each in fitting if each is not None and each not in others)
    whole = next((each for each in mine if each.startswith(begin)), None)
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


def _at_count(base: Base, run: FoundRun, piece: EvidenceCell) -> str | None:
    """The text that the run has at the piece's own count, where it begins so: that is the cell's,
    unless the run began after the document was saved."""
    started = run.started_ns
    if started is not None and base.time_ns is not None and started > base.time_ns:
        return None
    begin = piece.source.rstrip()
    ran = (each for each in run.executions if each.line == piece.execution_count)
    sources = (each.source.rstrip() for each in ran)
    return next((source for source in sources if source.startswith(begin)), None)


def loose_of(read: Base, made: Base) -> tuple[Loose, ...]:
    """The outputs of pieces in `read` that stand under no cell of what was `made` of it."""
    pairs = ((was.cell, now.cell) for was, now in zip(read.cells, made.cells, strict=True))
    return without_outputs(was for was, now in pairs if not (now.whole and now.outputs))
