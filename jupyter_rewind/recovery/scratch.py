"""The private folder for copies, gone at the end; those of processes that were killed go later.

A running process holds a lock on its folder, which the system lets go of however it ends. A file
in it says that it was made here: a folder of a person's that is called alike is never touched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_rewind import clock
from jupyter_rewind.errors import Full
from jupyter_rewind.recovery.regular import read_file
from jupyter_rewind.store.durable import free_bytes

PREFIX = "jupyter-rewind-"
MARK = ".made-by-jupyter-rewind"
ENOUGH_BYTES = 256 << 20
_IN_MEMORY = "/dev/shm"
OLD_NS = 3600 * 1_000_000_000
"""A younger folder may be of a process that has yet to lock it."""


@contextmanager
def scratch_folder(top: Path | None = None) -> Iterator[Path]:
    """A new folder that only its owner may enter, below `top` or where copies fit. Raises Full."""
    top = roomy_folder() if top is None else top
    clear_left_overs(top)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=top, ignore_cleanup_errors=True) as folder:
        lock = _lock(Path(folder))
        _mark(Path(folder))
        try:
            yield Path(folder)
        finally:
            if lock is not None:
                os.close(lock)


def roomy_folder() -> Path:
    """Where copies fit: the usual temporary folder, unless the disk that just ran full has it; of
    those with little room the one that has most. Raises Full where none takes a file."""
    try:
        usual = [tempfile.gettempdir()]
    except OSError:
        usual = []  # it tries each of them: all are full, or closed to us
    places = [each for each in (*usual, _IN_MEMORY) if os.access(each, os.W_OK | os.X_OK)]
    rooms = {each: free_bytes(Path(each)) or 0 for each in places}
    if not rooms:
        raise Full(
            "There is no room for copies of what is read: no temporary folder takes a file.",
            hint="Nothing was changed. Free a few megabytes, or name a folder on another disk by"
            " writing TMPDIR=/that/folder before the command.",
        )
    enough = (each for each in places if rooms[each] >= ENOUGH_BYTES)
    return Path(next(enough, max(places, key=rooms.__getitem__)))


def clear_left_overs(top: Path) -> None:
    """Removes the folders of our own that processes left which were killed. Raises nothing."""
    if not hasattr(os, "getuid"):
        return
    for folder in top.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            status = os.lstat(folder)
            ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
            ours = ours and _is_marked(folder)
            if not ours or clock.now_ns() - status.st_mtime_ns < OLD_NS:
                continue
            lock = _lock(folder)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _mark(folder: Path) -> None:
    """The folder tells that it was made here, and under which name, unless the disk is full."""
    with contextlib.suppress(OSError):
        (folder / MARK).write_bytes(_words(folder))


def _is_marked(folder: Path) -> bool:
    """Whether the folder was made here. Raises OSError where nothing tells it."""
    return read_file(folder / MARK, 1 << 10) == _words(folder)


def _words(folder: Path) -> bytes:
    return f"{folder.name}: copies that recovering reads, made by it; gone at its end.\n".encode()


def _lock(folder: Path) -> int | None:
    """A descriptor that holds the folder's lock; None where another holds it, or there is none."""
    try:
        import fcntl
    except ImportError:
        return None
    descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
