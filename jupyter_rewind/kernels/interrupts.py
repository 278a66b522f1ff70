"""An interrupt does not tear in two what must be done as a whole, and is not lost."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable
from typing import Any

from jupyter_rewind import clock

_ENDING_SECONDS = 2.0
"""So long what was interrupted may take to end before the next interrupt goes through."""


class HeldInterrupt:
    """The first interrupt in the block waits for its end, where `came` tells of it; the second one
    goes through, so that nobody is ever kept from stopping. What follows that one at once, as from
    a key that is held down, finds the work ending, and waits for it."""

    def __init__(self) -> None:
        self.came = False
        self._passed = -math.inf
        self._before: Callable[[int, Any], Any] | None = None

    def __enter__(self) -> HeldInterrupt:
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            # Whoever ignores interrupts, or has the system end the process, goes on doing so.
            if callable(before) and not isinstance(before, signal.Handlers):
                self._before = before
                signal.signal(signal.SIGINT, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        before, self._before = self._before, None
        if before is not None and signal.getsignal(signal.SIGINT) == self._take:
            signal.signal(signal.SIGINT, before)

    def pass_on(self) -> None:
        """What waited comes now. Raises KeyboardInterrupt, mostly."""
        if self.came:
            signal.raise_signal(signal.SIGINT)

    def _take(self, number: int, frame: Any) -> None:
        before, now = self._before, clock.monotonic()
        if not self.came or before is None or now < self._passed + _ENDING_SECONDS:
            self.came = True
            return
        self._passed = now
        before(number, frame)
