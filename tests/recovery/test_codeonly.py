"""What is built on holds no outputs: another document gives them, or they are told as lost."""

from __future__ import annotations

from dataclasses import replace

from jupyter_rewind.recovery.evidence import EVERYTHING, FoundDocument, Holds, Trace
from tests.support.evidence import (
    CHECKPOINT,
    TARGET,
    code,
    document,
    prose,
    rebuilt_of,
    session,
    sources_of,
    text_output,
)

LOAD = "prices = load(2025)"
SHOW = "prices.describe(percentiles=[0.1, 0.9])"
FIT = "model = fit(prices, depth=3)"
ALL_BUT = EVERYTHING - {Holds.OUTPUTS, Holds.TIMES}
SCRIPT = Trace("export", "/home/ann/analysis.py", str(TARGET), ALL_BUT, words="A script")
KEPT = replace(CHECKPOINT, holds=EVERYTHING, words="Jupyter's checkpoint")


def script(*sources: str, at: int = 600) -> FoundDocument:
    cells = [replace(code(each), execution_count=None) for each in sources]
    return document(prose("# Prices"), *cells, at=at, trace=SCRIPT)


def checkpoint() -> FoundDocument:
    return document(prose("# Prices"), code(LOAD, "loaded"), code(SHOW, "table"), trace=KEPT)


def test_unchanged_cells_show_what_the_checkpoint_has() -> None:
    """Only the script of a pair is left and a checkpoint: outputs stand below the same text."""
    rebuilt = rebuilt_of([script(LOAD, SHOW, FIT), checkpoint()])
    assert sources_of(rebuilt) == ["# Prices", LOAD, SHOW, FIT]
    shown = [each.cell.outputs for each in rebuilt.cells]
    assert shown == [(), (text_output("loaded"),), (text_output("table"),), ()]
    assert rebuilt.cells[1].words == "what it shows was saved earlier: Jupyter's checkpoint"
    assert rebuilt.cells[3].words == ""
    [lost] = [each for each in rebuilt.likely_lost if each.startswith("Outputs")]
    assert lost == "Outputs of 1 code cell, where there were any: there are none in: A script."


def test_changed_cell_gets_no_output_of_its_older_text() -> None:
    """A cell that was edited in the script shows nothing: its output would be a wrong one."""
    rebuilt = rebuilt_of([script(LOAD, SHOW.replace("0.9", "0.8")), checkpoint()])
    assert [bool(each.cell.outputs) for each in rebuilt.cells] == [False, True, False]


def test_output_of_a_cell_that_ran_again_is_marked_as_an_earlier_one() -> None:
    """What ran again after the script was saved showed something else: that is said."""
    ran = session(1, [LOAD, SHOW], at=900, notebook=str(TARGET))
    rebuilt = rebuilt_of([script(LOAD, SHOW), checkpoint()], [ran])
    assert "earlier run" in rebuilt.cells[2].words
    assert rebuilt.cells[2].cell.execution_count is None


def test_outputs_are_told_as_lost_where_nothing_has_them() -> None:
    """A script is all that is left: that there are no outputs is no secret."""
    rebuilt = rebuilt_of([script(LOAD, SHOW)])
    assert any(each.startswith("Outputs of 2 code cells") for each in rebuilt.likely_lost)


def test_richer_older_document_keeps_its_outputs_below_a_poorer_script() -> None:
    """A script of a part of the notebook is newer: the cells that both have keep their outputs."""
    whole = document(
        *(code(f"step_{n} = run(stage={n})", f"stage {n}") for n in range(8)), trace=KEPT
    )
    part = script(*(f"step_{n} = run(stage={n})" for n in range(3)))
    rebuilt = rebuilt_of([whole, replace(part, cells=part.cells[1:])])
    assert len(rebuilt.cells) == 8
    assert all(each.cell.outputs for each in rebuilt.cells)
