"""Kernels that began at one moment: code and counts tell whose session was whose."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.attribution import Attribution
from jupyter_rewind.recovery.evidence import Evidence, FoundDocument, FoundRun, Trace
from jupyter_rewind.recovery.rebuild import Rebuilt, rebuild
from jupyter_rewind.recovery.sessions import place_all
from jupyter_rewind.recovery.survey import survey
from jupyter_rewind.recovery.traces.history import HistoryFinder
from tests.support.evidence import TARGET, code, document, kernel, session, sources_of
from tests.support.histories import make_history
from tests.support.traces import Home, notebook_text, traces_of

OURS = [f"part_{n} = prepare(rows, step={n * 11})" for n in range(4)]
THEIRS = [f"wind_{n} = measure(stations, height={n * 7})" for n in range(4)]
SOUTH = "/home/ann/south.ipynb"
NEW, OTHER = "rest = part_3 - part_1", "gust = wind_3 - wind_1"


def counted(sources: list[str], place: str = str(TARGET)) -> FoundDocument:
    """A notebook that was run from its top and saved the day before."""
    cells = (replace(code(each), execution_count=at) for at, each in enumerate(sources, 1))
    return document(*cells, at=-9000, trace=Trace("file", place, place))


def crossed(first: list[str], second: list[str]) -> tuple[FoundRun, ...]:
    """Two sessions that began at one moment, in that order."""
    later = session(2, second, at=10)
    return session(1, first, at=10), replace(later, started_ns=(later.started_ns or 0) + 10**8)


def evidence(runs: tuple[FoundRun, ...], *documents: FoundDocument) -> Evidence:
    """Ours was started first, by its file; the sessions began a second later."""
    kernels = [kernel(TARGET, at=9), kernel(SOUTH, at=9)]
    kernels[1] = replace(kernels[1], started_ns=(kernels[1].started_ns or 0) + 10**8)
    own = [each for each in documents if each.trace.notebook == str(TARGET)]
    beside = [each for each in documents if each.trace.notebook != str(TARGET)]
    return Evidence(tuple(own), runs, kernels=tuple(kernels), siblings=tuple(beside))


def taken(rebuilt: Rebuilt) -> list[int]:
    return [each.run.session for each in rebuilt.sessions]


@pytest.mark.parametrize("swapped", [False, True])
def test_code_tells_kernels_apart_that_began_at_once(swapped: bool) -> None:
    """Whichever session came first: each notebook gets what was run in it, and nothing else."""
    runs = [[*OURS, NEW], [*THEIRS, OTHER]]
    found = evidence(
        crossed(*(runs[::-1] if swapped else runs)), counted(OURS), counted(THEIRS, SOUTH)
    )
    rebuilt = rebuild(TARGET, found)
    assert taken(rebuilt) == [2 if swapped else 1]
    assert [each.certain for each in rebuilt.sessions] == [True]
    assert sources_of(rebuilt) == [*OURS, NEW]
    assert not any("same moment" in each for each in rebuilt.next_steps)


def test_the_one_that_is_known_tells_the_other() -> None:
    """Ours was never saved; the other notebook's session is plain, so ours is the one left."""
    found = evidence(crossed([*THEIRS, OTHER], [NEW]), counted(THEIRS, SOUTH))
    rebuilt = rebuild(TARGET, found)
    assert (taken(rebuilt), sources_of(rebuilt)) == ([2], [NEW])
    assert [each.certain for each in rebuilt.sessions] == [True]


def test_what_nothing_tells_is_a_guess_and_says_so() -> None:
    """Two new notebooks: the order is taken, no cell is called likely, the other one is named."""
    rebuilt = rebuild(TARGET, evidence(crossed([NEW], [OTHER])))
    assert taken(rebuilt) == [1]
    assert not rebuilt.sessions[0].certain
    assert all(each.confidence <= 0.5 for each in rebuilt.cells)
    guess, left = (each for each in rebuilt.next_steps if "same moment" in each)
    assert guess.startswith("Session 1 was taken as a guess: the kernels of analysis.ipynb and")
    assert left.startswith("Session 2 was left out: ")
    assert left.endswith("jupyter rewind recover /home/ann/analysis.ipynb --session 2")
    assert OTHER in {each.source for each in rebuilt.alternatives}


def test_a_session_whose_kernel_left_no_file_may_be_the_others() -> None:
    """The other kernel was shut down, and its file went: either session may be ours."""
    found = evidence(crossed([NEW], [OTHER]))
    rebuilt = rebuild(TARGET, replace(found, kernels=found.kernels[:1]))
    assert not any(each.certain for each in rebuilt.sessions)
    assert any("analysis.ipynb and another one began" in e for e in rebuilt.next_steps)


def test_what_a_journal_names_is_open_no_more() -> None:
    """Rewind recorded the run in ours: the other session is not ours, whatever its moment."""
    first, second = crossed([NEW], [OTHER])
    runs = (replace(first, notebook=str(TARGET), certain=True), second)
    rebuilt = rebuild(TARGET, evidence(runs))
    assert [each.certain for each in rebuilt.sessions] == [True]
    assert not any("same moment" in each for each in rebuilt.next_steps)


def test_a_restart_at_once_is_no_other_kernel() -> None:
    """A kernel that was restarted two seconds after its start is still the notebook's own."""
    runs = (session(1, [NEW], at=10, lasting=1), session(2, [OTHER], at=11))
    rebuilt = rebuild(TARGET, Evidence(runs=runs, kernels=(kernel(TARGET, at=9),)))
    assert taken(rebuilt) == [1, 2]
    assert all(each.certain for each in rebuilt.sessions)


def test_sessions_list_is_no_surer_than_that() -> None:
    """`jupyter rewind sessions` gives no 100 % where two kernels began at once."""
    files = [counted([], str(TARGET)), counted([], SOUTH)]
    infos = place_all(Attribution(evidence(crossed([NEW], [OTHER]), *files)))
    assert [each.likelihood for each in infos] == [0.5, 0.5]
    assert all("same moment" in each.why for each in infos)


def test_folder_tells_of_work_whose_kernels_began_at_once(tmp_path: Path) -> None:
    """Nothing tells whose session is whose: recovering by name brings back the one that it takes,
    so that the folder's list does not call the notebook up to date."""
    home = Home(tmp_path / "home")
    history = home.path / ".ipython/profile_default/history.sqlite"
    make_history(history, [OURS, THEIRS])
    with closing(sqlite3.connect(history)) as database, database:
        database.execute("UPDATE sessions SET start = '2026-03-02 10:01:00.000000'")
    [trace] = traces_of(HistoryFinder(), home.scope(None))
    began = HistoryFinder().read(trace, home.scope(None)).runs[0].started_ns
    assert began is not None
    runtime = home.path / ".local/share/jupyter/runtime"
    runtime.mkdir(parents=True)
    for name in ("north", "south"):
        notebook = home.work / f"{name}.ipynb"
        notebook.write_text(notebook_text(f"import {name}"))
        connection = runtime / f"kernel-{name}.json"
        connection.write_text(json.dumps({"jupyter_session": str(notebook)}))
        os.utime(notebook, ns=(began - 10**12, began - 10**12))
        os.utime(connection, ns=(began - 10**9, began - 10**9))
    scope = home.scope(None)
    found = survey(scope, search.look(scope)).standings
    assert [each.state for each in found] == ["unsaved", "unsaved"]
    assert all("4 cells were run that the file does not hold" in each.words for each in found)
