"""Outputs stand only under the source that made them, and as of its last run."""

from __future__ import annotations

import nbformat
import pytest

from jupyter_rewind.recovery.evidence import EvidenceCell, Executed, Trace
from jupyter_rewind.recovery.normal import cell_of
from jupyter_rewind.recovery.outputs import PIECE, TURNED_BACK
from jupyter_rewind.recovery.rebuild import Rebuilt, RebuiltCell, to_notebook
from tests.support.evidence import (
    CHECKPOINT,
    TARGET,
    code,
    document,
    rebuilt_of,
    session,
    text_output,
)

STEPS = [f"step_{n} = transform_{n}(table, level={n})" for n in range(6)]
SHOW = "report(table, columns=['price', 'sold'])"


def shown(rebuilt: Rebuilt, source: str = SHOW) -> list[RebuiltCell]:
    return [each for each in rebuilt.cells if each.cell.source == source]


def test_output_of_an_earlier_run_is_marked() -> None:
    """A cell that ran again keeps what it showed before, without the number of that run."""
    rebuilt = rebuilt_of([document(*STEPS, code(SHOW, "old"))], [session(2, [*STEPS, SHOW])])
    (cell,) = shown(rebuilt)
    assert cell.cell.outputs == (text_output("old"),)
    assert cell.cell.execution_count is None
    assert "earlier run" in cell.words


def test_value_of_an_earlier_run_has_no_number_and_is_told() -> None:
    """`[3]` beside a value says that the third run gave it; the last run was another."""
    value = {
        "output_type": "execute_result",
        "execution_count": 3,
        "data": {"text/plain": "10.0"},
        "metadata": {},
    }
    old = EvidenceCell("code", SHOW, (value,), execution_count=3)
    rebuilt = rebuilt_of([document(*STEPS, old)], [session(2, [*STEPS, SHOW])])
    (cell,) = shown(rebuilt)
    assert cell.cell.outputs == ({**value, "execution_count": None},)
    assert [each for each in rebuilt.likely_lost if "earlier run" in each] == [
        "New outputs of 1 cell: it ran again later, and what stands below is of an earlier run."
    ]


def test_richer_output_of_the_same_run_is_kept() -> None:
    """A live kernel knows only the value that a cell gave; the saved file has all it showed."""
    rich = EvidenceCell(
        "code", SHOW, (text_output("printed"), text_output("drawn")), execution_count=7
    )
    ran = Executed(7, SHOW, text_output="'value'")
    before = [EvidenceCell("code", each, (), count) for count, each in enumerate(STEPS, 1)]
    rebuilt = rebuilt_of([document(*before, rich)], [session(2, [*STEPS, ran], at=-100)])
    (cell,) = shown(rebuilt)
    assert cell.cell.outputs == rich.outputs
    assert cell.cell.execution_count == 7


def test_equal_number_after_a_restart_is_another_run() -> None:
    """After a restart the counts begin anew: the value of the old [7] is not the new [7]'s."""
    value = {
        "output_type": "execute_result",
        "execution_count": 7,
        "data": {"text/plain": "0.5"},
        "metadata": {},
    }
    old = EvidenceCell("code", SHOW, (value,), execution_count=7)
    first = session(1, [*STEPS, SHOW], at=-900, lasting=60)
    rebuilt = rebuilt_of([document(*STEPS, old)], [first, session(2, [*STEPS, SHOW])])
    (cell,) = shown(rebuilt)
    assert cell.cell.outputs == ({**value, "execution_count": None},)
    assert cell.cell.execution_count is None
    assert "earlier run" in cell.words
    ran = Executed(7, SHOW, text_output="0.7")
    (cell,) = shown(rebuilt_of([document(*STEPS, old)], [first, session(2, [*STEPS, ran])]))
    assert [each["data"] for each in cell.cell.outputs] == [{"text/plain": "0.7"}]


def test_output_goes_to_neither_of_two_cells_alike() -> None:
    """Where two cells have the same source, a later output is put below neither by guess."""
    again = Executed(9, SHOW, outputs=(text_output("new"),))
    book = document(code(SHOW, "first"), *STEPS, code(SHOW, "second"))
    rebuilt = rebuilt_of([book], [session(2, [*STEPS[:2], again])])
    cells = shown(rebuilt)
    assert [each.cell.outputs for each in cells] == [
        (text_output("first"),),
        (text_output("second"),),
    ]
    assert sum("earlier run" in each.words for each in cells) == 1


def test_output_of_a_cell_that_a_trace_names_is_attached() -> None:
    """Rewind's own record names the cell: its output goes there, though another is alike."""
    again = Executed(9, SHOW, outputs=(text_output("new"),), cell_id="b")
    book = document(code(SHOW, "first", cell_id="a"), *STEPS, code(SHOW, "second", cell_id="b"))
    rebuilt = rebuilt_of([book], [session(2, [*STEPS, again], notebook=str(TARGET))])
    assert [each.cell.outputs for each in shown(rebuilt)] == [
        (text_output("first"),),
        (text_output("new"),),
    ]


@pytest.mark.parametrize("source", [SHOW[:12], ""])
def test_piece_of_a_cell_has_no_outputs(source: str) -> None:
    """What a broken cell showed may be of another cell: it is kept beside, under none."""
    piece = EvidenceCell("code", source, (text_output("whose?"),), 3, whole=False)
    rebuilt = rebuilt_of([document(*STEPS, piece, complete=False)], [])
    assert not any(each.cell.outputs == piece.outputs for each in rebuilt.cells)
    assert [each.confidence < 0.5 for each in shown(rebuilt, source)] == [True] * bool(source)
    book = to_notebook(rebuilt)
    nbformat.validate(book)
    assert book["metadata"]["rewind"]["loose_outputs"] == [
        {"outputs": [text_output("whose?")], "source": source}
    ]


def test_one_of_two_versions_is_doubtful() -> None:
    """Of a conflict both sides are there, each cell says of which, none is called certain."""
    ours, theirs = (
        EvidenceCell("code", f"side = {name!r}", metadata={"rewind_version": name})
        for name in ("HEAD", "feature")
    )
    rebuilt = rebuilt_of([document(*STEPS, ours, theirs, complete=False)], [])
    sides = [each for each in rebuilt.cells if each.cell.source.startswith("side")]
    assert [each.confidence < 0.5 for each in sides] == [True, True]
    assert ["HEAD" in sides[0].words, "feature" in sides[1].words] == [True, True]


def test_source_with_lines_that_are_no_text_is_not_whole() -> None:
    """A list of lines with a null in it lost something there."""
    assert not cell_of({"cell_type": "code", "source": ["x", None, "3"]}).whole
    assert cell_of({"cell_type": "code", "source": ["x\n", "3"]}).whole


def test_text_that_was_turned_back_is_not_called_a_piece() -> None:
    """Markdown of a web page is all there; what may differ is its form, and that is said."""
    page = Trace("export", "/home/ann/analysis.html", str(TARGET))
    read = EvidenceCell("markdown", "# Prices", whole=False)
    for trace, words in ((page, TURNED_BACK), (CHECKPOINT, PIECE)):
        rebuilt = rebuilt_of([document(read, *STEPS, trace=trace)])
        assert [each.words for each in rebuilt.cells if each.cell.kind == "markdown"] == [words]


def test_cell_that_showed_nothing_has_the_number_of_its_last_run() -> None:
    """A cell that prints nothing ran, too: it is not shown as one that never did."""
    ran = session(1, [*STEPS[:3], STEPS[0]], notebook=str(TARGET))
    rebuilt = rebuilt_of([document(STEPS[0])], [ran])
    assert [each.cell.execution_count for each in rebuilt.cells] == [4, 2, 3]
