"""What JupyterLab's real-time collaboration kept: every keystroke, also what was never saved."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from jupyter_rewind.errors import Format, RewindError
from jupyter_rewind.recovery import ystore
from jupyter_rewind.recovery.documents import as_document
from jupyter_rewind.recovery.evidence import (
    EVERYTHING,
    Evidence,
    FoundDocument,
    Holds,
    Problem,
    Scope,
    Trace,
)
from jupyter_rewind.recovery.fileids import databases, read_file_ids
from jupyter_rewind.recovery.runtime import is_below
from jupyter_rewind.recovery.walking import folders_of, settle
from jupyter_rewind.recovery.ysalvage import copy_store


class CollaborationFinder:
    """Plays the updates in `.jupyter_ystore.db` again, each document by itself."""

    kind = "collaboration"
    title = "the store of JupyterLab's collaboration"
    asked_only = False
    holds: frozenset[Holds] = EVERYTHING
    where: Mapping[str, str] = {
        "linux": "`.jupyter_ystore.db` in the folder in which Jupyter was started, and"
        " `.jupyter_ystore(1).db` beside it",
        "macos": "as on Linux",
        "windows": "as on Linux",
    }

    def find(self, scope: Scope) -> Iterator[Trace | Problem]:
        ids: dict[str, str] | None = None
        for database in _databases(scope):
            ids = _known_ids(scope) if ids is None else ids
            try:
                yield from _documents(database, ids, scope)
            except (sqlite3.DatabaseError, RewindError, OSError) as error:
                words = f"This store of collaboration cannot be read: {error}."
                yield Problem(str(database), words)

    def read(self, trace: Trace, scope: Scope) -> Evidence:
        """Raises NotFound (pycrdt), Format (damage), Denied, Full, Unavailable."""
        try:
            store = copy_store(Path(trace.place), scope.scratch)
            count = ystore.read_keys(store.path).get(trace.handle["key"], (0, None))[0]
        except sqlite3.DatabaseError as error:
            raise Format(f"The store of collaboration is damaged: {error}.") from error
        played = ystore.play_apart(store.path, trace.handle["key"])
        damages: tuple[str, ...] = (store.damage,) if store.damage else ()
        if played.lost:
            words = f"{played.lost} of {count} updates do not read"
            damages += (f"{words}; what was built on them is missing.",)
        documents = [_as_document(trace, state, damages) for state in played.states]
        found = tuple(document for document in documents if document is not None)
        problems = tuple(Problem(trace.place, words, trace) for words in damages)
        return Evidence(documents=found, problems=problems)


def _as_document(
    trace: Trace, state: ystore.State, damages: tuple[str, ...]
) -> FoundDocument | None:
    words = trace.words if state.last else f"{trace.words}, before most of it was removed"
    document = as_document(replace(trace, words=words), state.notebook, state.time_ns)
    if document is None:
        return None
    return replace(document, complete=not damages, damages=damages)


def _databases(scope: Scope) -> Iterator[Path]:
    """The stores in the folder, below it, and above it: a server's folder may be any of these."""
    start = scope.notebook.parent if scope.notebook else scope.folder
    folders = [*folders_of(scope), *start.parents, scope.home]
    for folder in dict.fromkeys(folders):
        try:
            yield from sorted(
                path for path in folder.glob(".jupyter_ystore*.db") if os.path.isfile(path)
            )
        except OSError:
            # Folders above the notebook's may be closed to us: no server of ours began there.
            continue


def _known_ids(scope: Scope) -> dict[str, str]:
    found: dict[str, str] = {}
    for database in databases(scope):
        try:
            found |= {row.id: row.path for row in read_file_ids(database, scope)}
        except (sqlite3.DatabaseError, RewindError):
            # The finder of file ids tells that; a document tells its own path as well.
            continue
    return found


def _documents(database: Path, ids: Mapping[str, str], scope: Scope) -> Iterator[Trace | Problem]:
    store = copy_store(database, scope.scratch)
    status = database.stat()
    has_found = False
    for key, (count, time_ns) in sorted(ystore.read_keys(store.path).items()):
        if "notebook" not in key:
            continue
        own = ids.get(_id_of(key)) or _own_path(store.path, key, database)
        notebook = own and str(settle(Path(own), scope))
        if not _is_wanted(notebook, scope):
            continue
        has_found = True
        yield Trace(
            CollaborationFinder.kind,
            str(database),
            notebook,
            EVERYTHING,
            time_ns or status.st_mtime_ns,
            status.st_size,
            f"what collaboration kept ({count} updates)",
            store.damage or None,
            handle={"key": key},
        )
    if store.damage and not has_found:
        words = f"{store.damage} None of them is of what was looked for; others may be lost."
        yield Problem(str(database), words)


def _id_of(key: str) -> str:
    """The file's id in a key such as `json:notebook:<id>` or `.notebook:<id>.y`."""
    return key.rpartition(":")[2].removesuffix(".y")


def _own_path(copy: Path, key: str, database: Path) -> str | None:
    """What the document itself says that it is called, from the folder of its server."""
    states = ystore.play_apart(copy, key).states
    path = states[-1].path if states else ""
    return str(database.parent / path) if path else None


def _is_wanted(notebook: str | None, scope: Scope) -> bool:
    if notebook is None:
        return scope.notebook is None
    if scope.notebook is not None:
        return notebook == str(scope.notebook)
    return is_below(notebook, scope.folder)
