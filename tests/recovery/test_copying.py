"""Copies of databases that others are writing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from jupyter_rewind.recovery import copying


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
