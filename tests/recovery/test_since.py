"""A document tells how far the session had come when it was saved."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_rewind.recovery.evidence import EvidenceCell, Executed, FoundDocument, FoundRun
from jupyter_rewind.recovery.rebuild import Rebuilt
from tests.support.evidence import (
    SAVED,
    SECOND,
    TARGET,
    document,
    prose,
    rebuilt_of,
    session,
    sources_of,
    text_output,
)

LOAD = "table = read_csv('sales.csv')"
TRY = "table = clean(table, level=1)"
CLEAN = "table = clean(table, level=2, keep='price')"
FIT = "model = fit(table, 'price')"
NEXT = "residuals = model.residuals(table)\nresiduals.hist(bins=30)"
LATER = "forecast(model, months=12).plot(title='next year')"


def numbered(source: str, count: int | None) -> EvidenceCell:
    return EvidenceCell("code", source, execution_count=count)


def book(*counts: int | None) -> list[EvidenceCell]:
    return [prose("# Sales"), *map(numbered, (LOAD, CLEAN, FIT), counts)]


def test_what_ran_before_the_save_is_not_laid_over_it_again() -> None:
    """One session, saved in its middle: only what was run after the save is new."""
    ran = session(
        1,
        [LOAD, TRY, "table.head()", CLEAN, FIT, NEXT],
        at=-600,
        lasting=None,
        notebook=str(TARGET),
    )
    rebuilt = rebuilt_of([document(*book(1, 4, 5))], [ran])
    assert sources_of(rebuilt) == ["# Sales", LOAD, CLEAN, FIT, NEXT]
    assert all(each.confidence >= 0.9 for each in rebuilt.cells[1:4])
    assert rebuilt.cells[0].confidence > 0.6
    assert {TRY, "table.head()"} <= {each.source for each in rebuilt.alternatives}


def test_cell_changed_back_after_the_save_comes_back_so() -> None:
    """A text that ran before the save and again after it is the newest."""
    ran = session(1, [LOAD, TRY, CLEAN, FIT, TRY], at=-600, lasting=None, notebook=str(TARGET))
    assert sources_of(rebuilt_of([document(*book(1, 3, 4))], [ran])) == ["# Sales", LOAD, TRY, FIT]


def test_numbers_of_an_older_kernel_tell_nothing_of_a_later_one() -> None:
    """The kernel was restarted after the save: its cells are new runs, whatever the number."""
    cells = [numbered(LOAD, 1), numbered(CLEAN, 2), numbered(FIT, 3)]
    ran = session(2, [LOAD, CLEAN, FIT, NEXT, LATER], at=60)
    assert sources_of(rebuilt_of([document(*cells)], [ran])) == [LOAD, CLEAN, FIT, NEXT, LATER]


def test_times_of_executions_are_heeded() -> None:
    """Where a trace tells when a cell ran, no number is needed."""
    other = "prices = table.groupby('shop').price.mean()"
    ran = [
        Executed(line, source, time_ns=SAVED + at * SECOND)
        for line, (source, at) in enumerate([(LOAD, -90), (TRY, -60), (CLEAN, -30), (other, 30)], 1)
    ]
    rebuilt = rebuilt_of(
        [document(LOAD, CLEAN, FIT)], [session(1, ran, at=-100, lasting=None, notebook=str(TARGET))]
    )
    assert sources_of(rebuilt) == [LOAD, CLEAN, other, FIT]


@pytest.mark.parametrize("last", range(3, 12))
def test_the_file_is_never_made_worse(last: int) -> None:
    """Wherever in a session the file was saved, no cell of it is lost and no try comes back."""
    steps = [f"stage_{n} = compute_{n}(table, {n}, depth={n * 7})" for n in range(12)]
    ran = [text for step in steps for text in (step[:-1], step)]
    saved = [numbered(step, 2 * n + 2) for n, step in enumerate(steps[: last + 1])]
    rebuilt = rebuilt_of(
        [document(*saved)], [session(1, ran, at=-600, lasting=None, notebook=str(TARGET))]
    )
    assert sources_of(rebuilt) == steps


def test_saved_cell_is_not_lost_for_one_that_it_hardly_resembles() -> None:
    """The cell that you ran last before the save stays, whatever you wrote below it then."""
    saved = [numbered("prices = [10, 20, 30]", 1), numbered("[model(p) for p in prices]", 2)]
    below = "var = sum((p - mean) ** 2 for p in prices) / len(prices)\nvar"
    ran = session(
        1, [each.source for each in saved] + [below],
        at=-600, lasting=None, notebook=str(TARGET),
    )  # fmt: skip
    texts = sources_of(rebuilt_of([document(*saved)], [ran]))
    assert texts == [*(each.source for each in saved), below]


def test_saved_cell_is_not_doubtful_because_much_was_written_after_it() -> None:
    """An old tab wrote over five new cells: they come back below the one that it had."""
    new = [f"tab_new_{n} = tab_a + {n}\ntab_new_{n}" for n in range(5)]
    ran = session(3, ["tab_a = 1", *new], at=-600, lasting=None, notebook=str(TARGET))
    rebuilt = rebuilt_of([document(numbered("tab_a = 1", 1))], [ran])
    assert sources_of(rebuilt) == ["tab_a = 1", *new]
    assert rebuilt.cells[0].confidence >= 0.5


def test_cell_that_ran_again_after_the_save_is_no_longer_certain_to_show_it() -> None:
    """What is saved shows the first run; a second one showed something else: that is marked."""
    shown = EvidenceCell("code", "roll()", (text_output("4"),), 2)
    ran = session(1, [LOAD, "roll()", LOAD, "roll()"], at=-600, lasting=None, notebook=str(TARGET))
    rebuilt = rebuilt_of([document(numbered(LOAD, 1), shown)], [ran])
    assert sources_of(rebuilt) == [LOAD, "roll()"]
    assert "earlier run" in rebuilt.cells[1].words
    assert rebuilt.cells[1].cell.execution_count is None


@pytest.mark.parametrize("count", [None, 2], ids=["saved-before-it-ran", "ran-again"])
def test_what_a_running_kernel_showed_last_is_attached(count: int | None) -> None:
    """You ran it after the save, and the kernel still knows what came out: that stands below."""
    outputs = () if count is None else (text_output("4"),)
    cells = [numbered(LOAD, count and 1), EvidenceCell("code", "roll()", outputs, count)]
    steps = [Executed(1, LOAD), Executed(2, "roll()", text_output="4")]
    if count is not None:
        steps += [Executed(3, "roll()", text_output="6")]
    ran = session(1, steps, at=-600, lasting=None, notebook=str(TARGET))
    [_, cell] = rebuilt_of([document(*cells)], [ran]).cells
    [output] = cell.cell.outputs
    assert output["data"]["text/plain"] == ("4" if count is None else "6")
    assert cell.cell.execution_count == steps[-1].line


@pytest.mark.parametrize(
    ("saved", "ran"),
    [
        ('sales = read("sales.csv")', ['costs = read("costs.csv")', "sales.merge(costs)"]),
        ("a = fit(data, depth=3)\nscore(a)", ["b = fit(data, depth=5)\nscore(b)"]),
        ("q = 1", ["q = q + 10\nq"]),
    ],
    ids=["copied-line", "copied-cell", "goes-on-from-it"],
)
def test_new_cell_like_a_saved_one_does_not_replace_it(saved: str, ran: list[str]) -> None:
    """You copied a line and gave it another name: both cells are in the notebook."""
    first = "from tables import read"
    cells = [numbered(first, 1), EvidenceCell("code", saved, (text_output("0.91"),), 2)]
    run = session(1, [first, saved, *ran], at=-600, lasting=None, notebook=str(TARGET))
    rebuilt = rebuilt_of([document(*cells)], [run])
    assert sources_of(rebuilt) == [first, saved, *ran]
    assert rebuilt.cells[1].cell.outputs == (text_output("0.91"),)


def test_line_with_other_names_does_not_replace_a_saved_one() -> None:
    """You looked at the same thing another way, below: what you had saved stays."""
    saved, ran = "solve(hardest, verbose=False)", "solve(hardest)"
    cells = [numbered(LOAD, 1), numbered(FIT, 2), numbered(saved, 3)]
    run = session(1, [LOAD, FIT, saved, ran], at=-600, lasting=None, notebook=str(TARGET))
    assert sources_of(rebuilt_of([document(*cells)], [run])) == [LOAD, FIT, saved, ran]


PLOT = 'df.plot(x="a", y="b")'
OTHER_PLOT = 'df.plot(x="a", y="c")'


def went_on(saved: EvidenceCell, *ran: str) -> Rebuilt:
    """One session: two cells are saved, and more is run then."""
    cells = [numbered(LOAD, 1), saved]
    run = session(1, [LOAD, saved.source, *ran], at=-600, lasting=None, notebook=str(TARGET))
    return rebuilt_of([document(*cells)], [run])


def test_plot_that_was_copied_and_changed_stays_beside_the_other() -> None:
    """What looks almost like a saved cell and ran later is put below it: both are there."""
    rebuilt = went_on(EvidenceCell("code", PLOT, (text_output("<Axes>"),), 2), OTHER_PLOT)
    assert sources_of(rebuilt) == [LOAD, PLOT, OTHER_PLOT]
    assert rebuilt.cells[1].cell.outputs == (text_output("<Axes>"),)


FOREST = "model = Forest(trees=100, depth=4)\nmodel.fit(table, price)\nmodel.score(table)"
OTHER_FOREST = "model = Forest(trees=100)\nmodel.fit(table, rent)\nmodel.score(table, rent)"


def test_where_nothing_tells_a_change_from_a_copy_both_stay_and_it_is_said() -> None:
    """A saved cell that may have been changed is kept, as doubtful, and its words say why."""
    rebuilt = went_on(numbered(FOREST, 2), OTHER_FOREST)
    assert sources_of(rebuilt) == [LOAD, FOREST, OTHER_FOREST]
    assert rebuilt.cells[1].confidence < 0.9
    assert "something like it was run after the save" in rebuilt.cells[1].words


def test_saved_cell_that_was_half_written_gets_its_end() -> None:
    """A text that was saved while you typed is replaced by what you ran then; it is listed."""
    rebuilt = went_on(numbered('df.plot(x="a", y=', None), PLOT)
    assert sources_of(rebuilt) == [LOAD, PLOT]


def test_saved_cell_that_had_failed_was_mended() -> None:
    """A cell that shows an error is replaced by what you ran instead; it is listed."""
    error = {"output_type": "error", "ename": "KeyError", "evalue": "b", "traceback": []}
    rebuilt = went_on(EvidenceCell("code", FOREST, (error,), 2), OTHER_FOREST)
    assert sources_of(rebuilt) == [LOAD, OTHER_FOREST]
    [old] = [each for each in rebuilt.alternatives if each.source == FOREST]
    assert "the text that was saved" in old.words


def test_changed_setting_replaces_the_saved_cell_and_lists_it() -> None:
    """A long cell of which one number was changed is that cell; its saved text is listed."""
    ran = FOREST.replace("depth=4", "depth=5")
    rebuilt = went_on(numbered(FOREST, 2), ran)
    assert sources_of(rebuilt) == [LOAD, ran]
    assert FOREST in {each.source for each in rebuilt.alternatives}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_saved_code_is_nowhere(data: st.DataObject) -> None:
    """Whatever ran after the save: what was saved is in the notebook, or is listed."""
    line = st.sampled_from([PLOT, OTHER_PLOT, LOAD, TRY, CLEAN, FIT, NEXT, "df.plot(", "x = 1"])
    texts = data.draw(st.lists(line, min_size=1, max_size=6, unique=True))
    saved = [EvidenceCell("code", each, execution_count=n) for n, each in enumerate(texts, 1)]
    ran = data.draw(st.lists(st.one_of(line, line.map(lambda text: text + ".T")), max_size=8))
    run = session(1, [*texts, *ran], at=-600, lasting=None, notebook=str(TARGET))
    rebuilt = rebuilt_of([document(*saved)], [run])
    listed = {each.source for each in rebuilt.alternatives} | set(sources_of(rebuilt))
    assert set(texts) | set(ran) <= listed


DEEPER = "model = fit(table, 'price', depth=3)"


def told_by_journal(*ran: tuple[str, str], at: int = 0, number: int = 1) -> FoundRun:
    """A run whose journal says which cell each execution was of."""
    steps = [Executed(n, source, cell_id=of) for n, (of, source) in enumerate(ran, 1)]
    return session(number, steps, at=at, lasting=60, notebook=str(TARGET))


def counted_book(last: str = FIT, count: int = 3) -> FoundDocument:
    """The three cells under their ids and counts, in a file that is newer than all that ran."""
    cells = [(LOAD, 1, "load"), (CLEAN, 2, "clean"), (last, count, "fit")]
    made = (
        EvidenceCell("code", text, execution_count=at, cell_id=name) for text, at, name in cells
    )
    return document(*made, at=9000)


RUN = (("load", LOAD), ("clean", CLEAN), ("fit", FIT))


def test_one_cell_that_ran_again_with_another_text_comes_back() -> None:
    """The file shows the number of the run before: it is an older state, whatever its time is."""
    rebuilt = rebuilt_of([counted_book()], [told_by_journal(*RUN, ("fit", DEEPER))])
    assert sources_of(rebuilt) == [LOAD, CLEAN, DEEPER]
    assert FIT in {each.source for each in rebuilt.alternatives}


@pytest.mark.parametrize(
    ("file", "ran"),
    [
        (counted_book(FIT, 4), [("fit", DEEPER)]),
        (counted_book(), [("tried", DEEPER)]),
        (counted_book(), [("", DEEPER)]),
        (counted_book(), [("fit", FIT)]),
    ],
    ids=["edited back", "another cell", "no journal", "same text"],
)
def test_a_cell_that_may_have_been_changed_back_is_left(
    file: FoundDocument, ran: list[tuple[str, str]]
) -> None:
    """Nothing proves that the file is an older state: it is left as it is."""
    rebuilt = rebuilt_of([file], [told_by_journal(*RUN, *ran)])
    assert sources_of(rebuilt) == [LOAD, CLEAN, FIT]


@pytest.mark.parametrize("lasting", [60, None], ids=["ended", "goes on"])
def test_a_later_run_from_the_top_shows_that_the_cell_was_changed_back(
    lasting: int | None,
) -> None:
    """Its numbers are those of the run before the change, and it is newer."""
    runs = [told_by_journal(*RUN, ("fit", DEEPER)), told_by_journal(*RUN, at=600, number=2)]
    assert sources_of(rebuilt_of([counted_book()], runs)) == [LOAD, CLEAN, FIT]
    later = told_by_journal(*RUN, ("next", NEXT), at=600, number=2)
    runs[1] = replace(later, ended_ns=None if lasting is None else later.ended_ns)
    assert DEEPER not in sources_of(rebuilt_of([counted_book()], runs))
