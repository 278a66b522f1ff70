"""Which outputs may stand under a cell: those that its source made, the last time that it ran.

What was shown before a later run stands without a number and is marked; a cell that shows nothing
has the number of its last run. What cannot be told whose it is stands under no cell; it is kept in
the notebook's metadata.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from jupyter_rewind.recovery.evidence import EvidenceCell, Executed, Output

EARLIER = "it was run again later: what it shows is of an earlier run"
PIECE = "only a piece of it could be read"
TURNED_BACK = "turned back from what was made of it: marks, or where it begins and ends, may differ"


@dataclass(frozen=True, slots=True)
class Loose:
    """Outputs of which no whole cell is known, and what is left of their cell."""

    outputs: tuple[Output, ...]
    source: str
    execution_count: int | None


def without_outputs(cells: Iterable[EvidenceCell]) -> tuple[Loose, ...]:
    """The outputs of cells of which only a piece is left: they may be another cell's."""
    return tuple(
        Loose(cell.outputs, cell.source, cell.execution_count)
        for cell in cells
        if not cell.whole and cell.outputs
    )


def has_failed(cell: EvidenceCell) -> bool:
    """Whether the cell shows an error."""
    return any(output.get("output_type") == "error" for output in cell.outputs)


def with_outputs(
    cell: EvidenceCell, ran: Executed | None, is_sure: bool = True, is_later: bool = False
) -> tuple[EvidenceCell, str]:
    """`cell` with what its last run showed, where that is known; and what is to be said of it.

    `ran` is the newest execution of exactly the cell's source. It is not sure that it was of this
    cell where others have the same source. With `is_later` it is of a kernel that was started after
    the cell was saved: an equal number is then another run's.
    """
    if not cell.whole:
        return replace(cell, outputs=(), execution_count=None), PIECE
    is_same = ran is not None and cell.execution_count == ran.line and not is_later
    if ran is None or (cell.outputs and is_same and not ran.outputs):
        return cell, ""
    shown = _shown(ran)
    if is_same and len(cell.outputs) > len(shown):
        return cell, ""
    if shown and is_sure:
        return replace(cell, outputs=shown, execution_count=ran.line or None), ""
    if cell.outputs:
        earlier = tuple(_without_number(output) for output in cell.outputs)
        return replace(cell, outputs=earlier, execution_count=None), EARLIER
    if is_sure and ran.line:
        return replace(cell, execution_count=ran.line), ""
    return cell, ""


def earlier_in_words(words: Iterable[str]) -> tuple[str, ...]:
    """What a person is told of the cells of these words that show what an earlier run did."""
    count = sum(EARLIER in each for each in words)
    if not count:
        return ()
    cells = "1 cell: it" if count == 1 else f"{count} cells: they"
    return (f"New outputs of {cells} ran again later, and what stands below is of an earlier run.",)


def _without_number(output: Output) -> Output:
    return {**output, "execution_count": None} if "execution_count" in output else output


def _shown(ran: Executed) -> tuple[Output, ...]:
    if ran.outputs or ran.text_output is None:
        return ran.outputs
    return (
        {
            "output_type": "execute_result",
            "execution_count": ran.line or None,
            "data": {"text/plain": ran.text_output},
            "metadata": {},
        },
    )
