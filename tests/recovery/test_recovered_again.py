"""A notebook that was brought back is brought back again: the first result changes nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

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
    rescued = write(brought_back(home, (1,)), home.work / "rescued.ipynb")
    rescued.write_text(numbered(rescued.read_text(), LATER))
    again = brought_back(home)
    assert sources_of(again.rebuilt) == [*OLD, *MORE]


def test_a_result_whose_cells_were_changed_is_a_notebook_of_its_own(home: Home) -> None:
    """What ran in it since is its own, and not the lost notebook's newest."""
    rescued = write(brought_back(home, (1,)), home.work / "whatif.ipynb")
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
