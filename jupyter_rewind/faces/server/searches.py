"""Looks at the store that may take seconds of processor time, searches and comparisons: one of a
kind at a time, on a thread of their own, so that lists, restores and saves never wait for them. Too
many of them are refused in words.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from jupyter_rewind.errors import Unavailable

T = TypeVar("T")

#: So many may wait besides the one that runs.
WAITING_LIMIT = 8


class Searches:
    """The looks of one kind of one server, in the order in which they were asked for."""

    def __init__(self, kind: str) -> None:
        """`kind` is their name, in the plural."""
        self._kind = kind
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"rewind-{kind}")
        self._unfinished = 0
        self._lock = threading.Lock()

    @property
    def unfinished(self) -> int:
        """How many run or wait."""
        return self._unfinished

    def submit(self, act: Callable[[], T]) -> Future[T]:
        """The future of `act`, which can be cancelled while it waits.

        Raises Unavailable when too many wait already, or the server is stopping.
        """
        with self._lock:
            if self._unfinished > WAITING_LIMIT:
                raise Unavailable(
                    f"{self._unfinished} {self._kind} run or wait already.",
                    code="busy",
                    hint="Ask again in a moment.",
                    retryable=True,
                )
            try:
                future = self._thread.submit(act)
            except RuntimeError as error:
                raise Unavailable("The server is stopping.") from error
            self._unfinished += 1
        future.add_done_callback(self._finish)
        return future

    def stop(self, *, wait: bool) -> None:
        """Nothing is begun any more: what waited is cancelled, what runs ends at its leisure, or
        is waited for."""
        self._thread.shutdown(wait=wait, cancel_futures=True)

    def _finish(self, _: Future[T]) -> None:
        with self._lock:
            self._unfinished -= 1
