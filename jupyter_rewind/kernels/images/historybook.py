"""IPython's history of the run in an image: it travels with the image, and is merged back.

The kernel has a database of its history open, which other kernels write as well. An image's copy of
it would take back what they wrote; so only sessions travel, and a restore adds those that the
database lacks. It overwrites and removes nothing.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from jupyter_rewind.kernels.images.openfiles import is_database, read_files
from jupyter_rewind.model.encoding import parse_json, to_json
from jupyter_rewind.model.entry import Json
from jupyter_rewind.store.durable import Files

BOOK = "ipython-history.json"
"""Beside CRIU's files in an image; CRIU does not read it."""
FORMAT = 1
_WAIT_SECONDS = 3
_DAY_NS = 86_400 * 10**9
_TABLES = (
    "CREATE TABLE IF NOT EXISTS sessions (session integer primary key autoincrement,"
    " start timestamp, end timestamp, num_cmds integer, remark text)",
    "CREATE TABLE IF NOT EXISTS history (session integer, line integer, source text,"
    " source_raw text, PRIMARY KEY (session, line))",
    "CREATE TABLE IF NOT EXISTS output_history (session integer, line integer, output text,"
    " PRIMARY KEY (session, line))",
)
_COLUMNS = {
    "sessions": ["session", "start", "end", "num_cmds", "remark"],
    "history": ["session", "line", "source", "source_raw"],
    "output_history": ["session", "line", "output"],
}
_LINES = {"history": 2, "output_history": 1}  # columns beside session and line
_COUNTER = slice(24, 28)  # of SQLite's first page: goes up with each change

Row = Sequence[Any]


def write_book(folder: Path, files: bytes, since_ns: int) -> None:
    """The sessions of each history database among the image's `files` that began after a day before
    `since_ns` are beside the image in `folder`; nothing where there is none. A database that does
    not read is left out: it stays where it is in any case. Raises Storage."""
    begin = datetime.fromtimestamp(max(0, since_ns - _DAY_NS) / 1e9).isoformat(" ")
    books: list[Json] = []
    for name in sorted({file.name for file in read_files(files)}):
        if is_database(name):
            with contextlib.suppress(sqlite3.Error, OSError):
                if is_history(name):
                    books.append(_read_book(name, begin))
    if books:
        Files().replace_file(folder / BOOK, to_json({"format": FORMAT, "books": books}), 0o600)


def merge_book(folder: Path) -> tuple[str, ...]:
    """Each database of the book in `folder` has the sessions that it lacked; it is made where there
    is none. The databases that could not be written, with the reason."""
    with contextlib.suppress(FileNotFoundError):
        told = parse_json((folder / BOOK).read_bytes())
        return tuple(_merge_all(told["books"]))
    return ()


def is_history(name: str) -> bool:
    """Whether this database is one of IPython's histories, whatever it is called: it has its very
    tables. Raises sqlite3.Error where it does not read."""
    with closing(sqlite3.connect(f"file:{name}?mode=ro", uri=True, timeout=_WAIT_SECONDS)) as base:
        return all(
            [row[1] for row in base.execute(f"PRAGMA table_info({table})")] == columns
            for table, columns in _COLUMNS.items()
        )


def _merge_all(books: Sequence[Any]) -> Iterator[str]:
    for book in books:
        try:
            _merge(book)
        except (sqlite3.Error, OSError) as error:
            yield f"{book['name']}: {error}"


def _read_book(name: str, begin: str) -> dict[str, Any]:
    with closing(sqlite3.connect(f"file:{name}?mode=ro", uri=True, timeout=_WAIT_SECONDS)) as base:
        sessions = base.execute(
            "SELECT session, start, end, num_cmds, remark FROM sessions WHERE start >= ?", [begin]
        ).fetchall()
        found: dict[str, Any] = {"name": name, "sessions": [list(each) for each in sessions]}
        for table in _LINES:
            found[table] = [
                list(line)
                for row in sessions
                for line in base.execute(f"SELECT * FROM {table} WHERE session = ?", [row[0]])
            ]
    return found | {"counter": _counter(name), "file": _identity(name)}


def _merge(book: dict[str, Any]) -> None:
    name = book["name"]
    if not os.path.exists(name):
        Files().make_folder(Path(name).parent)
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(name, timeout=_WAIT_SECONDS, isolation_level=None)) as base:
        is_other = _identity(name) != book["file"] and _counter(name) == book["counter"]
        if not is_other and not _is_lacking(base, book):
            return
        base.execute("BEGIN IMMEDIATE")
        for table in _TABLES:
            base.execute(table)
        for row in book["sessions"]:
            _merge_session(base, row, book)
        # A kernel that finds the count of changes as it was believes the pages that it remembers.
        (version,) = base.execute("PRAGMA user_version").fetchone()
        base.execute(f"PRAGMA user_version = {int(version)}")
        base.execute("COMMIT")


def _is_lacking(base: sqlite3.Connection, book: dict[str, Any]) -> bool:
    try:
        for number, start, *_ in book["sessions"]:
            found = _find(base, start)
            if found is None:
                return True
            for table in _LINES:
                wanted = {line[1] for line in book[table] if line[0] == number}
                present = base.execute(f"SELECT line FROM {table} WHERE session = ?", [found])
                if wanted - {line for (line,) in present}:
                    return True
    except sqlite3.Error:
        return True
    return False


def _merge_session(base: sqlite3.Connection, row: Row, book: dict[str, Any]) -> None:
    number, start = row[0], row[1]
    target = _find(base, start)
    if target is None:
        taken = base.execute("SELECT 1 FROM sessions WHERE session = ?", [number]).fetchone()
        values = [None if taken else number, *row[1:]]
        target = base.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?)", values).lastrowid
    for table, width in _LINES.items():
        marks = ", ".join("?" * (2 + width))
        base.executemany(
            f"INSERT OR IGNORE INTO {table} VALUES ({marks})",
            [[target, *line[1:]] for line in book[table] if line[0] == number],
        )


def _find(base: sqlite3.Connection, start: str) -> int | None:
    found = base.execute("SELECT session FROM sessions WHERE start = ?", [start]).fetchone()
    return None if found is None else int(found[0])


def _identity(name: str) -> list[int]:
    found = os.stat(name)
    return [found.st_dev, found.st_ino]


def _counter(name: str) -> int:
    try:
        with open(name, "rb") as file:
            return int(struct.unpack(">I", file.read(100)[_COUNTER])[0])
    except (OSError, struct.error):
        return 0
