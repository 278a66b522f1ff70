"""A document tells how far the session had come when it was saved."""

from __future__ import annotations

import pytest

from jupyter_rewind.recovery.evidence import EvidenceCell, Executed
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
