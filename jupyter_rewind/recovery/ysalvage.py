"""Collaboration's store in any condition: a sound copy of it, made of the rows that still read.

A store that SQLite refuses, or cannot read to its end, is read page by page (`leaves.py`), and what
is there goes into a new database, in the order in which it was written. Updates may be in it that
the store had replaced: to play one twice changes nothing. What is missing cannot be known; so
nothing that comes of such a store is called complete.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind.recovery.copying import copy_database
from jupyter_rewind.recovery.databases import opened
from jupyter_rewind.recovery.leaves import open_damaged, salvage_rows
from jupyter_rewind.recovery.pages import Value

_TABLES = """
CREATE TABLE yupdates (path TEXT NOT NULL, yupdate BLOB, timestamp REAL NOT NULL);
CREATE TEMP TABLE found (number, path, yupdate, timestamp);
"""
# A store that was emptied once gives its numbers anew: the times tell the order.
_IN_ORDER = """
INSERT INTO yupdates SELECT path, yupdate, timestamp FROM found
GROUP BY path, yupdate, timestamp ORDER BY timestamp, min(number)
"""
_LONGEST_PATH = 1 << 12
_LAST_SECOND = 1 << 33


@dataclass(frozen=True, slots=True)
class Store:
    """A private copy that reads; `damage` says what is wrong with the original, "" for nothing."""

    path: Path
    damage: str = ""


def copy_store(database: Path, scratch: Path) -> Store:
    """The store, or what of it still reads.

    Raises sqlite3.DatabaseError where nothing does, and as `copy_database`.
    """
    copy = copy_database(database, scratch).path
    try:
        _read_through(copy)
    except sqlite3.DatabaseError as error:
        return _salvaged(copy, error)
    return Store(copy)


def _read_through(copy: Path) -> None:
    """Reads every row. Raises sqlite3.DatabaseError.

    An index may still list updates that are lost.
    """
    with opened(copy) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        for table in tables & {"yupdates", "ycheckpoints"}:
            for _ in connection.execute(f"SELECT * FROM {table} NOT INDEXED"):
                pass


def _salvaged(copy: Path, error: sqlite3.DatabaseError) -> Store:
    """A new store of the rows that read; raises `error` where there are none."""
    target = copy.with_name("salvaged.sqlite")
    with closing(sqlite3.connect(target)) as database, database:
        database.executescript(_TABLES)
        with open_damaged(copy) as pages:
            for row in salvage_rows(pages, _fits, frozenset({3, 4})):
                if row.whole:
                    path, data, when = row.values[0], row.values[1], row.values[-1]
                    values = (row.rowid, path, data, when)
                    database.execute("INSERT INTO found VALUES (?, ?, ?, ?)", values)
        count = database.execute(_IN_ORDER).rowcount
        database.execute("DROP TABLE found")
    if not count:
        raise error
    words = "1 update was" if count == 1 else f"{count} updates were"
    told = f"The store is damaged ({error}): {words} read from the pages that are whole."
    return Store(target, told)


def _fits(values: tuple[Value, ...]) -> bool:
    """Whether it is a row of updates (path, update, maybe metadata, time), or of what was put
    together of them (path, update, time): that is an update as well."""
    path, data, when = values[0], values[1], values[-1]
    if not isinstance(path, str) or not 0 < len(path) < _LONGEST_PATH or "\0" in path:
        return False
    has_metadata = len(values) == 3 or isinstance(values[2], bytes | None)
    is_time = isinstance(when, int | float) and 0 < when < _LAST_SECOND
    return isinstance(data, bytes) and has_metadata and is_time
