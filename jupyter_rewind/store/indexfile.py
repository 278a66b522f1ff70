"""The file that an index lies in: made, opened, furnished; thrown away where it does not read.

What it holds can always be made again, so nothing here is worth an error: a damaged file is built
again, and one whose place fails is replaced by memory. A file that somebody else made, or that
belongs to another store, is never changed: the index goes beside it.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import sqlite3
import stat
from collections.abc import Collection, Iterable
from pathlib import Path

from jupyter_rewind import clock
from jupyter_rewind.store.owners import hand_over
from jupyter_rewind.store.schema import INDEX_FORMAT, SCHEMA, TABLES

log = logging.getLogger(__name__)

ENDS = (
    "SELECT name, max(synced) FROM (SELECT name, synced FROM segments UNION ALL"
    " SELECT name, synced FROM remembered) WHERE synced>0 GROUP BY name"
)
"""How far each segment is known to be on the disk."""

INDEX_NAME = f"index-{INDEX_FORMAT}.sqlite"
"""What the file is called where nobody has chosen a name."""
_WHOSE = ("format", "store", "place")
# Failures that a fresh file in the same place would meet again.
_OF_THE_PLACE = {
    sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PERM, sqlite3.SQLITE_PROTOCOL,
}  # fmt: skip


class _Anothers(Exception):
    """The file is no index, or that of another store."""


def open_base(
    path: Path | None, store_id: str, place: str = ""
) -> tuple[sqlite3.Connection, Path | None]:
    """The index at `path`, empty where it was none; and where it lies, which is beside `path` if
    that is somebody else's, and None where it had to be made in memory. `place` tells a store from
    its copies."""
    if path is not None:
        own = hashlib.blake2b(f"{store_id} {place}".encode(), digest_size=8).hexdigest()
        for each in (path, path.with_name(f"index-{INDEX_FORMAT}-{own}.sqlite")):
            try:
                return _open_file(each, store_id, place)
            except _Anothers as reason:
                log.info("%s stays as it is: %s. The index lies beside it.", each, reason)
    return _prepare(None, store_id, place), None


def _open_file(path: Path, store_id: str, place: str) -> tuple[sqlite3.Connection, Path | None]:
    """Raises _Anothers."""
    if not _is_writable(path):
        log.warning("the index %s cannot be written; using memory", path)
        return _prepare(None, store_id, place), None
    try:
        return _prepare(path, store_id, place), path
    except sqlite3.DatabaseError as error:
        again = _start_anew(path, store_id, place, error)
    return (again, path) if again is not None else (_prepare(None, store_id, place), None)


def forget_indexes(places: Iterable[Path], store_ids: Collection[str]) -> None:
    """The indexes of these stores at these places, or beside them, are gone. Best effort: one that
    stays is told in the log."""
    for place in places:
        for path in (place, *place.parent.glob(f"index-{INDEX_FORMAT}-*.sqlite")):
            try:
                if path.exists() and _store_of(path) in store_ids:
                    for suffix in ("", "-wal", "-shm"):
                        path.with_name(path.name + suffix).unlink(missing_ok=True)
            except (OSError, ValueError, sqlite3.Error) as error:
                log.warning("%s may be an index, and could not be removed: %s", path, error)


def forget_beside(folder: Path) -> None:
    """No index lies in the folder of an encrypted store, whose notebooks and labels it would name.
    Best effort, as `forget_indexes`."""
    for path in folder.glob("index-*.sqlite*"):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s names what an encrypted store holds, and stays: %s", path, error)


def _store_of(path: Path) -> str:
    """The id of the store whose index this is; empty for any other file."""
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as base:
        try:
            return str(dict(base.execute("SELECT name, value FROM meta")).get("store", ""))
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _OF_THE_PLACE:
                raise
            return ""


def make_own_folder(folder: Path) -> bool:
    """True when `folder` is there, and nobody but this user can put anything into it."""
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700)
    try:
        facts = folder.lstat()
    except OSError:
        return False
    if not hasattr(os, "getuid"):
        return stat.S_ISDIR(facts.st_mode)
    is_ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid()
    return is_ours and not facts.st_mode & 0o022


def _is_writable(path: Path) -> bool:
    """False for an index that was made read-only. SQLite would say so at the first change alone,
    where the files beside it were left behind."""
    files = (path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm"))
    return all(os.access(each, os.W_OK) for each in files if each.exists())


def _start_anew(
    path: Path, store_id: str, place: str, error: sqlite3.DatabaseError
) -> sqlite3.Connection | None:
    """A fresh file in place of a damaged one, or None when the place itself fails. Raises
    _Anothers, where nothing says that the damaged one was an index."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _OF_THE_PLACE:
        log.warning("the index %s cannot be opened (%s); using memory", path, error)
        return None
    if path.name != INDEX_NAME and not path.name.startswith(f"index-{INDEX_FORMAT}-"):
        raise _Anothers(f"it is no index of Jupyter Rewind, or a damaged one ({error})")
    log.info("the index %s is damaged (%s) and is built again", path, error)
    try:
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        return _prepare(path, store_id, place)
    except (OSError, sqlite3.DatabaseError) as worse:
        log.warning("the index %s cannot be built (%s); using memory", path, worse)
        return None


def _prepare(path: Path | None, store_id: str, place: str) -> sqlite3.Connection:
    if path is not None:
        _make_private(path)
    base = sqlite3.connect(
        ":memory:" if path is None else path,
        timeout=30,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        _require_ours(base)
        _furnish(base, store_id, place)
    except BaseException:
        # Left open, it would keep its lock for as long as anybody keeps the error.
        base.close()
        raise
    return base


def _require_ours(base: sqlite3.Connection) -> None:
    """Nothing has been changed. Raises _Anothers, where the tables are somebody else's."""
    tables = {name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type='table'")}
    if tables and not {"meta", *TABLES} <= tables:
        raise _Anothers("it is a database of something else")


def _furnish(base: sqlite3.Connection, store_id: str, place: str) -> None:
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("PRAGMA synchronous=OFF")
    base.execute("PRAGMA temp_store=MEMORY")
    base.execute("BEGIN IMMEDIATE")
    for statement in SCHEMA.split(";"):
        if statement.strip():
            base.execute(statement)
    # An index written before the machine went down may name bytes that never landed.
    mine = {
        "format": str(INDEX_FORMAT), "store": store_id, "boot": clock.boot_id(),
        **({"place": place} if place else {}),
    }  # fmt: skip
    known = dict(base.execute("SELECT name, value FROM meta"))
    if known and any(known.get(key, mine.get(key)) != mine.get(key) for key in _WHOSE):
        raise _Anothers("it is the index of another store, or of another version")
    if known != mine:
        if {**known, "boot": ""} == {**mine, "boot": ""}:
            # What its segments had on the disk stays true, and tells when one is destroyed.
            base.execute(f"INSERT OR REPLACE INTO remembered {ENDS}")
        else:
            base.execute("DELETE FROM remembered")
        for table in TABLES:
            base.execute(f"DELETE FROM {table}")
        base.execute("DELETE FROM meta")
        base.executemany("INSERT INTO meta VALUES(?,?)", mine.items())
    base.execute("COMMIT")


def _make_private(path: Path) -> None:
    """The file is there, for its owner alone: SQLite would make it by the umask."""
    # Never opened where it exists: to close it again would free the locks this process holds on it.
    # What else is wrong with the place, SQLite says better.
    with contextlib.suppress(OSError):
        os.close(hand_over(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), path))
