"""Notebooks' files as they are read: the bytes, and what tells the file from others.

Only regular files are read, and no more of them than is asked for: a pipe would be waited for and
a device has no end. Changes nothing.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind.errors import Denied, InvalidInput, NotFound, RewindError, Unavailable
from jupyter_rewind.model.checkpoint import FileIdentity
from jupyter_rewind.store.birth import read_birth
from jupyter_rewind.store.disks import name_disk
from jupyter_rewind.store.durable import translate

_TRIES = 20


@dataclass(frozen=True, slots=True)
class Document:
    """A file as it was read: its bytes, and what its file system calls it."""

    raw: bytes
    identity: FileIdentity
    mtime_ns: int

    @property
    def size(self) -> int:
        return len(self.raw)


def document_path(path: str | Path) -> Path:
    """The one spelling of a file's path: absolute, with symbolic links followed."""
    return Path(os.path.realpath(os.path.expanduser(path)))


def own_name(path: str | Path) -> str:
    """The spelling of a path itself, where `document_path` tells that of what a link leads to."""
    folder, name = os.path.split(os.path.abspath(os.path.expanduser(path)))
    return os.path.join(os.path.realpath(folder), name)


def read_document(path: Path, max_bytes: int | None = None) -> Document:
    """The file's bytes, all of one moment as far as its times tell.

    Raises NotFound, Denied, Unavailable, InvalidInput (no regular file, or more than `max_bytes`).
    """
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            for _ in range(_TRIES):
                before = os.fstat(file.fileno())
                _check_kind(path, before)
                _check_size(path, before.st_size, max_bytes)
                file.seek(0)
                raw = file.read(before.st_size + 1)
                if len(raw) > before.st_size:
                    # Some files hold more than they say, and some have no end.
                    raw += file.read(-1 if max_bytes is None else max_bytes + 1 - len(raw))
                _check_size(path, len(raw), max_bytes)
                after = os.fstat(file.fileno())
                if (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size):
                    break
            else:
                raise Unavailable(f"{path} is being written to all the time.", retryable=True)
            identity = identify_open(file.fileno(), path)
    except RewindError:
        raise
    except IsADirectoryError as error:
        raise _no_file(path) from error
    except OSError as error:
        raise translate(error, "read", path) from error
    return Document(raw, identity, after.st_mtime_ns)


def _open_at_once(path: str, flags: int) -> int:
    # A pipe that nobody writes to would be waited for, for ever.
    try:
        return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    except BlockingIOError:
        # A file server has it lent to somebody, and gets it back for whoever waits.
        return os.open(path, flags)


def _check_kind(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _no_file(path)


def _no_file(path: Path) -> InvalidInput:
    return InvalidInput(
        f"{path} is no regular file, so there is nothing in it to keep.",
        hint="Nothing was changed. Name a notebook or a text file.",
    )


def identify(path: Path) -> FileIdentity | None:
    """What the file system calls the file, or None where there is none."""
    try:
        descriptor = _open_at_once(str(path), os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return _identify_closed(path)
    try:
        return identify_open(descriptor, path)
    finally:
        os.close(descriptor)


def _identify_closed(path: Path) -> FileIdentity | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return FileIdentity(status.st_dev, status.st_ino, mode=stat.S_IMODE(status.st_mode) & 0o777)


def identify_open(descriptor: int, path: str | Path) -> FileIdentity:
    """What the file system calls the open file `path`, when it was made, who may use it, and on
    which disk it lies."""
    status = os.fstat(descriptor)
    return FileIdentity(
        status.st_dev,
        status.st_ino,
        read_birth(descriptor, status),
        stat.S_IMODE(status.st_mode) & 0o777,
        name_disk(os.path.dirname(os.path.realpath(path))),
    )


def read_or_none(path: Path) -> Document | None:
    """The file as it is; None where there is none. Raises what `read_document` does else."""
    try:
        return read_document(path)
    except NotFound:
        return None


def is_file_there(path: str) -> bool:
    """Whether a file, or a link to wherever, has this path: a folder is no notebook's file. What
    this user may not look at is not gone."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as error:
        return error.errno != errno.ENAMETOOLONG
    return not os.path.isdir(path)


def require_visible(path: str) -> None:
    """Raises Storage, where nobody can tell whether a file is there."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise translate(error, "look for", Path(path)) from error


def check_writable(path: Path) -> None:
    """Raises Denied for a read-only file. Who may write in its folder could replace it all the
    same, but whoever made it read-only wishes that it stays as it is."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if not mode & 0o222:
        raise Denied(
            f"{path} was not changed: it is read-only.",
            hint=f"Make it writable (`chmod u+w {shlex.quote(str(path))}`), or have the state"
            " written to another file (--output on the command line).",
        )
    if not os.access(path, os.W_OK):
        raise Denied(
            f"{path} was not changed: you may not write to it.",
            hint="Have the state written to another file (--output on the command line), or ask"
            " its owner.",
        )


def _check_size(path: Path, size: int, max_bytes: int | None) -> None:
    if max_bytes is not None and size > max_bytes:
        raise InvalidInput(
            f"{path} is not kept: it has more than {max_bytes >> 20} MB.",
            hint="Nothing was changed. The limit is the setting notebooks.max_file_mb.",
        )
