"""Histories too large to be read whole: what is read of them, and that it is right."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from jupyter_rewind.recovery import historyfiles, largehistories, selection
from jupyter_rewind.recovery.evidence import Hints
from jupyter_rewind.recovery.histories import Line, Rows
from jupyter_rewind.recovery.historyfiles import load
from jupyter_rewind.recovery.largehistories import read_large, survey_large
from tests.support.histories import make_history
from tests.support.traces import Home

COUNT = 400


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture(params=[1024, 4096])
def large(
    home: Home, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> tuple[Path, dict[Line, str]]:
    """A history of 400 sessions that counts as large, a few cells of many pages among them."""
    monkeypatch.setattr(historyfiles, "LARGE_BYTES", 1 << 16)
    monkeypatch.setattr(selection, "BUDGET_BYTES", 1 << 20)
    monkeypatch.setattr(selection, "NEWEST_BYTES", 1 << 18)
    chance = random.Random(5)
    cells = [
        [
            f"# {session}.{line}\n" + "value = compute(here)\n" * chance.choice([1, 3, 9, 600])
            for line in range(chance.randrange(1, 14))
        ]
        for session in range(COUNT)
    ]
    path = home.path / "history.sqlite"
    return path, make_history(path, cells, page_size=request.param)


def whole(wanted: dict[Line, str], session: int) -> dict[Line, str]:
    return {at: source for at, source in wanted.items() if at[0] == session}


def given(rows: Rows, session: int) -> dict[Line, str]:
    return {at: source for at, source in rows.lines.items() if at[0] == session}


def test_sessions_that_ran_the_notebooks_cells_are_read(
    home: Home, large: tuple[Path, dict[Line, str]]
) -> None:
    """However old a session is: that it ran a cell of your notebook brings it back whole."""
    path, wanted = large
    hints = Hints(sources=frozenset({wanted[17, 1], wanted[203, 1], "never = run"}))
    rows, _ = load(path, home.scope(hints=hints))
    assert rows is not None
    assert given(rows, 17) == whole(wanted, 17)
    assert given(rows, 203) == whole(wanted, 203)
    assert given(rows, COUNT) == whole(wanted, COUNT)
    assert rows.lines.items() <= wanted.items()
    assert len({session for session, _ in rows.lines}) < COUNT
    assert "--session" in rows.damages[0]


def test_session_that_began_with_a_kernel_of_the_notebook_is_read(
    home: Home, large: tuple[Path, dict[Line, str]]
) -> None:
    """A connection file's moment picks its session out of hundreds."""
    path, wanted = large
    survey = survey_large(path, home.scope())
    assert survey is not None
    started = survey.sessions[31].started_ns
    assert started is not None
    same = {n for n, one in survey.sessions.items() if one.started_ns == started}
    rows, _ = load(path, home.scope(hints=Hints(windows=((started - 1, started + 1),))))
    assert rows is not None
    for session in same:
        assert given(rows, session) == whole(wanted, session)


def test_session_asked_for_by_number_is_read(
    home: Home, large: tuple[Path, dict[Line, str]]
) -> None:
    """--session reaches any session, however large the history is."""
    path, wanted = large
    rows, _ = load(path, home.scope(sessions=(5, 6)))
    assert rows is not None
    assert rows.lines == {**whole(wanted, 5), **whole(wanted, 6)}
    assert not rows.damages


def test_nothing_known_gives_the_newest(home: Home, large: tuple[Path, dict[Line, str]]) -> None:
    """With no document left, the newest sessions are read, and it is said what was not."""
    path, wanted = large
    rows, _ = load(path, home.scope())
    assert rows is not None
    sessions = {session for session, _ in rows.lines}
    assert sessions == set(range(min(sessions), COUNT + 1))
    assert rows.lines.items() <= wanted.items()
    assert rows.damages


def test_survey_counts_what_each_session_ran(
    home: Home, large: tuple[Path, dict[Line, str]]
) -> None:
    """Sessions are listed with their number of executions, no code read."""
    path, wanted = large
    survey = survey_large(path, home.scope())
    assert survey is not None
    for session, tally in survey.tallies.items():
        assert tally.executions == len(whole(wanted, session))


def test_only_what_is_needed_takes_room(home: Home, large: tuple[Path, dict[Line, str]]) -> None:
    """Of a large file only some pages are copied; the rest of the copy is a hole."""
    path, _ = large
    load(path, home.scope(sessions=(5,)))
    [copy] = (home.path / "scratch").rglob("sparse.sqlite")
    assert copy.stat().st_size == path.stat().st_size
    assert copy.stat().st_blocks * 512 < path.stat().st_size / 4


def test_damaged_large_history_is_read_page_by_page(
    home: Home, large: tuple[Path, dict[Line, str]]
) -> None:
    """Damage in a large file costs what lies on its pages, not the whole."""
    path, wanted = large
    raw = bytearray(path.read_bytes())
    raw[100:4096] = bytes(3996)
    path.write_bytes(raw)
    rows, _ = load(path, home.scope())
    assert rows is not None
    assert rows.lines.items() <= wanted.items()
    assert len(rows.lines) > 0.9 * len(wanted)
    assert "damaged" in rows.damages[0]


def test_write_ahead_log_of_a_large_history_is_read(
    home: Home, large: tuple[Path, dict[Line, str]]
) -> None:
    """A log beside a large file is not forgotten: then the file is read whole."""
    path, _ = large
    writer = sqlite3.connect(path)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("INSERT INTO history VALUES (5, 99, 'late', 'late')")
    writer.commit()
    try:
        rows, _ = load(path, home.scope(sessions=(5,)))
        assert rows is not None
        assert rows.lines[5, 99] == "late"
    finally:
        writer.close()


CHANGE = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("PRAGMA cache_size = 1")
for line in range(100, 140):
    source = f"late_{line} = " + "1 + " * 300 + "1"
    database.execute("INSERT INTO history VALUES (400, ?, ?, ?)", (line, source, source))
print("ready", flush=True)
sys.stdin.read()
"""


def test_hot_journal_of_a_large_history_is_rolled_back(
    home: Home, large: tuple[Path, dict[Line, str]]
) -> None:
    """A kernel killed while it wrote: the large file is read as it was before, at least."""
    path, wanted = large
    with subprocess.Popen(
        [sys.executable, "-c", CHANGE, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        child.send_signal(signal.SIGKILL)
    assert Path(f"{path}-journal").stat().st_size > 0
    before = path.read_bytes()
    rows = read_large(path, home.scope(sessions=(399, 400)))
    assert rows is not None
    assert given(rows, 399) == whole(wanted, 399)
    assert given(rows, 400).items() >= whole(wanted, 400).items()
    assert path.read_bytes() == before
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM history").fetchone()[0] == len(wanted)


def test_search_stops_where_it_was_told_to(
    home: Home, large: tuple[Path, dict[Line, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where only part was searched for the notebook's cells, the report says how much."""
    path, wanted = large
    monkeypatch.setattr(largehistories, "SEARCHED_BYTES", 1 << 16)
    rows, _ = load(path, home.scope(hints=Hints(sources=frozenset({wanted[1, 1]}))))
    assert rows is not None
    assert given(rows, 1) == {}
    assert "was searched" in rows.damages[0]
