"""What is built on holds no outputs: another document gives them, or they are told as lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyter_rewind.recovery.evidence import EVERYTHING, Evidence, FoundDocument, Holds, Trace
from jupyter_rewind.recovery.exports.prose import read_prose
from jupyter_rewind.recovery.otherversions import other_versions
from tests.support.evidence import (
    CHECKPOINT,
    SAVED,
    SECOND,
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


def test_cells_of_a_commit_without_outputs_show_what_the_checkpoint_has() -> None:
    """A filter takes all outputs out of what is committed: the new cell and the old outputs both
    come back, and the commit's own cells stay what they are."""
    commit = Trace("git", "/home/ann: git object 1", str(TARGET), EVERYTHING, words="Commit 1")
    cells = [
        replace(code(each, cell_id=f"id-{at}"), execution_count=None)
        for at, each in enumerate([LOAD, SHOW, FIT])
    ]
    stripped = document(prose("# Prices"), *cells, at=600, trace=commit)
    rebuilt = rebuilt_of([stripped, checkpoint()])
    assert sources_of(rebuilt) == ["# Prices", LOAD, SHOW, FIT]
    shown = [each.cell.outputs for each in rebuilt.cells]
    assert shown == [(), (text_output("loaded"),), (text_output("table"),), ()]
    assert [each.cell.cell_id for each in rebuilt.cells] == [None, "id-0", "id-1", "id-2"]
    assert [each.cell.execution_count for each in rebuilt.cells] == [None] * 4
    assert rebuilt.cells[1].words == "what it shows was saved earlier: Jupyter's checkpoint"
    [lost] = [each for each in rebuilt.likely_lost if each.startswith("Outputs")]
    assert lost == "Outputs of 1 code cell, where there were any: there are none in: Commit 1."


def test_outputs_that_a_person_cleared_stay_cleared() -> None:
    """The file on the disk shows nothing, and so does a commit that has other outputs: meant."""
    bare = [replace(code(each), execution_count=None) for each in (LOAD, SHOW)]
    file = Trace("file", str(TARGET), str(TARGET), EVERYTHING)
    rebuilt = rebuilt_of([document(*bare, at=600, trace=file), checkpoint()])
    assert not any(each.cell.outputs for each in rebuilt.cells)
    commit = Trace("git", "/home/ann: git object 1", str(TARGET), EVERYTHING)
    some = document(bare[0], code(SHOW, "new"), at=600, trace=commit)
    rebuilt = rebuilt_of([some, checkpoint()])
    assert [each.cell.outputs for each in rebuilt.cells] == [(), (text_output("new"),)]


def test_unchanged_cells_show_what_the_checkpoint_has() -> None:
    """Only the script of a pair is left and a checkpoint: outputs stand below the same text."""
    rebuilt = rebuilt_of([script(LOAD, SHOW, FIT), checkpoint()])
    assert sources_of(rebuilt) == ["# Prices", LOAD, SHOW, FIT]
    shown = [each.cell.outputs for each in rebuilt.cells]
    assert shown == [(), (text_output("loaded"),), (text_output("table"),), ()]
    assert rebuilt.cells[1].words == "what it shows was saved earlier: Jupyter's checkpoint"
    origins = [[(one.trace, one.words) for one in each.provenance] for each in rebuilt.cells]
    shown_by = (KEPT, "what it shows: Jupyter's checkpoint")
    assert origins[1:] == [
        [(SCRIPT, "A script"), shown_by],
        [(SCRIPT, "A script"), shown_by],
        [(SCRIPT, "A script")],
    ]
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


PAGE = Trace("export", "/home/ann/analysis.html", str(TARGET), EVERYTHING, words="A web page")
EXACT = "# Prices of *2025*\n\n1. [load](https://a.b/c)\n2. `fit`\n\n```python\nx = 1\n```"
TURNED = '# Prices of *2025*\n\n<ol><li><a href="https://a.b/c">load</a></li><li>fit</li></ol>\n'


def page(told: str) -> FoundDocument:
    """A page that was made after the script; Markdown is turned back, in one piece."""
    made = replace(prose(told), whole=False)
    return document(made, code(LOAD, "loaded"), code(SHOW, "table"), at=900, trace=PAGE)


def test_page_gives_the_outputs_and_a_script_the_exact_markdown() -> None:
    """Two exports are left: marks are those of the script, what was shown is that of the page."""
    exact = document(prose(EXACT), prose("Done."), LOAD, SHOW, at=600, trace=SCRIPT)
    rebuilt = rebuilt_of([page(TURNED + "x = 1\n\nDone."), exact])
    assert sources_of(rebuilt) == [EXACT, "Done.", LOAD, SHOW]
    assert [bool(each.cell.outputs) for each in rebuilt.cells] == [False, False, True, True]
    assert all(each.confidence >= 0.9 for each in rebuilt.cells[:2])
    evidence = Evidence((page(TURNED + "x = 1\n\nDone."), exact))
    cells = [each.cell for each in rebuilt.cells]
    assert other_versions(TARGET, evidence, cells, PAGE) == ()


MARKDOWN = replace(SCRIPT, place="/home/ann/analysis.md", words="A Markdown file")


@pytest.mark.parametrize("later", [0, 3])
def test_page_wins_over_the_markdown_file_that_was_made_with_it(later: int) -> None:
    """nbconvert made both: outputs are those of the page, and the text is exact."""
    made = document(prose(EXACT), LOAD, SHOW, at=900 + later, trace=MARKDOWN)
    rebuilt = rebuilt_of([page(TURNED + "x = 1"), made])
    assert sources_of(rebuilt) == [EXACT, LOAD, SHOW]
    assert [bool(each.cell.outputs) for each in rebuilt.cells] == [False, True, True]
    newer = replace(made, time_ns=SAVED + 2000 * SECOND, cells=(*made.cells, prose("Later.")))
    assert sources_of(rebuilt_of([page(TURNED + "x = 1"), newer]))[-1] == "Later."


def test_what_nbconvert_set_in_behind_a_cell_is_no_text_of_yours() -> None:
    """Indented lines behind code are what it printed; they are kept, and are in no cell."""
    text = (
        "# Prices\n\n\n```python\nshow()\n```\n\n    a table\n\n    of two parts\n\n\n"
        "Then it goes on:\n\n    an example\n\n\n```python\nfit()\n```\n"
    )
    read = read_prose(text)
    assert read is not None
    rebuilt = rebuilt_of([read.as_document(MARKDOWN, SAVED)])
    example = "Then it goes on:\n\n    an example"
    assert sources_of(rebuilt) == ["# Prices", "show()", example, "fit()"]
    assert not any(each.cell.outputs for each in rebuilt.cells)
    assert [one["text"] for each in rebuilt.loose for one in each.outputs] == [
        "a table\n\nof two parts\n"
    ]
    assert any("kept in the notebook's metadata" in each for each in rebuilt.likely_lost)


def test_markdown_that_was_edited_before_the_page_was_made_is_the_pages() -> None:
    """The script is older, and what it says is not what the page says: the newer words stay."""
    exact = document(prose(EXACT), LOAD, SHOW, at=600, trace=SCRIPT)
    told = TURNED.replace("2025", "2026")
    assert sources_of(rebuilt_of([page(told), exact])) == [told, LOAD, SHOW]
