"""Whether the place of a store is fit for use: what `doctor` and the health answer look at.

Looks and never mends: it makes no store, no key and no index. The one thing it writes is a lock
file in an existing store, which it takes away again. It reads no record: that is `verify`'s work.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind import clock
from jupyter_rewind.errors import RewindError
from jupyter_rewind.store.durable import free_bytes
from jupyter_rewind.store.layout import is_network, key_path, read_store_id
from jupyter_rewind.store.locks import FileLock


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """What was found. `problem` is why an existing store's config cannot be read, or empty."""

    folder: Path
    exists: bool
    problem: str
    writable: bool
    private: bool
    free_bytes: int | None
    network: bool
    key: Path | None
    key_readable: bool
    key_private: bool
    locks: bool | None
    """None where it could not be tried."""


def examine(folder: Path, key_folder: Path) -> StoreHealth:
    """The state of the store at `folder` and its key; never raises for what it finds."""
    exists = os.path.exists(folder / "config")
    problem, key = "", None
    if exists:
        try:
            key = key_path(key_folder, read_store_id(folder))
        except RewindError as error:
            problem = str(error)
    nearest = _nearest(folder)
    writable = os.access(nearest, os.W_OK | os.X_OK)
    return StoreHealth(
        folder=folder,
        exists=exists,
        problem=problem,
        writable=writable and nearest.is_dir(),
        private=not exists or _is_private(folder),
        free_bytes=free_bytes(nearest),
        network=is_network(nearest),
        key=key,
        key_readable=key is not None and os.access(key, os.R_OK),
        key_private=key is None or not key.exists() or _is_private(key),
        locks=_try_lock(folder / "locks") if exists and writable else None,
    )


def _nearest(path: Path) -> Path:
    """`path`, or the nearest folder above it that exists."""
    while not path.exists() and path != path.parent:
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
