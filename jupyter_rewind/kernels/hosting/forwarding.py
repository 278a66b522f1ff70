"""What kernels write to their standard output and error reaches Jupyter's log.

One thread for all kernels of a process looks at their files. A file that has grown large and has
been passed on whole starts anew, so a kernel that writes for weeks fills no disk.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from pathlib import Path

from jupyter_rewind.errors import RewindError
from jupyter_rewind.store.durable import Files

_PAUSE_SECONDS = 0.5
_PART_BYTES = 1 << 16
_LARGE_BYTES = 16 << 20
_REPEATED_BYTES = 1 << 14


class Forwarder:
    """Passes on one file, line by line, from `offset`; without one, its last part."""

    def __init__(self, file: Path, name: str, log: logging.Logger, offset: int | None) -> None:
        self.offset = _last_part(file) if offset is None else offset
        self._file = file
        self._name = name
        self._log = log
        self._rest = b""

    def start(self) -> None:
        """It is looked at until `stop`."""
        _THREAD.add(self)

    def stop(self) -> int:
        """All of it is passed on; how much that was."""
        _THREAD.discard(self)
        self.forward()
        return self.offset

    def forward(self) -> None:
        """What is new is in the log. Never raises."""
        with contextlib.suppress(OSError, RewindError), self._file.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < self.offset:
                self.offset = 0
            file.seek(self.offset)
            while part := file.read(_PART_BYTES):
                self.offset += len(part)
                self._tell(part)
            if self.offset > _LARGE_BYTES:
                self._start_anew()

    def _tell(self, part: bytes) -> None:
        *lines, self._rest = (self._rest + part).split(b"\n")
        for line in lines:
            self._log.info("%s: %s", self._name, line.decode("utf-8", "replace"))
        if len(self._rest) > _PART_BYTES:
            self._log.info("%s: %s", self._name, self._rest.decode("utf-8", "replace"))
            self._rest = b""

    def _start_anew(self) -> None:
        descriptor = os.open(self._file, os.O_WRONLY)
        try:
            Files().truncate(descriptor, 0, self._file)
            self.offset = 0
        finally:
            os.close(descriptor)


class _Thread:
    def __init__(self) -> None:
        self._forwarders: set[Forwarder] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, forwarder: Forwarder) -> None:
        with self._lock:
            self._forwarders.add(forwarder)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="rewind-kernel-logs", daemon=True
                )
                self._thread.start()

    def discard(self, forwarder: Forwarder) -> None:
        with self._lock:
            self._forwarders.discard(forwarder)
            self._wake.set()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._forwarders:
                    self._thread = None
                    return
                self._wake.clear()
                for each in self._forwarders:
                    each.forward()
            self._wake.wait(_PAUSE_SECONDS)


_THREAD = _Thread()


def _last_part(file: Path) -> int:
    try:
        return max(0, file.stat().st_size - _REPEATED_BYTES)
    except OSError:
        return 0
