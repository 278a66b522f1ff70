"""Databases as IPython makes them: its own tables, filled by the test."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

SCHEMA = """
CREATE TABLE sessions (session integer primary key autoincrement, start timestamp,
    end timestamp, num_cmds integer, remark text);
CREATE TABLE history (session integer, line integer, source text, source_raw text,
    PRIMARY KEY (session, line));
CREATE TABLE output_history (session integer, line integer, output text,
    PRIMARY KEY (session, line));
"""


def make_history(
    path: Path, sessions: Iterable[Sequence[str]], *, page_size: int = 4096, run: bool = True
) -> dict[tuple[int, int], str]:
    """A history in which each session ran these cells; returns them by session and line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wanted: dict[tuple[int, int], str] = {}
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"PRAGMA page_size = {page_size}")
        database.executescript(SCHEMA)
        for number, cells in enumerate(sessions, 1):
            start = f"2026-03-{1 + number % 28:02} 10:{number % 60:02}:00.000000"
            database.execute("INSERT INTO sessions VALUES (NULL, ?, NULL, NULL, '')", (start,))
            for line, cell in enumerate(cells, 1):
                source = cell.rstrip("\n")
                transformed = source if run else f"get_ipython().run({source!r})"
                database.execute(
                    "INSERT INTO history VALUES (?, ?, ?, ?)", (number, line, transformed, source)
                )
                wanted[number, line] = source
    return wanted
