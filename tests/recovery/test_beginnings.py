"""Notebooks that begin alike: whose session is whose, where no kernel's file is left."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_rewind.recovery.evidence import Evidence, FoundDocument, Trace
from jupyter_rewind.recovery.rebuild import Rebuilt, rebuild
from jupyter_rewind.recovery.recover import Recovery, recover
from tests.support.evidence import code, document, kernel, session, sources_of
from tests.support.histories import make_history
from tests.support.traces import Home, notebook_text

WEEKLY, COUNTS = Path("/home/ann/weekly.ipynb"), Path("/home/ann/counts.ipynb")
SETUP = ["import csv, json", "rows = list(csv.reader(open('rows.csv')))"]
LONGER = [*SETUP, "def mean(values):\n    return sum(values) / len(values)", "small = rows[:30]"]
LOST = ["by_day = group(rows, 'day')", "weekly = averages(by_day)", "best = max(weekly)"]
OTHER = ["total = summed(rows)", "counts = tally(rows, 'n')", "common = most(counts)"]


def saved(place: Path, kind: str, sources: Sequence[str], at: int) -> FoundDocument:
    """A document whose cells have the counts under which they ran."""
    cells = (replace(code(each), execution_count=n) for n, each in enumerate(sources, 1))
    return document(*cells, at=at, trace=Trace(kind, f"{place}.{kind}", str(place)))


def lost(begin: Sequence[str], ours: int, theirs: int, *, runs_on: bool = False) -> Rebuilt:
    """What comes back of weekly, of which a checkpoint has `begin` alone; its kernel began at
    `ours`, that of counts, which is there and whole, at `theirs`. `runs_on`: that one still runs.
    """
    runs = (
        session(1, [*begin, *LOST], at=ours, lasting=60),
        session(2, [*begin, *OTHER], at=theirs, lasting=None if runs_on else 60),
    )
    kernels = (kernel(COUNTS, at=theirs - 1),) if runs_on else ()
    beside = saved(COUNTS, "file", [*begin, *OTHER], theirs + 50)
    return rebuild(
        WEEKLY,
        Evidence(
            (saved(WEEKLY, "checkpoint", begin, ours + 10),),
            runs,
            kernels=kernels,
            siblings=(beside,),
        ),
    )


@pytest.mark.parametrize("runs_on", [True, False])
@pytest.mark.parametrize("begin", [SETUP, LONGER], ids=["two cells", "four cells"])
@pytest.mark.parametrize("theirs", [1000, 10], ids=["after it", "before it"])
def test_each_has_what_ran_in_its_own_session(
    begin: Sequence[str], theirs: int, runs_on: bool
) -> None:
    """The other one is there and shows its session whole; the lost one was saved in its own."""
    found = lost(begin, 1000 - theirs + 10, theirs, runs_on=runs_on)
    assert sources_of(found) == [*begin, *LOST]
    assert [each.run.session for each in found.sessions] == [1]


def test_what_was_saved_while_no_session_went_on_names_none() -> None:
    """Two imports that stand in a session say nothing, where the notebook was saved at another
    time."""
    document = saved(WEEKLY, "checkpoint", SETUP, 5000)
    runs = (session(1, [*SETUP, *LOST], at=10, lasting=60),)
    assert sources_of(rebuild(WEEKLY, Evidence((document,), runs))) == SETUP


def test_what_was_saved_while_two_such_sessions_went_on_names_none() -> None:
    """Both may be the notebook's: neither is taken."""
    document = saved(WEEKLY, "checkpoint", SETUP, 100)
    runs = tuple(session(n, [*SETUP, *more], at=n) for n, more in ((1, LOST), (2, OTHER)))
    assert sources_of(rebuild(WEEKLY, Evidence((document,), runs))) == SETUP


@pytest.mark.parametrize("beside", ["other.ipynb", "second/other.ipynb"])
@pytest.mark.parametrize("is_there", [True, False], ids=["its folder is there", "it is gone, too"])
def test_with_nothing_left_no_session_is_taken_that_a_notebook_around_shows(
    tmp_path: Path, beside: str, is_there: bool
) -> None:
    """The project's folder was emptied or removed: the newest session of all is that of a notebook
    in the folder above, or in the next one, so the one before it is the guess."""
    home = Home(tmp_path / "home")
    make_history(home.path / ".ipython/profile_default/history.sqlite", [LOST, OTHER])
    other = home.work / beside
    other.parent.mkdir(exist_ok=True)
    book = json.loads(notebook_text(*OTHER))
    for count, cell in enumerate(book["cells"], 1):
        cell["execution_count"] = count
    other.write_text(json.dumps(book))
    folder = home.work / "first"
    if is_there:
        folder.mkdir()
    scope = replace(home.scope(), notebook=folder / "exp.ipynb", folder=folder)
    found = recover(scope)
    assert isinstance(found, Recovery)
    assert sources_of(found.rebuilt) == LOST
