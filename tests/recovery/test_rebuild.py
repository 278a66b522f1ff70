"""What was run is laid over the newest document, cell by cell."""

from __future__ import annotations

import nbformat
import pytest

from jupyter_rewind.recovery.evidence import Evidence, Executed, Trace
from jupyter_rewind.recovery.rebuild import rebuild, to_notebook
from tests.support.evidence import (
    TARGET,
    code,
    document,
    kernel,
    prose,
    rebuilt_of,
    session,
    sources_of,
    text_output,
)

LOAD = "import pandas as pd\ntable = pd.read_csv('sales.csv')"
CLEAN = "table = table.dropna()\ntable = table[table.price > 0]"
FIT = "model = LinearRegression()\nmodel.fit(table[['price']], table['sold'])"
PLOT = "plt.scatter(table.price, table.sold)\nplt.plot(grid, model.predict(grid))"
BOOK = (LOAD, CLEAN, FIT, PLOT)


def test_edited_cell_gets_the_text_that_was_run_last() -> None:
    """A cell that you changed and ran comes back as you ran it last, in its place."""
    half = FIT.replace("LinearRegression()", "Ridge(")
    last = FIT.replace("LinearRegression()", "Ridge(alpha=3)")
    rebuilt = rebuilt_of([document(*BOOK)], [session(2, [*BOOK, half, last])])
    assert sources_of(rebuilt) == [LOAD, CLEAN, last, PLOT]
    assert half in {each.source for each in rebuilt.alternatives}


def test_new_cell_stands_after_the_cell_that_was_run_before_it() -> None:
    """A new cell stands where you worked."""
    new = "print(model.coef_, model.intercept_, model.score(table[['price']], table['sold']))"
    rebuilt = rebuilt_of([document(*BOOK)], [session(2, [LOAD, CLEAN, FIT, new, PLOT])])
    assert sources_of(rebuilt) == [LOAD, CLEAN, FIT, new, PLOT]


def test_cell_left_out_when_all_were_run_again_was_deleted() -> None:
    """A cell that you deleted stays deleted, and is among the alternatives."""
    others = [f"step_{n} = transform_{n}(table, level={n})" for n in range(12)]
    now = [LOAD, *others, PLOT]
    runs = [
        session(2, [LOAD, CLEAN, *others, PLOT], at=10, lasting=60),
        session(3, now, at=100),
    ]
    rebuilt = rebuilt_of([document(LOAD, CLEAN, *others, PLOT)], runs)
    assert sources_of(rebuilt) == now
    assert CLEAN in {each.source for each in rebuilt.alternatives}


def test_passing_look_is_left_out_and_listed() -> None:
    """Looks at values are no cells; none of them is lost."""
    runs = [session(2, [LOAD, CLEAN, "table.head()", "%who", FIT, PLOT])]
    rebuilt = rebuilt_of([document(*BOOK)], runs)
    assert sources_of(rebuilt) == list(BOOK)
    assert {"table.head()", "%who"} <= {each.source for each in rebuilt.alternatives}


def test_markdown_is_kept_where_it_stands() -> None:
    """What you wrote between the cells is kept as the document has it."""
    cells = (prose("# Sales"), code(LOAD), prose("Then clean."), code(CLEAN), prose("The end"))
    rebuilt = rebuilt_of([document(*cells)], [session(2, [LOAD, CLEAN + "\nprint(len(table))"])])
    texts = sources_of(rebuilt)
    assert [texts[0], texts[2], texts[4]] == ["# Sales", "Then clean.", "The end"]
    assert texts[3] == CLEAN + "\nprint(len(table))"


def test_outputs_stay_under_the_source_that_made_them() -> None:
    """An output stands below a cell only if exactly this cell made it."""
    changed = FIT.replace("LinearRegression", "Ridge")
    cells = (code(LOAD, "read"), code(FIT, "fitted"))
    rebuilt = rebuilt_of([document(*cells)], [session(2, [LOAD, changed])])
    first, second = rebuilt.cells
    assert [output["text"] for output in first.cell.outputs] == ["read"]
    assert second.cell.source == changed
    assert second.cell.outputs == ()


def test_outputs_of_the_last_execution_are_attached() -> None:
    """Where a trace has an execution's outputs, they come back below its cell."""
    ran = Executed(1, CLEAN, outputs=(text_output("12 rows"),))
    shown = Executed(2, "table.shape", text_output="(12, 3)")
    rebuilt = rebuilt_of([document(LOAD, CLEAN, "table.shape")], [session(2, [ran, shown])])
    assert rebuilt.cells[1].cell.outputs[0]["text"] == "12 rows"
    assert rebuilt.cells[2].cell.outputs[0]["data"] == {"text/plain": "(12, 3)"}


def test_cell_that_a_trace_names_is_changed_whatever_it_resembles() -> None:
    """Where a trace names the cell that was run, nothing is guessed."""
    cells = (code("a = 1", cell_id="one"), code("b = 2", cell_id="two"))
    run = Executed(1, "completely = different(text)", cell_id="one")
    new = Executed(2, "b = 22", cell_id="three")
    rebuilt = rebuilt_of([document(*cells)], [session(2, [run, new], notebook=str(TARGET))])
    assert sources_of(rebuilt) == [run.source, new.source, "b = 2"]
    assert [each.cell.cell_id for each in rebuilt.cells] == ["one", "three", "two"]


def test_notebook_is_rebuilt_of_history_alone() -> None:
    """With no document left, what was run comes back in its order."""
    runs = [session(7, [LOAD, CLEAN, "table.head()", FIT, PLOT])]
    rebuilt = rebuilt_of([], runs, [kernel(TARGET, at=9)])
    assert sources_of(rebuilt) == list(BOOK)
    assert any("Markdown" in words for words in rebuilt.likely_lost)


def test_empty_document_is_passed_over_for_the_one_before_it() -> None:
    """A notebook that was emptied comes back from the checkpoint before."""
    emptied = document("", at=500)
    rebuilt = rebuilt_of([document(*BOOK), emptied], [session(2, list(BOOK))])
    assert sources_of(rebuilt) == list(BOOK)
    assert any("no cell" in words for words in rebuilt.passed_over)


def test_newer_document_that_lost_most_cells_does_not_win() -> None:
    """A notebook that an old tab cut down comes back whole."""
    rebuilt = rebuilt_of([document(*BOOK), document(LOAD, at=900)])
    assert sources_of(rebuilt) == list(BOOK)


def test_work_under_an_old_copy_is_laid_over_it() -> None:
    """When an old tab saved over your work, what you ran before that save is still brought back."""
    new = [
        "residuals = table.sold - model.predict(table[['price']])",
        "residuals.hist(bins=40)\nplt.title('Residuals')",
        "weeks = table.groupby(table.date.dt.isocalendar().week)",
        "seasonal = weeks.sold.mean().rename('expected')\nseasonal.plot()",
        "forecast = pd.concat([seasonal, trend], axis=1).sum(axis='columns')",
    ]
    old_copy = document(*BOOK, at=2000)
    rebuilt = rebuilt_of([old_copy], [session(2, [*BOOK, *new], at=10, lasting=600)])
    assert set(new) <= set(sources_of(rebuilt))


def test_saved_work_is_not_laid_over_the_document_again() -> None:
    """What was run before the document was saved is in it already: earlier tries stay out."""
    tried = FIT.replace("LinearRegression", "Lasso")
    rebuilt = rebuilt_of([document(*BOOK)], [session(1, [LOAD, tried, *BOOK], at=-900)])
    assert sources_of(rebuilt) == list(BOOK)
    assert tried in {each.source for each in rebuilt.alternatives}


def test_cells_missing_from_a_broken_document_are_filled_in() -> None:
    """A truncated notebook gets its missing cells from the checkpoint, marked as less sure."""
    broken = document(LOAD, CLEAN + "\nprint(1)", at=100, complete=False)
    rebuilt = rebuilt_of([document(*BOOK), broken])
    texts = sources_of(rebuilt)
    assert texts[0] == LOAD
    assert {CLEAN + "\nprint(1)", FIT, PLOT} <= set(texts)
    assert all(each.confidence <= 0.5 for each in rebuilt.cells if each.cell.source in (FIT, PLOT))


def test_undamaged_notebook_comes_back_as_it_is() -> None:
    """Recovering a notebook that lost nothing changes no cell of it."""
    whole = document(prose("# Title"), code(LOAD, "read"), prose("text"), code(CLEAN))
    rebuilt = rebuilt_of([whole], [session(1, [LOAD, CLEAN], at=-900)])
    assert [each.cell for each in rebuilt.cells] == list(whole.cells)


def test_nothing_at_all_gives_a_notebook_of_no_cells() -> None:
    """With no trace there is no invented notebook."""
    rebuilt = rebuilt_of()
    assert rebuilt.cells == ()
    nbformat.validate(to_notebook(rebuilt))


def test_every_cell_tells_where_it_is_from() -> None:
    """Each cell carries its traces and how sure it is, in its own metadata."""
    rebuilt = rebuilt_of([document(*BOOK)], [session(2, [*BOOK, FIT + "\nprint('done')"])])
    for cell in to_notebook(rebuilt)["cells"]:
        notes = cell["metadata"]["rewind"]
        assert 0 < notes["confidence"] < 1
        assert {origin["kind"] for origin in notes["origins"]} <= {"checkpoint", "history"}
        assert notes["origins"]


@pytest.mark.parametrize("count", [2, 5])
def test_same_code_in_several_cells_stays_several_cells(count: int) -> None:
    """Cells of the same text are not folded into one."""
    cells = [LOAD, *([CLEAN, "table.describe()"] * count)]
    rebuilt = rebuilt_of([document(*cells)], [session(2, cells)])
    assert sources_of(rebuilt) == cells


def test_change_does_not_take_away_a_name_that_it_uses() -> None:
    """A cell that alone defines a name is not taken for the old text of one that needs it."""
    loop = "for diff in range(10):\n    "
    table = f"pct = '{{:4.0%}}'.format\n\n{loop}print(diff, 'points', pct(win(diff)))"
    series = f"{loop}game = win(diff)\n    print(diff, 'points', pct(game), pct(best(game)))"
    book = ["def win(diff):\n    return model(diff)", table, "def best(p):\n    return p ** 4"]
    rebuilt = rebuilt_of([document(*book)], [session(2, [book[0], series])])
    assert {table, series} <= set(sources_of(rebuilt))


def test_run_that_begins_in_the_middle_tells_nothing_of_the_cells_before() -> None:
    """You restarted and ran on from the middle: the cells above are not taken for deleted."""
    book = [f"step_{n} = transform_{n}(table, level={n})" for n in range(60)]
    runs = [session(2, book, at=10, lasting=60), session(3, book[45:], at=100)]
    assert sources_of(rebuilt_of([document(*book)], runs)) == book


def test_outputs_of_a_double_are_not_dropped() -> None:
    """Nothing tells which of two cells alike was deleted: both are kept, one as doubtful."""
    steps = [f"step_{n} = transform_{n}(table, level={n})" for n in range(12)]
    shown = "report(table, columns=['price', 'sold'])"
    cells = [code(shown, "first"), *map(code, steps), code(shown, "second")]
    runs = [
        session(2, [shown, *steps, shown], at=10, lasting=60),
        session(3, [*steps, shown], at=100),
    ]
    rebuilt = rebuilt_of([document(*cells)], runs)
    doubles = [each for each in rebuilt.cells if each.cell.source == shown]
    assert len(doubles) == 2
    assert min(each.confidence for each in doubles) < 0.5
    assert any("more than once" in each.words for each in doubles)


def test_name_of_before_a_renaming_tells_the_name_of_now() -> None:
    """Where no document of that name is left and another notebook has its code, it is named."""
    code_of = [
        "sales = read('sales.csv')",
        "by_shop = sales.groupby('shop')",
        "best = by_shop.max()",
    ]
    beside = Trace("file", "/home/ann/report.ipynb", "/home/ann/report.ipynb")
    run = session(1, code_of, notebook=str(TARGET))
    for texts, is_told in ((code_of, True), (["other = 1", "last = 2"], False)):
        siblings = (document(*texts, trace=beside),)
        steps = rebuild(TARGET, Evidence(runs=(run,), siblings=siblings)).next_steps
        assert any("report.ipynb has 3 of these 3 cells" in step for step in steps) is is_told
