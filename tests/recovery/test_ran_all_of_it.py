"""Sessions that ran all of a notebook, and then so much more that it is little of what they ran."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_rewind.recovery.evidence import Evidence, FoundDocument, FoundRun, Trace
from jupyter_rewind.recovery.rebuild import Rebuilt, rebuild
from tests.support.evidence import code, document, session, sources_of

SALES, OTHER = Path("/home/ann/sales.ipynb"), Path("/home/ann/other.ipynb")
DAY = 86_400
BOOK = [
    "import pandas as pd",
    "sales = pd.read_csv('sales.csv')",
    "sales['month'] = sales.date.dt.month",
    "def cleaned(rows):\n    return rows.dropna(subset=['amount'])",
    "per_month = cleaned(sales).groupby('month').amount.sum()",
    "per_month.head()",
]
MORE = [f"model_{n} = fitted(order={n})\nscores[{n}] = judged(model_{n}, {n})" for n in range(60)]


def saved(place: Path, sources: Sequence[str], at: int = 0, kind: str = "file") -> FoundDocument:
    cells = (replace(code(each), execution_count=n) for n, each in enumerate(sources, 1))
    return document(*cells, at=at, trace=Trace(kind, f"{place}.{at}", str(place)))


def of(book: Sequence[str], *runs: FoundRun, beside: Sequence[FoundDocument] = ()) -> Rebuilt:
    evidence = Evidence((saved(SALES, book),), runs, siblings=tuple(beside))
    return rebuild(SALES, evidence)


def yesterday(book: Sequence[str]) -> FoundRun:
    """The session in which it was saved."""
    return session(1, book, at=-1000, lasting=900)


def today(ran: Sequence[str], number: int = 2, at: int = DAY) -> FoundRun:
    return session(number, ran, at=at, lasting=None)


def test_a_long_day_after_all_cells_of_a_notebook_ran_is_that_notebooks() -> None:
    """The longest day is not the one that is left out."""
    found = of(BOOK, yesterday(BOOK), today([*BOOK, *MORE]))
    assert sources_of(found) == [*BOOK, *MORE]
    assert not any("whose it is" in each for each in found.next_steps)


def test_a_cell_of_five_that_was_not_run_again_changes_nothing() -> None:
    """Who goes on leaves out what need not run."""
    book = [*BOOK, "show(per_month)\nshow(sales)", "top = per_month.nlargest(3)"]
    again = [each for each in book if not each.startswith("show")]
    assert sources_of(of(book, yesterday(book), today([*again, *MORE])))[-60:] == MORE


@pytest.mark.parametrize("versions", [1, 5])
def test_what_earlier_versions_had_need_not_run(versions: int) -> None:
    """All cells of the newest ran, whatever they were in checkpoints and commits."""
    old = [
        saved(SALES, [f"{each}  # {n}" for each in BOOK], -n * DAY, "git")
        for n in range(1, versions + 1)
    ]
    runs = yesterday(BOOK), today([*BOOK, *MORE])
    found = rebuild(SALES, Evidence((saved(SALES, BOOK), *old), runs))
    assert sources_of(found) == [*BOOK, *MORE]


def test_all_of_a_version_of_few_cells_is_not_all_of_the_notebook() -> None:
    """Its first commit was the set-up that other notebooks have."""
    first = saved(SALES, BOOK[:4], -9 * DAY, "git")
    book = [*BOOK, *(f"top_{n} = per_month.nlargest({n})" for n in range(6))]
    runs = yesterday(book), today([*BOOK[:4], *MORE])
    found = rebuild(SALES, Evidence((saved(SALES, book), first), runs))
    assert sources_of(found) == book


@pytest.mark.parametrize("ran", [BOOK[:2], [*BOOK[:3], *MORE[:3]]])
def test_a_session_that_ran_a_part_of_a_notebook_and_much_besides_is_told(
    ran: list[str],
) -> None:
    """Many notebooks begin alike."""
    book = [*BOOK, "top = per_month.nlargest(3)", "top.to_csv('top.csv', index=False)"]
    found = of(book, yesterday(book), today([*ran, *MORE]))
    assert sources_of(found) == book


def test_a_notebook_of_few_cells_takes_no_long_session_that_ran_them() -> None:
    """Two cells of set-up are no reason."""
    found = of(BOOK[:2], yesterday(BOOK[:2]), today([*BOOK[:2], *MORE]))
    assert sources_of(found) == BOOK[:2]


def test_a_kernel_beside_that_of_the_notebook_is_not_its_own() -> None:
    """It has one at a time."""
    long = replace(yesterday(BOOK), ended_ns=(today([]).started_ns or 0) + 10**12)
    found = of(BOOK, long, today([*BOOK, *MORE]))
    assert sources_of(found) == BOOK


def test_it_is_another_notebooks_that_shows_more_of_it() -> None:
    """It began with all of the first one, and was saved."""
    beside = saved(OTHER, [*BOOK, *MORE[:30]])
    found = of(BOOK, yesterday(BOOK), today([*BOOK, *MORE]), beside=[beside])
    assert sources_of(found) == BOOK


def test_a_session_of_imports_and_sums_is_surely_nobodys() -> None:
    """A shell that was open for a minute: many notebooks import the same."""
    shell = session(2, ["import pandas as pd", "1 + 1"], at=40_000, lasting=60)
    found = of(BOOK, yesterday(BOOK), shell)
    assert all(each.share < 0.6 for each in found.sessions if each.run.session == 2)
