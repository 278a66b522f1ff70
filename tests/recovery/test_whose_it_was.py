"""Whose a session was: by when notebooks were saved, and by those in the folders around."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.attribution import Attribution
from jupyter_rewind.recovery.evidence import Evidence, FoundDocument, FoundKernel, Trace
from jupyter_rewind.recovery.rebuild import Rebuilt, rebuild
from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.sessions import list_sessions, place_all
from jupyter_rewind.recovery.survey import MISSING, WHOLE, survey
from tests.support.evidence import code, document, kernel, session, sources_of
from tests.support.histories import make_history
from tests.support.traces import Home, notebook_text

UNTITLED, WEEKLY = Path("/home/ann/Untitled.ipynb"), Path("/home/ann/weekly.ipynb")
COUNTS = Path("/home/ann/counts.ipynb")
SETUP = ["import csv, json", "rows = list(csv.reader(open('rows.csv')))"]
LOST = ["by_day = group(rows, 'day')", "weekly = averages(by_day)", "best = max(weekly)"]
OTHER = ["total = summed(rows)", "counts = tally(rows, 'n')", "common = most(counts)"]
LONG = [*SETUP, *LOST, "scaled = [each / best for each in weekly]", "plot(scaled)"]
COPIED = [*SETUP, LOST[0], "weekly = medians(by_day)", *LONG[4:], "tail = scaled[-5:]"]
EARLIER = "its earlier name, perhaps"


def saved(place: Path, sources: Sequence[str], at: int, kind: str = "file") -> FoundDocument:
    """A document whose cells have the counts under which they ran."""
    cells = (replace(code(each), execution_count=n) for n, each in enumerate(sources, 1))
    return document(*cells, at=at, trace=Trace(kind, f"{place}.{kind}", str(place)))


def gone(at: int) -> FoundKernel:
    """The file of a kernel that was started for Untitled.ipynb, which was renamed since."""
    return replace(kernel(UNTITLED, at=at), gone=True)


RUNS = tuple(
    session(number, [*SETUP, *more], at=at, lasting=None)
    for number, more, at in ((1, LOST, 10), (2, OTHER, 2000))
)
KERNELS = gone(9), gone(1999)


def of(target: Path, *documents: FoundDocument, runs: int = 2) -> Rebuilt:
    own = tuple(each for each in documents if each.trace.notebook == str(target))
    beside = tuple(each for each in documents if each.trace.notebook != str(target))
    return rebuild(target, Evidence(own, RUNS[:runs], kernels=KERNELS[:runs], siblings=beside))


def test_a_new_notebook_that_was_renamed_and_saved_early_keeps_what_ran_after_that() -> None:
    """Untitled became weekly, two cells of set-up were saved, and the kernel died later."""
    early = saved(WEEKLY, SETUP, 20)
    assert sources_of(of(WEEKLY, early, runs=1)) == [*SETUP, *LOST]
    [placed] = place_all(Attribution(Evidence((early,), RUNS[:1], kernels=KERNELS[:1])))
    assert placed.notebook == str(WEEKLY)


def test_two_such_notebooks_have_what_ran_in_the_session_in_which_each_was_saved() -> None:
    """The first was saved before the second one's session began, and both go on."""
    files = saved(WEEKLY, SETUP, 20), saved(COUNTS, SETUP, 2020)
    assert sources_of(of(WEEKLY, *files)) == [*SETUP, *LOST]
    assert sources_of(of(COUNTS, *files)) == [*SETUP, *OTHER]


def test_where_either_session_may_be_its_own_both_are_told() -> None:
    """Saved while both went on, and the other notebook is not there any more."""
    found = of(WEEKLY, saved(WEEKLY, SETUP, 3000))
    assert sources_of(found) == SETUP
    [told] = [each for each in found.next_steps if EARLIER in each]
    assert told.startswith("Sessions 1 and 2 were left out")


def test_a_copy_in_which_nothing_ran_takes_no_session() -> None:
    """It shows as much as the notebook that it was made of, which was saved first."""
    begin = [*SETUP, *OTHER[:1]]
    first, copy = saved(COUNTS, begin, 2020), saved(WEEKLY, begin, 2030)
    runs = (session(2, [*SETUP, *OTHER], at=2000),)
    found = rebuild(COUNTS, Evidence((first,), runs, siblings=(copy,)))
    assert sources_of(found) == [*SETUP, *OTHER]
    found = rebuild(WEEKLY, Evidence((copy,), runs, siblings=(first,)))
    assert sources_of(found) == begin
    assert any("Session 2 is more like /home/ann/counts.ipynb" in e for e in found.next_steps)
    [placed] = place_all(Attribution(Evidence((first, copy), runs)))
    assert placed.notebook == str(COUNTS)


@pytest.mark.parametrize("copy", ["weekly-Copy1.ipynb", "second.ipynb"])
def test_what_a_copy_shows_whole_is_not_laid_over_the_notebook(copy: str) -> None:
    """Whatever its name: the notebook's own session is known."""
    runs = session(1, LONG, at=10, lasting=60), session(2, COPIED, at=2000, lasting=60)
    beside = saved(WEEKLY.with_name(copy), COPIED, 2050)
    found = rebuild(WEEKLY, Evidence((saved(WEEKLY, LONG, 50),), runs, siblings=(beside,)))
    assert sources_of(found) == LONG
    assert any(f"Session 2 is more like /home/ann/{copy}" in each for each in found.next_steps)


def test_sessions_are_listed_with_the_notebook_that_shows_them_not_with_the_name() -> None:
    """weekly was deleted, and the new Untitled has an early checkpoint of the same set-up."""
    whole = [*SETUP, *LOST]
    documents = (
        saved(WEEKLY, whole, 100, "checkpoint"),
        saved(UNTITLED, [*SETUP, *OTHER], 3000),
        saved(UNTITLED, SETUP, 2010, "checkpoint"),
    )
    kernels = kernel(UNTITLED, at=9), kernel(UNTITLED, at=1999)
    placed = place_all(Attribution(Evidence(documents, RUNS, kernels=kernels)))
    assert [each.notebook for each in placed] == [str(WEEKLY), str(UNTITLED)]


def write(path: Path, sources: Sequence[str]) -> None:
    book = json.loads(notebook_text(*sources))
    for at, cell in enumerate(book["cells"], 1):
        cell["execution_count"] = at
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(book))


@pytest.mark.parametrize("beside", ["p2/analysis.ipynb", "p1/saved/other.ipynb", "other.ipynb"])
def test_a_notebook_in_a_folder_around_keeps_what_ran_in_it(tmp_path: Path, beside: str) -> None:
    """A template was copied to another folder and worked on there: the first one is whole, and
    nothing of the copy is mixed in."""
    home = Home(tmp_path / "home")
    write(home.work / "p1/analysis.ipynb", LONG)
    write(home.work / beside, COPIED)
    make_history(home.path / ".ipython/profile_default/history.sqlite", [LONG, COPIED])
    folder = home.work / "p1"
    found = recover(home.scope("p1/analysis.ipynb", folder=folder))
    assert isinstance(found, Recovery)
    assert sources_of(found.rebuilt) == LONG
    assert any(str(home.work / beside) in each for each in found.rebuilt.next_steps)
    scope = home.scope(None, folder=folder)
    standings = survey(scope, search.look(scope)).standings
    assert {each.state for each in standings} == {WHOLE}
    listed = {each.number: each.notebook for each in list_sessions(scope).sessions}
    assert listed[1] == str(home.work / "p1/analysis.ipynb") != listed[2]


def test_what_a_lost_copy_was_saved_in_is_not_laid_over_the_whole_notebook(tmp_path: Path) -> None:
    """A duplicate was worked on in its own kernel, and removed: its checkpoint says whose that was.
    A notebook that was saved there itself, as one that was renamed, keeps it."""
    home = Home(tmp_path / "home")
    copied = [*LONG, "model = fit(scaled)", "model.draw()"]
    book, kept = home.work / "weekly.ipynb", home.work / ".ipynb_checkpoints/model-checkpoint.ipynb"
    write(book, LONG)
    write(kept, LONG)
    make_history(home.path / ".ipython/profile_default/history.sqlite", [LONG, copied])
    starts = [each.started_ns for each in list_sessions(home.scope(None)).sessions]
    first, second = (each for each in starts if each is not None)
    for path, start in ((book, first), (kept, second)):
        os.utime(path, ns=(start + 10**9, start + 10**9))
    found = recover(home.scope("weekly.ipynb"))
    assert isinstance(found, Recovery)
    assert sources_of(found.rebuilt) == LONG
    lost = str(home.work / "model.ipynb")
    assert any(f"Session 2 is more like {lost}" in each for each in found.rebuilt.next_steps)
    scope = home.scope(None)
    assert [each.notebook for each in list_sessions(scope).sessions] == [str(book), lost]
    states = {str(e.notebook): e.state for e in survey(scope, search.look(scope)).standings}
    assert states == {str(book): WHOLE, lost: MISSING}
    os.utime(book, ns=(second + 2 * 10**9, second + 2 * 10**9))
    found = recover(home.scope("weekly.ipynb"))
    assert isinstance(found, Recovery)
    assert sources_of(found.rebuilt) == copied
