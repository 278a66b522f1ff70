"""Copies of databases that others are writing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from jupyter_rewind.errors import Full
from jupyter_rewind.recovery import copying
from jupyter_rewind.recovery.historyfiles import load
from tests.support.histories import make_history
from tests.support.traces import Home


@pytest.mark.parametrize("suffix", copying.COMPANIONS)
def test_a_journal_that_goes_while_it_is_looked_at_costs_nothing(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner has committed: all is copied once more, and is of one moment."""
    database = tmp_path / "history.sqlite"
    with sqlite3.connect(database) as base:
        base.execute("CREATE TABLE said(what)")
        base.execute("INSERT INTO said VALUES('hello')")
    base.close()
    companion = Path(f"{database}{suffix}")
    companion.write_bytes(b"in the middle of something" * 40)
    looks = copying.is_regular

    def look(path: str | Path) -> bool:
        found = looks(path)
        if Path(path) == companion:
            companion.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(copying, "is_regular", look)
    copied = copying.copy_database(database, tmp_path / "scratch")
    assert copied.steady
    base = sqlite3.connect(copied.path)
    assert base.execute("SELECT what FROM said").fetchall() == [("hello",)]
    base.close()


@pytest.mark.parametrize("room", [100 << 10, 40 << 20])
def test_a_small_database_fits_where_little_room_is_left(
    tmp_path: Path, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk with a few kilobytes left has room for the history of a week."""
    monkeypatch.setattr(copying, "free_bytes", lambda _: room)
    path = tmp_path / "history.sqlite"
    make_history(path, [["x = 1"]])
    assert path.stat().st_size <= room // 2
    assert copying.copy_database(path, tmp_path / "scratch").steady


def test_a_history_without_room_for_its_copy_is_read_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a history that is larger than all that is free, what counts is copied alone."""
    monkeypatch.setattr(copying, "free_bytes", lambda _: 1 << 10)
    home = Home(tmp_path)
    path = tmp_path / "history.sqlite"
    make_history(path, [[f"value_{n} = {n}" for n in range(200)]])
    rows, problems = load(path, home.scope())
    assert rows is not None
    assert len(rows.lines) == 200
    assert problems == []
    path.write_bytes(path.read_bytes()[: 4096 * 2])
    with pytest.raises(Full):
        load(path, home.scope())
