"""Whether the place of a store is fit for use: what `doctor` and the health answer look at.

Looks and never mends: it makes no store, no key and no index. All it writes is a lock file in an
existing store, or an empty file where one would be made, and takes that away again. It reads no
record: that is `verify`'s work.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind import clock
from jupyter_rewind.errors import RewindError, Storage
from jupyter_rewind.store.apart import is_apart
from jupyter_rewind.store.disks import is_network
from jupyter_rewind.store.durable import Files, free_bytes
from jupyter_rewind.store.layout import SEALED_FORMAT, key_path, read_config, read_store_id
from jupyter_rewind.store.locks import FileLock


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """What was found. `problem` is why an existing store's config cannot be read, `obstacle` why
    nothing can be written where the store is or would be, `key_obstacle` why no key can be kept for
    one that is still to be made; each may be empty."""

    folder: Path
    exists: bool
    problem: str
    obstacle: str
    key_obstacle: str
    private: bool
    free_bytes: int | None
    network: bool
    key: Path | None
    key_readable: bool
    key_private: bool
    key_apart: bool
    """Whether the key lies outside the store, as far as that is known."""
    encrypted: bool
    locks: bool | None
    """None where it could not be tried."""

    @property
    def move(self) -> str:
        """The command that sets other places for what cannot be made here."""
        return _move(store=bool(self.obstacle), key=bool(self.key_obstacle))


def examine(folder: Path, key_folder: Path) -> StoreHealth:
    """The state of the store at `folder` and its key; never raises for what it finds."""
    exists = not _is_missing(folder / "config")
    problem, key = "", None
    if exists:
        try:
            key = key_path(key_folder, read_store_id(folder))
        except RewindError as error:
            problem = str(error)
    nearest = _nearest(folder)
    obstacle = _find_obstacle(nearest, is_trial=not exists)
    return StoreHealth(
        folder=folder,
        exists=exists,
        problem=problem,
        obstacle=obstacle,
        key_obstacle="" if exists else _find_obstacle(_nearest(key_folder), is_trial=True),
        private=not os.path.lexists(folder / "config") or _is_private(folder),
        free_bytes=free_bytes(nearest),
        network=is_network(nearest),
        key=key,
        key_readable=key is not None and os.access(key, os.R_OK),
        key_private=key is None or not key.exists() or _is_private(key),
        key_apart=is_apart(key_folder, folder),
        encrypted=exists and _says_encrypted(folder),
        locks=_try_lock(folder / "locks") if exists and not obstacle else None,
    )


def _says_encrypted(folder: Path) -> bool:
    try:
        return read_config(folder / "config")["format"] == SEALED_FORMAT
    except RewindError:
        return False


@contextlib.contextmanager
def telling_place(folder: Path, key_folder: Path) -> Iterator[None]:
    """Where no store can be made at `folder`, or its key not be kept, or one that is there cannot
    be looked into, the error of the block says so, and what to do."""
    try:
        yield
    except Storage as error:
        if not _is_missing(folder / "config"):
            if not os.path.lexists(folder / "config"):
                _tell_closed(folder, error)
        else:
            found = examine(folder, key_folder)
            what = f"No store can be made at {folder}."
            if found.key_obstacle and not found.obstacle:
                what = f"The key of a store at {folder} cannot be kept in {key_folder}."
            error.message = f"{what} {error.message}"
            error.hint = f"Your notebooks were not touched. Set another place with `{found.move}`."
        raise


def _move(*, store: bool, key: bool) -> str:
    if not key:
        return "jupyter rewind config set store.path /another/folder"
    # The settings file lies where keys are kept, if nobody has set that: it takes nothing either.
    place = "JUPYTER_REWIND_STORE_PATH=/another/folder " if store else ""
    return f"export {place}JUPYTER_REWIND_STORE_KEY_FOLDER=/another/folder-for-keys"


def _tell_closed(folder: Path, error: Storage) -> None:
    reason = getattr(error.__cause__, "strerror", None) or error.message
    if os.path.lexists(folder):
        error.message = f"The store at {folder} is there and cannot be read: {reason.lower()}."
        way = f"`chmod u+rwx {shlex.quote(str(folder))}` opens it, if it is yours"
    else:
        error.message = f"Whether there is a store at {folder} cannot be seen: {reason.lower()}."
        way = "Open the folders above it for you"
    error.hint = f"Nothing was changed. {way}; else name another store with --store."


def _is_missing(path: Path) -> bool:
    """True only where there is no such file; what nobody lets us look at is not missing."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _find_obstacle(nearest: Path, *, is_trial: bool) -> str:
    if not nearest.is_dir():
        return f"{nearest} is a file, not a folder"
    if not os.access(nearest, os.W_OK | os.X_OK):
        return f"{nearest} cannot be written"
    if is_trial:
        # A file system such as /proc lets nobody make anything, whatever its modes say.
        files, trial = Files(), nearest / f".rewind-try-{clock.new_id()}"
        try:
            files.close(files.create(trial))
            files.remove(trial)
        except RewindError as error:
            reason = getattr(error.__cause__, "strerror", None) or error.message
            return f"nothing can be made in {nearest}: {reason.lower()}"
    return ""


def _nearest(path: Path) -> Path:
    """`path`, or the nearest folder above it that exists."""
    while not os.path.exists(path) and path != path.parent:
        path = path.parent
    return path


def _is_private(path: Path) -> bool:
    """Whether nobody but its owner may do anything with `path`. True where modes mean nothing."""
    if os.name == "nt":
        return True
    try:
        return stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    except OSError:
        return False


def _try_lock(folder: Path) -> bool | None:
    path = folder / f"try-{clock.new_id()}"
    lock = FileLock(path)
    try:
        return lock.try_acquire(exclusive=True)
    except RewindError as error:
        return False if error.code == "no_locks" else None
    finally:
        lock.release(remove=True)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
