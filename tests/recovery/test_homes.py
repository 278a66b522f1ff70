"""How much of a session is at home among known code, and what asking of many notebooks costs."""

from __future__ import annotations

import gc
import itertools
import sys
from collections.abc import Callable
from pathlib import Path

from jupyter_rewind.recovery.attribution import Attribution
from jupyter_rewind.recovery.evidence import Evidence, EvidenceCell, FoundDocument, Trace
from jupyter_rewind.recovery.fit import Fit
from jupyter_rewind.recovery.homes import Away, Home, Words
from jupyter_rewind.recovery.sharedkernels import without_others
from tests.support.evidence import session

CODE = ["import csv", "table", "rows = list(csv.reader(open('a.csv')))", "print(len(rows))"]
MORE = ["import csv", "names = [row[0] for row in rows]", "names.sort()"]


def test_session_is_at_home_where_all_of_its_code_is() -> None:
    """All of a session's code is all of it, in whatever order it is weighed."""
    runs = [session(1, [f"value_{at} = {at} ** {other}" for at in range(40)]) for other in range(9)]
    words = Words(runs)
    for number, run in enumerate(runs):
        for code in (run.executions, run.executions[::-1]):
            home = Home(words, {each.source for each in code})
            assert home.share(number) == 1


def test_session_is_more_at_home_once_a_like_one_is_known() -> None:
    """What a known session ran counts as the notebook's, but for what only looked."""
    words = Words([session(1, CODE), session(2, MORE, at=900)])
    home = Home(words, {CODE[0]})
    before = home.share(1)
    home.add(0)
    assert home.share(1) > before
    assert CODE[2] in home.sources
    assert "table" not in home.sources


def test_what_others_ran_is_what_they_all_ran_together() -> None:
    """Looked up piece by piece it is the same as collected, whoever the others are."""
    runs = [session(at, code) for at, code in enumerate([CODE, MORE, CODE[:2], [*MORE, *CODE]])]
    words = Words(runs)
    for size in range(len(runs)):
        for others in itertools.combinations(range(len(runs)), size):
            collected = Home(words, set())
            for other in others:
                collected.add(other)
            away = Away(words, set(others))
            for number in set(range(len(runs))) - set(others):
                assert away.share(number) == collected.share(number)


def calls_in(work: Callable[[], None]) -> int:
    """How many functions of Python were called."""
    calls = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


def alike(many: int, common: int) -> tuple[list[FoundDocument], Attribution]:
    """As many notebooks, each with a session, that begin with the same cells."""
    begin = ["import numpy as np", "import pandas as pd", "plt.rc('figure', dpi=72)"][:common]
    books = [
        [*begin, *(f"part_{book}_{at} = load({book}, {at})" for at in range(8))]
        for book in range(many)
    ]
    documents = []
    for at, code in enumerate(books):
        place = f"/home/ann/book{at}.ipynb"
        kept = [*enumerate(code[: common + 1 + at % 7], 1)]
        cells = tuple(EvidenceCell("code", source, execution_count=n) for n, source in kept)
        documents.append(FoundDocument(Trace("file", place, place), cells))
    runs = [session(at, code, at=at * 1000) for at, code in enumerate(books, 1)]
    return documents, Attribution(Evidence(tuple(documents), tuple(runs)))


def work_for_each_session(many: int, common: int) -> float:
    """What telling the sessions of as many notebooks takes, for each notebook and session."""
    documents, everything = alike(many, common)

    def tell() -> None:
        for each in documents[:4]:
            own = {cell.source for cell in each.cells}
            everything.of(Path(each.trace.place), own)

    tell()  # what is made once is made now
    return calls_in(tell) / (4 * many)


def test_a_session_is_not_compared_with_every_notebook_for_each_notebook() -> None:
    """What one more session costs does not grow with how many notebooks there are."""
    assert work_for_each_session(96, common=0) < 1.5 * work_for_each_session(12, common=0)


def test_notebooks_that_begin_alike_cost_no_more() -> None:
    """Cells that all have in common make no session one to be compared with all."""
    assert work_for_each_session(96, common=3) < 1.5 * work_for_each_session(12, common=3)


def test_notebooks_that_begin_alike_are_held_once() -> None:
    """What is kept of how sessions fit notebooks does not grow with the one times the other."""
    many = 30
    documents, everything = alike(many, common=3)
    before = {id(each) for each in fits_held()}
    everything.of(Path(documents[0].trace.place), ())
    assert 0 < sum(id(each) not in before for each in fits_held()) < 8 * many


def fits_held() -> list[Fit]:
    gc.collect()
    return [each for each in gc.get_objects() if isinstance(each, Fit)]


def work_for_shared_kernels(many: int) -> int:
    """What telling what others ran on one notebook's kernel takes, beside as many that begin so."""
    documents, everything = alike(many, common=3)
    place = Path(documents[6].trace.place)
    split = everything.split(place, {cell.source for cell in documents[6].cells})
    assert split.own
    without_others(everything, place, split)  # what is made once is made now

    def tell() -> None:
        without_others(everything, place, split)

    return calls_in(tell)


def test_notebooks_that_begin_alike_are_not_asked_what_they_ran_on_a_kernel() -> None:
    """Who shows nothing of a session but an import that all begin with has run nothing in it."""
    assert work_for_shared_kernels(96) < 1.5 * work_for_shared_kernels(12)


def test_what_notebooks_that_begin_alike_show_of_each_other_is_not_held() -> None:
    """What is kept of that does not grow with notebooks times sessions."""
    many = 30
    documents, everything = alike(many, common=3)
    place = Path(documents[6].trace.place)
    before = {id(each) for each in sets_held()}
    without_others(everything, place, everything.split(place, ()))
    assert sum(id(each) not in before for each in sets_held()) < 12 * many


def sets_held() -> list[object]:
    gc.collect()
    return [each for each in gc.get_objects() if type(each) is set]
