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
    so, or that ran next; it stays as doubtful as a piece is. It shows what it showed only where
    nothing but this text can have made it."""
    run = part_of(base, attributed)
    if run is None or base.document is None:
        return base
    piece = next((cell for cell in base.document.cells if not cell.whole), None)
    if piece is None or piece.kind != "code" or not piece.source.strip():
        return base
    begin = piece.source.rstrip()
    known = _at_count(base, run, piece)
    ran = (each.source.rstrip() for each in run.executions[read_of(base, run) :])
    whole = known or next((source for source in ran if source.startswith(begin)), None)
    if whole is None:
        return base
    made_it = known is not None and _made_it(base, attributed, piece, known)
    outputs = piece.outputs if made_it else ()
    words = "its end is what was run"
    if whole == begin:
        words = "it may have shown more" if outputs else ""
    cells = tuple(
        replace(
            each,
            cell=replace(each.cell, source=whole, whole=True, outputs=outputs),
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


def _made_it(base: Base, attributed: Sequence[Attributed], piece: EvidenceCell, text: str) -> bool:
    """Whether what the piece shows is of this text in the last run: no other run has another text
    at its count that begins so, and the document was saved when this run was as far: a whole cell
    shows what it ran then or later. Else an earlier kernel may have made it, under the same number.
    """
    count = piece.execution_count
    if count is None or base.document is None:
        return False
    begin = piece.source.rstrip()
    for each in attributed:
        there = (ran.source.rstrip() for ran in each.run.executions if ran.line == count)
        if any(source != text and source.startswith(begin) for source in there):
            return False
    told = {(ran.line, ran.source.rstrip()) for ran in attributed[-1].run.executions}
    return any(
        cell.whole
        and cell.execution_count is not None
        and cell.execution_count >= count
        and (cell.execution_count, cell.source.rstrip()) in told
        for cell in base.document.cells
    )


def loose_of(read: Base, made: Base) -> tuple[Loose, ...]:
    """The outputs of pieces in `read` that stand under no cell of what was `made` of it."""
    pairs = ((was.cell, now.cell) for was, now in zip(read.cells, made.cells, strict=True))
    return without_outputs(was for was, now in pairs if not (now.whole and now.outputs))
