"""Not more than so many bytes a second, over all threads of a push or pull."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from jupyter_rewind import clock


class Pace:
    """`wait` returns when it is the turn of so many bytes; at once where there is no limit."""

    def __init__(self, bytes_per_second: int, pause: Callable[[float], None] = time.sleep) -> None:
        self._rate = bytes_per_second
        self._pause = pause
        self._free_at = 0.0
        self._lock = threading.Lock()

    def wait(self, size: int) -> None:
        if self._rate <= 0:
            return
        with self._lock:
            now = clock.monotonic()
            begin = max(now, self._free_at)
            self._free_at = begin + size / self._rate
        if begin > now:
            self._pause(begin - now)
