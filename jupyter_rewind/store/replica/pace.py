"""Not more than so many bytes a second, over all threads of a push or pull, and not more threads
than so many."""

from __future__ import annotations

import threading
from collections.abc import Callable

from jupyter_rewind import clock

AT_ONCE = 4


class Pace:
    """`wait` returns when it is the turn of so many bytes; at once where there is no limit.

    `check` is asked before each step, and may wait, or raise where the work is to end. With one
    hand there are no further threads, which would outlive a process that wants to end.
    """

    def __init__(
        self,
        bytes_per_second: int = 0,
        pause: Callable[[float], object] | None = None,
        *,
        hands: int = AT_ONCE,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.hands = hands
        self.check = check
        self._rate = bytes_per_second
        self._ended = threading.Event()
        self._pause = pause or self._ended.wait
        self._free_at = 0.0
        self._lock = threading.Lock()

    def wait(self, size: int) -> None:
        self.check()
        if self._rate <= 0:
            return
        with self._lock:
            now = clock.monotonic()
            begin = max(now, self._free_at)
            self._free_at = begin + size / self._rate
        if begin > now:
            self._pause(begin - now)
            self.check()

    @property
    def is_ended(self) -> bool:
        """Whether nothing new is to be begun."""
        return self._ended.is_set()

    def end(self) -> None:
        """Nobody waits any more, and nobody will: the user wants to go."""
        self._ended.set()
