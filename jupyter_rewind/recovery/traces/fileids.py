"""What Jupyter's table of file ids knows of a notebook: its ids, and where it was moved to."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from jupyter_rewind.errors import Format, RewindError
from jupyter_rewind.recovery.evidence import Evidence, FoundName, Holds, Problem, Scope, Trace
from jupyter_rewind.recovery.fileids import FileId, databases, read_file_ids
from jupyter_rewind.recovery.walking import folders_below, settle


class FileIdFinder:
    """Finds a notebook's id, and the name of its file where it was only moved."""

    kind = "file id"
    title = "Jupyter's table of file ids"
    asked_only = False
    holds: frozenset[Holds] = frozenset()
    where: Mapping[str, str] = {
        "linux": "`~/.local/share/jupyter/file_id_manager.db`",
        "macos": "`~/Library/Jupyter/file_id_manager.db`",
        "windows": "`%APPDATA%\\jupyter\\file_id_manager.db`",
    }

    def find(self, scope: Scope) -> Iterator[Trace | Problem]:
        if scope.notebook is None:
            return
        for database in databases(scope):
            try:
                rows = read_file_ids(database, scope)
            except (sqlite3.DatabaseError, RewindError) as error:
                yield Problem(str(database), f"It cannot be read: {error}.")
                continue
            if any(_is_of(row, str(scope.notebook), scope) for row in rows):
                status = database.stat()
                yield Trace(
                    self.kind,
                    str(database),
                    str(scope.notebook),
                    self.holds,
                    status.st_mtime_ns,
                    status.st_size,
                    "the notebook's id",
                )

    def read(self, trace: Trace, scope: Scope) -> Evidence:
        """Raises Format where the table is damaged."""
        try:
            rows = read_file_ids(Path(trace.place), scope)
        except sqlite3.DatabaseError as error:
            raise Format(f"The table of file ids is damaged: {error}.") from error
        notebook = trace.notebook or ""
        ours = [row for row in rows if _is_of(row, notebook, scope)]
        names = [FoundName(trace, notebook, file_id=row.id) for row in ours]
        return Evidence(names=(*names, *_moved(ours, trace, scope)))


def _is_of(row: FileId, notebook: str, scope: Scope) -> bool:
    """Whether the row is the notebook's, maybe under a name from which links lead to it."""
    if row.path == notebook:
        return True
    is_called = os.path.basename(row.path) == os.path.basename(notebook)
    return is_called and str(settle(Path(row.path), scope)) == notebook


def _moved(rows: list[FileId], trace: Trace, scope: Scope) -> Iterator[FoundName]:
    """The file's present name, where its number on the disk is found under another one."""
    notebook = Path(trace.notebook or "")
    wanted = {row.inode: row for row in rows if row.inode}
    if os.path.exists(notebook) or not wanted:
        return
    for folder in folders_below(scope.folder):
        try:
            with os.scandir(folder) as entries:
                books = [each for each in entries if each.name.endswith(".ipynb")]
        except OSError:
            continue  # told where the folder itself is looked into
        for each in books:
            row = wanted.get(each.inode())
            if row is not None:
                yield FoundName(trace, str(notebook), each.path, row.id)
