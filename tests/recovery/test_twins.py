"""Notebooks that are nearly the same: whose a session is, those cells say that only one has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_rewind.recovery.evidence import Evidence, FoundDocument, FoundRun, Trace
from jupyter_rewind.recovery.rebuild import Rebuilt, rebuild
from tests.support.evidence import code, document, session, sources_of

DAY = 86_400
SHARED = [
    "import pandas as pd",
    "sales = pd.read_csv('sales.csv')",
    "sales = sales.rename(columns={'a': 'amount', 'p': 'price'})",
    "sales['month'] = sales.date.dt.month",
    "rows = cleaned(sales)",
    "by_month = rows.groupby('month')",
    "top = wanted.nlargest(3)",
    "top.to_csv('top.csv', index=False)",
]


def variant(what: str) -> list[str]:
    own = [f"wanted = by_month['{what}'].sum()", f"show(wanted, title='Total {what} of a month')"]
    return [*SHARED[:6], *own, *SHARED[6:]]


AMOUNTS, PRICES = variant("amount"), variant("price")
NEW = {
    "amounts": ["model = fitted(wanted)", "residuals = wanted - model.predict()"],
    "prices": ["index = prices / prices.iloc[0]", "plot_lines(index, log=True)"],
}
BOOKS = {"amounts": AMOUNTS, "prices": PRICES}


def saved(name: str, sources: Sequence[str], at: int = 0, kind: str = "file") -> FoundDocument:
    place = f"/home/ann/{name}.ipynb"
    cells = (replace(code(each), execution_count=n) for n, each in enumerate(sources, 1))
    return document(*cells, at=at, trace=Trace(kind, f"{place}.{kind}", place))


def days() -> tuple[FoundRun, ...]:
    """Both were run and saved yesterday, and worked on today."""
    return (
        session(1, AMOUNTS, at=-9000, lasting=900),
        session(2, PRICES, at=-5000, lasting=900),
        session(3, [*AMOUNTS, *NEW["amounts"]], at=DAY, lasting=900),
        session(4, [*PRICES, *NEW["prices"]], at=DAY + 4000, lasting=None),
    )


def of(name: str, *documents: FoundDocument, runs: Sequence[FoundRun]) -> Rebuilt:
    target = Path(f"/home/ann/{name}.ipynb")
    own = tuple(each for each in documents if each.trace.notebook == str(target))
    beside = tuple(each for each in documents if each.trace.notebook != str(target))
    return rebuild(target, Evidence(own, tuple(runs), siblings=beside))


@pytest.mark.parametrize("lost", ["", "amounts", "prices"])
@pytest.mark.parametrize("name", ["amounts", "prices"])
def test_each_has_what_ran_in_its_own_sessions(name: str, lost: str) -> None:
    """Also where one is not there any more, and only its checkpoint is."""
    files = [
        saved(each, book, -4000 if each == "prices" else -8000,
              "checkpoint" if each == lost else "file")
        for each, book in BOOKS.items()
    ]  # fmt: skip
    found = of(name, *files, runs=days())
    assert sources_of(found) == [*BOOKS[name], *NEW[name]]
    theirs = {"amounts": (2, 4), "prices": (1, 3)}[name]
    assert [each for each in found.next_steps if "is more like" in each] == [
        each for n in theirs for each in found.next_steps if each.startswith(f"Session {n} ")
    ]


def test_copies_that_differ_in_one_cell_have_each_their_own_sessions() -> None:
    """One was made of the other for the next month; both were run and saved."""
    march = [each.replace("sales.csv", "march.csv") for each in AMOUNTS]
    files = saved("february", AMOUNTS, -8000), saved("march", march, -4000)
    runs = (
        session(1, AMOUNTS, at=-9000, lasting=900),
        session(2, march, at=-5000, lasting=900),
        session(3, [*march, *NEW["amounts"]], at=DAY, lasting=None),
    )
    assert sources_of(of("march", *files, runs=runs)) == [*march, *NEW["amounts"]]
    assert sources_of(of("february", *files, runs=runs)) == AMOUNTS


def test_one_cell_is_not_enough_where_nothing_else_is_known_of_the_notebook() -> None:
    """It was edited there, and the copy may be newer."""
    copy = [each.replace("sales.csv", "march.csv") for each in AMOUNTS]
    files = saved("february", AMOUNTS, -8000), saved("march", copy, -4000)
    run = session(1, [*copy, *NEW["amounts"]], at=-9000, lasting=None)
    found = of("february", *files, runs=[run])
    assert sources_of(found)[-2:] == NEW["amounts"]
    assert any("march.ipynb" in each for each in found.next_steps)


def test_a_session_that_ran_cells_of_both_is_not_told_apart_by_them() -> None:
    """The numbers tell: it ran all of the one, then two cells of the other."""
    files = [saved(each, book) for each, book in BOOKS.items()]
    both = session(1, [*AMOUNTS, *PRICES[6:8], "best = wanted.max()"], at=DAY, lasting=None)
    assert "best = wanted.max()" in sources_of(of("amounts", *files, runs=[both]))


def test_an_earlier_state_of_a_notebook_does_not_lose_its_session_to_a_copy() -> None:
    """All that the copy has more was run later; nothing that only the notebook has was left out."""
    early = saved("amounts", AMOUNTS[:6], -8000)
    copy = saved("amounts-backup", AMOUNTS, -7000)
    run = session(1, [*AMOUNTS, *NEW["amounts"]], at=-9000, lasting=None)
    found = of("amounts", early, copy, runs=[run])
    assert sources_of(found)[-2:] == NEW["amounts"]
