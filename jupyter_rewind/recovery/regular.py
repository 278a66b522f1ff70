"""The one way in which this room opens files that others left: regular files, and nothing else.

A pipe that lies where a notebook should would be waited for without end, and a device may do
something when it is opened. What is no regular file is refused at once, in words.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

MOST_BYTES = 1 << 30
"""So much of one file is held in memory; a file with a hole may say that it is far larger."""
NO_FILE = "It is no file (a pipe, a socket or a device): left alone."
_PIECE = 1 << 16
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_OTHERS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class NotRegular(OSError):
    """Something that is no file lies there: a pipe, a socket, a device."""


def open_descriptor(path: str | Path) -> int:
    """A descriptor for reading. Raises OSError, and at once where it is no regular file."""
    _check(os.stat(path), path)
    descriptor = os.open(path, _FLAGS)
    try:
        # Between the look and the opening another thing may have taken the name.
        _check(os.fstat(descriptor), path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def open_file(path: str | Path) -> BinaryIO:
    """The file, open for reading. Raises OSError, and at once where it is no regular file."""
    return os.fdopen(open_descriptor(path), "rb")


def read_file(path: str | Path, most: int = MOST_BYTES) -> bytes:
    """All that the file holds. Raises OSError, also where that is more than `most`."""
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise OSError(errno.EFBIG, f"its {size} bytes are more than can be held", str(path))
        if size:
            # A number is room that is taken at once: no more than there is to read.
            return file.read(size)
        # What /proc shows has no size; it is read all the same, as far as `most`.
        return b"".join(iter(lambda: file.read(_PIECE), b""))[:most]


def read_of_others(path: str | Path, most: int) -> bytes:
    """As `read_file`, for a file of another notebook; nothing where it does not read: what is wrong
    with it is told by its own name."""
    try:
        return read_file(path, most)
    except OSError:
        return b""


def is_regular(path: str | Path) -> bool:
    """Whether a regular file lies there, also by way of links."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def may_be_folder(path: str | Path) -> bool:
    """Whether a folder lies there, or what is there is closed to us: whoever lists it is told."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False


def _check(status: os.stat_result, path: str | Path) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    kind = next((words for fits, words in _OTHERS if fits(status.st_mode)), "something else")
    raise NotRegular(errno.EINVAL, f"It is no file but {kind}", str(path))
