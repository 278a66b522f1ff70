"""A notebook that was brought back is brought back again: the first result changes nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind import clock
from jupyter_rewind.recovery.recover import Recovery, recover, write
from jupyter_rewind.recovery.traces.history import HistoryFinder
from tests.support.evidence import sources_of
from tests.support.histories import make_history
from tests.support.traces import Home, notebook_text, traces_of

SECOND = 1_000_000_000
OLD = ["rows = open('orders.csv').readlines()", "totals = [int(row) for row in rows]"]
MORE = ["squares = [each * each for each in totals]", "print('sum', sum(squares))"]
LATER = [
    "best = max(squares)",
    "worst = min(squares)",
    "print('range of all squares', best - worst)",
    "open('range.txt', 'w').write(str(best - worst))",
]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """The notebook is deleted; its checkpoint, its kernel's file and what was run are left."""
    made = Home(tmp_path / "home")
    history = made.path / ".ipython/profile_default/history.sqlite"
    make_history(history, [[*OLD, *MORE], [*OLD, *MORE, *LATER]])
    [trace] = traces_of(HistoryFinder(), made.scope())
    started = HistoryFinder().read(trace, made.scope()).runs[0].started_ns
    assert started is not None
    connection = made.path / ".local/share/jupyter/runtime/kernel-1.json"
    connection.parent.mkdir(parents=True)
    connection.write_text(json.dumps({"jupyter_session": str(made.work / "analysis.ipynb")}))
    os.utime(connection, ns=(started - SECOND, started - SECOND))
    checkpoint = made.work / ".ipynb_checkpoints/analysis-checkpoint.ipynb"
    checkpoint.parent.mkdir()
    checkpoint.write_text(numbered(notebook_text(*OLD)))
    os.utime(checkpoint, ns=(started + 60 * SECOND, started + 60 * SECOND))
    return made


def numbered(text: str, more: Sequence[str] = ()) -> str:
    """The notebook whose cells, and these besides, ran in their order."""
    book = json.loads(text)
    book["cells"] += json.loads(notebook_text(*more))["cells"]
    for count, cell in enumerate(book["cells"], 1):
        cell["execution_count"] = count
    return json.dumps(book)


def brought_back(home: Home, sessions: tuple[int, ...] = ()) -> Recovery:
    found = recover(home.scope(sessions=sessions))
    assert isinstance(found, Recovery)
    return found


@pytest.mark.parametrize("name", ["rescued.ipynb", "analysis.recovered.ipynb"])
def test_what_was_brought_back_under_another_name_takes_no_session_from_the_notebook(
    home: Home, name: str
) -> None:
    """Whoever runs the command twice gets the same, wherever the first result was written."""
    first = brought_back(home, (1,))
    write(first, home.work / name)
    history = home.path / ".ipython/profile_default/history.sqlite"
    history.unlink()
    make_history(history, [[*OLD, *MORE]])
    again = brought_back(home)
    assert sources_of(again.rebuilt) == [*OLD, *MORE]


def test_what_was_brought_back_keeps_what_was_worked_on_in_it(home: Home) -> None:
    """Cells that were added to the result, and ran there since, are its own."""
    rescued = written_after_the_first_session(home, "rescued.ipynb")
    rescued.write_text(numbered(rescued.read_text(), LATER))
    again = brought_back(home)
    assert sources_of(again.rebuilt) == [*OLD, *MORE]


def test_a_result_whose_cells_were_changed_is_a_notebook_of_its_own(home: Home) -> None:
    """What ran in it since is its own, and not the lost notebook's newest."""
    rescued = written_after_the_first_session(home, "whatif.ipynb")
    other = [OLD[0], "totals = [int(row) * 3 for row in rows if row]"]
    other += ["squares = [each ** 3 for each in totals]", MORE[1]]
    book = json.loads(rescued.read_text())
    for cell, source in zip(book["cells"], other, strict=True):
        cell["source"] = [source]
    rescued.write_text(numbered(json.dumps(book)))
    history = home.path / ".ipython/profile_default/history.sqlite"
    history.unlink()
    make_history(history, [[*OLD, *MORE], other])
    again = brought_back(home)
    assert sources_of(again.rebuilt) == [*OLD, *MORE]


def written_after_the_first_session(home: Home, name: str) -> Path:
    """What the first session gives, as it was written a minute after that began."""
    [trace] = traces_of(HistoryFinder(), home.scope())
    started_ns = HistoryFinder().read(trace, home.scope()).runs[0].started_ns
    assert started_ns is not None
    with clock.use(clock.FakeClock(started_ns + 60 * SECOND)):
        return write(brought_back(home, (1,)), home.work / name)


CHANGES: dict[str, Callable[[list[dict[str, Any]]], None]] = {
    "edited": lambda cells: cells[0].update(source=["rows = open('orders2.csv').readlines()"]),
    "commented": lambda cells: cells[-1]["source"].append("  # checked"),
    "run anew": lambda cells: [each.update(execution_count=at) for at, each in enumerate(cells, 7)],
    "a cell deleted": lambda cells: cells.pop(1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("left", [True, False], ids=["a checkpoint is left", "nothing is left"])
def test_a_result_that_was_worked_on_takes_no_session_from_before_it(
    home: Home, change: Callable[[list[dict[str, Any]]], None], left: bool
) -> None:
    """What ran before you brought a notebook back stays the notebook's, whatever you did since
    with the result."""
    lost_again(home, left, [[*OLD, *MORE]])
    rescued = write(brought_back(home), home.work / "rescued.ipynb")
    book = json.loads(rescued.read_text())
    change(book["cells"])
    rescued.write_text(json.dumps(book))
    assert sources_of(brought_back(home).rebuilt) == [*OLD, *MORE]


@pytest.mark.parametrize("left", [True, False], ids=["a checkpoint is left", "nothing is left"])
def test_a_result_that_was_run_from_top_to_bottom_keeps_that_run_and_no_other(
    home: Home, left: bool
) -> None:
    """Who runs the result once more has two sessions of the same cells: each keeps its own."""
    sessions = [[*OLD, *MORE], [*OLD, *MORE]]
    history = lost_again(home, left, sessions[:1])
    rescued = written_after_the_first_session(home, "rescued.ipynb")
    rescued.write_text(numbered(rescued.read_text()))
    history.unlink()
    make_history(history, sessions)
    again = brought_back(home).rebuilt
    assert sources_of(again) == [*OLD, *MORE]
    assert [each.run.session for each in again.sessions] == [1]


@pytest.mark.parametrize("name", ["rescued.ipynb", "analysis.recovered.ipynb"])
def test_the_kernel_of_a_result_takes_no_session_from_the_notebook(home: Home, name: str) -> None:
    """The result's kernel runs, or its file was left when it was killed: what it ran is what the
    notebook ran, and says nothing of whose the session before it was."""
    history = lost_again(home, True, [[*OLD, *MORE]])
    result = written_after_the_first_session(home, name)
    result.write_text(numbered(result.read_text()))
    history.unlink()
    make_history(history, [[*OLD, *MORE], [*OLD, *MORE]])
    [trace] = traces_of(HistoryFinder(), home.scope())
    started_ns = HistoryFinder().read(trace, home.scope()).runs[1].started_ns
    assert started_ns is not None
    connection = home.path / ".local/share/jupyter/runtime/kernel-2.json"
    connection.write_text(json.dumps({"jupyter_session": str(result)}))
    os.utime(connection, ns=(started_ns - SECOND, started_ns - SECOND))
    again = brought_back(home).rebuilt
    assert sources_of(again) == [*OLD, *MORE]
    assert [each.run.session for each in again.sessions] == [1]


def test_a_copy_of_a_result_takes_no_session_from_the_result(home: Home) -> None:
    """The result has the notebook's name again and was worked on: a duplicate of it says, as it
    does, when they were brought back, and is no result of its own."""
    history = lost_again(home, True, [[*OLD, *MORE]])
    notebook = written_after_the_first_session(home, "analysis.ipynb")
    notebook.write_text(numbered(notebook.read_text()))
    (home.work / "analysis-Copy1.ipynb").write_text(notebook.read_text())
    history.unlink()
    make_history(history, [[*OLD, *MORE], [*OLD, *MORE, *LATER]])
    assert sources_of(brought_back(home).rebuilt) == [*OLD, *MORE, *LATER]


def lost_again(home: Home, left: bool, sessions: Sequence[Sequence[str]]) -> Path:
    """The history of these `sessions`, no kernel's file, and no checkpoint unless one is `left`."""
    (home.path / ".local/share/jupyter/runtime/kernel-1.json").unlink()
    if not left:
        (home.work / ".ipynb_checkpoints/analysis-checkpoint.ipynb").unlink()
    history = home.path / ".ipython/profile_default/history.sqlite"
    history.unlink()
    make_history(history, sessions)
    return history
