"""The bytes of saves that wait to be stored: in memory as soon as may be, and within a bound.

The save itself has its bytes taken before it is answered; whatever is announced otherwise is read
on a reading thread, or by the next save of the same file in front of overwriting it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_rewind import clock
from jupyter_rewind.faces.server.reading import Reading, Stamp, Written, read_stamp

if TYPE_CHECKING:
    from jupyter_rewind.settings import Rewind

HELD_LIMIT_BYTES = 1 << 30
SMALL_BYTES = 2 << 20
# More than this is put together later, by whoever stores it: of 1 MB that takes 0.7 ms.
_TINY_BYTES = 64 << 10
_PLACES = 1_000
# One that hangs, on a network drive that is gone, must not hold up the others.
READERS = 2
# A save that takes longer is one that failed, as far as the reason of a checkpoint is concerned.
_SAVE_SECONDS = 60.0


class Readings:
    """The readings of one server, and the newest of each file."""

    def __init__(self, settings: Rewind) -> None:
        self._settings = settings
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="rewind-reader")
        self._newest: dict[str, Reading] = {}
        self._stamps: dict[str, Stamp | None] = {}
        self._all: set[Reading] = set()
        self._expected: dict[str, list[float]] = {}
        self._is_local: dict[tuple[str, int], bool] = {}
        self._lock = threading.Lock()

    def open(self, file: str, written: Written | None = None) -> Reading:
        """A reading of `file`, or of what was `written` to it, within the limit of the settings;
        nothing is read yet."""
        limit = self._settings.notebooks_max_file_mb << 20
        return Reading(file, limit_bytes=limit, written=written)

    def take(self, reading: Reading) -> Future[None]:
        """Done when the bytes are in memory, or must be left on disk."""
        if reading.is_taken:
            done: Future[None] = Future()
            done.set_result(None)
            return done
        return self._readers.submit(self._take_first, reading)

    def take_at_once(self, reading: Reading) -> bool:
        """Whether the bytes are in memory by now: of a small file that was written through us, or
        lies on a disk that cannot hang, where waking a reading thread would take longer."""
        if reading.written is not None:
            size = reading.written.size
            if (size is None or size > _TINY_BYTES) and self.held_bytes <= HELD_LIMIT_BYTES:
                reading.secure()
            if size is not None and size <= SMALL_BYTES:
                self.take_now(reading)
            return reading.is_taken
        try:
            status = os.stat(reading.file)
        except OSError:
            return False
        place = os.path.dirname(reading.file), status.st_dev
        if status.st_size > SMALL_BYTES or not self._is_local.get(place):
            return False
        self.take_now(reading)
        return reading.is_taken

    def _take_first(self, reading: Reading) -> None:
        self.take_now(reading)
        stamp = reading.stamp
        if sys.platform != "linux" or stamp is None:
            return  # elsewhere nobody tells what kind of disk it is
        from jupyter_rewind.workspace import is_network

        folder = os.path.dirname(reading.file)
        if len(self._is_local) > _PLACES:
            self._is_local.clear()
        if (folder, stamp.device) not in self._is_local:
            self._is_local[folder, stamp.device] = not is_network(Path(folder))

    def take_now(self, reading: Reading) -> None:
        """The bytes are in memory, unless so much is that they are left on disk."""
        if reading.is_taken:
            return
        if self.held_bytes > HELD_LIMIT_BYTES:
            reading.renew(None)
            return
        with contextlib.suppress(OSError):  # whoever stores them asks again and tells
            reading.take()

    def expect(self, file: str) -> None:
        """`file` is about to be written by a save of ours, which will be announced."""
        with self._lock:
            self._expected.setdefault(file, []).append(clock.monotonic() + _SAVE_SECONDS)

    def is_expected(self, file: str) -> bool:
        """Whether what `file` holds now may be a save's that is not announced yet: a change that
        is seen then is none from outside."""
        with self._lock:
            now = clock.monotonic()
            waits = [until for until in self._expected.pop(file, []) if until > now]
            if waits:
                self._expected[file] = waits
            return bool(waits)

    def end_wait(self, file: str) -> None:
        """A save of `file` that was expected has been announced, or has failed; others of it may
        be under way."""
        with self._lock:
            waits = self._expected.get(file)
            if waits:
                waits.pop(0)
            if not waits:
                self._expected.pop(file, None)

    def announce(self, reading: Reading) -> None:
        """`reading` is the newest of its file, and will be stored."""
        file, stamp = reading.file, reading.stamp
        if not reading.is_taken:
            with contextlib.suppress(OSError):
                stamp = read_stamp(file)
        with self._lock:
            self._newest[file] = reading
            self._stamps[file] = stamp
            self._all.add(reading)

    def renew(self, file: str, reading: Reading | None) -> None:
        """The newest reading of `file`, whose time has not come, is of its present state."""
        with contextlib.suppress(OSError):
            stamp = read_stamp(file)
            with self._lock:
                newest = self._newest.get(file)
                if newest is not None:
                    newest.renew(reading.written if reading is not None else None)
                    self._stamps[file] = stamp

    def is_announced(self, file: str, stamp: Stamp) -> bool:
        """Whether the state with this stamp will be stored."""
        with self._lock:
            reading = self._newest.get(file)
            if reading is not None and reading.is_taken:
                return reading.stamp == stamp
            return self._stamps.get(file) == stamp

    def is_unread(self, file: str) -> bool:
        """Whether a reading of `file` is announced whose bytes are only on disk."""
        reading = self._newest.get(file)
        return reading is not None and not reading.is_taken

    def unread_below(self, path: str) -> list[str]:
        """The files at or below `path` for which `is_unread` holds."""
        with self._lock:
            newest = list(self._newest.items())
        return [
            file
            for file, reading in newest
            if not reading.is_taken and (file == path or file.startswith(path + os.sep))
        ]

    def claim(self, file: str) -> bool:
        """Whether the bytes of an announced save of `file` are in memory: then it may be
        overwritten. They are left on disk while too much is in memory already."""
        reading = self._newest.get(file)
        if reading is None:
            return True
        self.take_now(reading)
        return reading.is_taken

    def release(self, reading: Reading) -> None:
        """What `reading` took is stored, or given up."""
        with self._lock:
            if self._newest.get(reading.file) is reading:
                del self._newest[reading.file]
                self._stamps.pop(reading.file, None)
            self._all.discard(reading)
        reading.drop()

    @property
    def held_bytes(self) -> int:
        """How much is in memory."""
        with self._lock:
            return sum(reading.held_bytes for reading in self._all)

    def stop(self) -> None:
        """Nothing is read ahead any more."""
        self._readers.shutdown(wait=False, cancel_futures=True)
