"""Jupyter's table of file ids: which file an id means, and which ids a file has."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind.recovery.copying import copy_database
from jupyter_rewind.recovery.databases import opened
from jupyter_rewind.recovery.evidence import Scope
from jupyter_rewind.recovery.runtime import data_folders

NAME = "file_id_manager.db"


@dataclass(frozen=True, slots=True)
class FileId:
    """One row: the id, the path it has now, and the number of its file on the disk (0: unknown)."""

    id: str
    path: str
    inode: int


def databases(scope: Scope) -> list[Path]:
    """The tables of file ids of this user."""
    found = [folder / NAME for folder in data_folders(scope)]
    return [path for path in found if os.path.isfile(path)]


def _text(raw: bytes) -> str:
    # A damaged table can hold anything, also as the name of a column.
    return raw.decode(errors="surrogateescape")


def read_file_ids(database: Path, scope: Scope) -> list[FileId]:
    """All rows, from a copy. Raises sqlite3.DatabaseError, NotFound, Denied, Full, Unavailable."""
    copy = copy_database(database, scope.scratch)
    with opened(copy.path) as connection:
        connection.text_factory = _text
        columns = {row[1] for row in connection.execute("PRAGMA table_info(Files)")}
        inode = "ino" if "ino" in columns else "0"
        rows = connection.execute(f"SELECT id, path, {inode} FROM Files").fetchall()
    return [
        FileId(key, path, number)
        for key, path, number in rows
        if isinstance(key, str) and isinstance(path, str) and isinstance(number, int)
    ]
