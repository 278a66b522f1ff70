"""The bytes of a file as they were at one moment, taken by whoever comes first.

A save is announced after it happened. The bytes are read at once on a reading thread; a second
save of the same file, should it come before that, takes them itself in front of overwriting them.
"""

from __future__ import annotations

import os
import stat
import threading
from dataclasses import dataclass, field
from typing import Protocol

from jupyter_rewind.errors import Denied, InvalidInput, Unavailable
from jupyter_rewind.model.checkpoint import FileIdentity, Reason

SAVES = (Reason.SAVE, Reason.AUTOSAVE)
_ATTEMPTS = 3
_LONGEST = 4
"""Bytes that one character takes at most in UTF-8."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What one `stat` tells about a file: a difference means that something may be to keep."""

    mtime_ns: int
    size: int
    device: int
    inode: int
    mode: int
    file: FileIdentity | None = field(default=None, compare=False)
    """What tells the file from others, where it was open when this was read."""
    changed_ns: int = field(default=0, compare=False)
    """When the file was last written to, which no program can set; 0 where that is not told."""

    @staticmethod
    def of(status: os.stat_result, file: FileIdentity | None = None) -> Stamp:
        return Stamp(
            status.st_mtime_ns, status.st_size, status.st_dev, status.st_ino, status.st_mode, file,
            status.st_ctime_ns if os.name != "nt" else 0,
        )  # fmt: skip

    def written_ns(self, reason: Reason) -> int | None:
        """When the file got the content that it is kept for, as `Histories.record` wants it."""
        return self.mtime_ns if reason in SAVES else self.changed_ns or None

    def is_written_since(self, before: Stamp | None) -> bool:
        """Whether the file has other content than it had `before`, as far as this tells: its rights
        and its names are none. False where it was not seen before."""
        if before is None:
            return False
        mine, theirs = (self.mtime_ns, self.size), (before.mtime_ns, before.size)
        return (*mine, self.device, self.inode) != (*theirs, before.device, before.inode)

    @property
    def identity(self) -> FileIdentity:
        return self.file or FileIdentity(self.device, self.inode)


def read_stamp(file: str) -> Stamp | None:
    """The file's stamp, or None when there is no regular file.

    Raises OSError when it cannot be told.
    """
    import stat

    try:
        status = os.stat(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Stamp.of(status) if stat.S_ISREG(status.st_mode) else None


def is_json(raw: bytes) -> bool:
    """Whether the bytes are a whole JSON document, as every notebook is."""
    import json

    try:
        json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return True


def is_cut(raw: bytes | None, reason: Reason) -> bool:
    """True for what no save of a notebook leaves. What came from outside may be damaged, and is
    kept as it is, unless it is nothing at all."""
    if reason in SAVES:
        return raw is not None and not raw[-64:].rstrip().endswith(b"}")
    return reason is Reason.EXTERNAL_CHANGE and raw == b""


class Written(Protocol):
    """What is remembered of what a save wrote to a file."""

    stamp: Stamp | None
    began_ns: int

    @property
    def size(self) -> int | None: ...

    @property
    def is_certain(self) -> bool: ...

    def read(self) -> bytes | None: ...


class Reading:
    """One file's bytes and stamp, read once; those that were `written`, where that is known."""

    def __init__(self, file: str, *, limit_bytes: int, written: Written | None = None) -> None:
        self.file = file
        self.written = written
        self.stamp: Stamp | None = None
        self.began_ns: int | None = None
        """When the writing of what was `written` began; None where that is not known."""
        self.too_large = False
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._raw: bytes | None = None
        self._strings: Written | None = None
        self._error: OSError | None = None
        self.is_taken = False
        self.is_told = False
        """Whether the bytes are those that a save wrote, as it told them: nobody's half a file."""

    def secure(self) -> bool:
        """Whether the bytes are in memory by now, if only as the strings that were written: to put
        those of a large notebook together takes as long as a fiftieth of its save."""
        with self._lock:
            written = self.written
            if not self.is_taken and written is not None and written.is_certain:
                size = written.size
                if size is not None and size * _LONGEST <= self._limit:
                    self._strings, self.written = written, None
                    self.began_ns, self.stamp = written.began_ns, written.stamp
                    self.is_taken = True
            return self.is_taken

    def take(self) -> bytes | None:
        """The bytes as they were when they were first taken; None when the file was gone or larger
        than the limit. The same answer each time.

        Raises OSError when the file could not be read.
        """
        with self._lock:
            if self._strings is not None or not self.is_taken:
                try:
                    self._raw = self._recall()
                    if self._raw is None:
                        self._raw = self._read()
                except OSError as error:
                    self._error = error
                self.is_taken = True
                self.written = self._strings = None
            if self._error is not None:
                raise self._error
            return self._raw

    def renew(self, written: Written | None) -> None:
        """What was `written` counts, or the disk where that is not known, if nothing is taken."""
        with self._lock:
            if not self.is_taken:
                self.written = written

    def written_ns(self, reason: Reason) -> int | None:
        """When the file got the content that it is kept for, as `Histories.record` wants it."""
        if self.began_ns is not None and reason in SAVES:
            # By the clock that checkpoints go by; and another server may have read the file, or
            # written to it, before its stamp was.
            return self.began_ns
        return self.stamp.written_ns(reason) if self.stamp is not None else None

    def drop(self) -> None:
        """The bytes are not needed any more."""
        with self._lock:
            self._raw = self._strings = None

    @property
    def held_bytes(self) -> int:
        raw, written = self._raw, self._strings or self.written
        if raw is None and written is not None:
            return written.size or 0
        return len(raw) if raw is not None else 0

    def _recall(self) -> bytes | None:
        written = self._strings or self.written
        raw = written.read() if written is not None else None
        if written is None or raw is None or len(raw) > self._limit:
            return None
        stamp = written.stamp
        self.is_told = True
        self.began_ns = written.began_ns
        # Of another size, the file was written to by somebody else at the same time.
        self.stamp = stamp if stamp is not None and stamp.size == len(raw) else None
        return raw

    def _read(self) -> bytes | None:
        from jupyter_rewind.workspace import identify_open

        raw: bytes | None = None
        for _ in range(_ATTEMPTS):
            try:
                with open(self.file, "rb", opener=_open_at_once) as stream:
                    file = identify_open(stream.fileno(), self.file)
                    status = os.fstat(stream.fileno())
                    if not stat.S_ISREG(status.st_mode):
                        return None  # a pipe or a device has no end
                    before = Stamp.of(status, file)
                    self.stamp = before
                    self.too_large = before.size > self._limit
                    if self.too_large:
                        return None
                    raw = stream.read()
                    after = Stamp.of(os.fstat(stream.fileno()))
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None
            if before == after and len(raw) == before.size:
                break
        return raw


def _open_at_once(path: str, flags: int) -> int:
    # A pipe that nobody writes to would be waited for, for ever.
    try:
        return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    except BlockingIOError:
        # A file server has it lent to somebody, and gets it back for whoever waits.
        return os.open(path, flags)


def take_present(reading: Reading, path: str) -> bytes | None:
    """What `reading` takes of the file `path`, for whoever asks for it. Raises Denied, Unavailable
    where it cannot be read."""
    try:
        return reading.take()
    except PermissionError as error:
        raise Denied(f"{path} cannot be read: {error.strerror}.") from error
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror or error}.") from error


def too_large(file: str, stamp: Stamp | None, limit_mb: int) -> InvalidInput:
    """The refusal of a file beyond the limit of the settings."""
    size = stamp.size >> 20 if stamp is not None else 0
    hint = f"Files up to {limit_mb} MB are; raise the setting notebooks.max_file_mb."
    return InvalidInput(f"{os.path.basename(file)} is {size} MB large and is not kept.", hint=hint)
