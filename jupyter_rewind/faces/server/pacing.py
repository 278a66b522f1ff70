"""How much is kept of notebooks that are only listed: one at a time, and so many bytes a second.

A checkout or a synchronised folder changes hundreds of files at once, and to keep a large one takes
as long as many answers of the server. Nobody waits for them.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from jupyter_rewind import clock

# A tenth of what one thread stores: a notebook of 100 MB gives the server 12 seconds of rest.
_BYTES_A_SECOND = 8 << 20
# A store that takes nothing is asked, and its refusal told, no more often than this.
_REFUSED_SECONDS = 30.0


class Pace:
    """When the next one may be kept."""

    def __init__(self) -> None:
        self._last: Future[Any] | None = None
        self._rest_until = 0.0

    @property
    def has_room(self) -> bool:
        """Whether the next one may be kept now."""
        return self.under_way is None and clock.monotonic() >= self._rest_until

    @property
    def under_way(self) -> Future[Any] | None:
        """The one that is being kept; None when there is none."""
        last = self._last
        return None if last is None or last.done() else last

    def begin(self, kept: Future[Any], size_bytes: int) -> None:
        """One of this size will be `kept`."""
        self._last = kept
        self._rest_until = clock.monotonic() + size_bytes / _BYTES_A_SECOND
        kept.add_done_callback(self._note_end)

    def _note_end(self, kept: Future[Any]) -> None:
        if kept.cancelled() or kept.exception() is not None or kept.result() is None:
            self._rest_until = max(self._rest_until, clock.monotonic() + _REFUSED_SECONDS)
