"""Whose turn it is: to keep the store up, now and then; to decide about one thing, at once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from blake3 import blake3

from jupyter_rewind import clock
from jupyter_rewind.errors import RewindError
from jupyter_rewind.store.durable import Files, read_text_or_empty
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.locks import FileLock

log = logging.getLogger(__name__)
_LANES = 64


@contextmanager
def take_turn(layout: Layout, interval_ns: int) -> Iterator[bool]:
    """True where upkeep is due and nobody else is at it; counted as done when the block ends well.

    Raises Unavailable where there are no locks.
    """
    turn = FileLock(layout.locks / "keep-up")
    if not turn.try_acquire(exclusive=True):
        yield False
        return
    try:
        stamp = layout.folder / "upkeep"
        last = read_text_or_empty(stamp)
        is_due = not (last.isdigit() and 0 <= clock.now_ns() - int(last) < interval_ns)
        yield is_due
        if is_due:
            Files().replace_file(stamp, str(clock.now_ns()).encode())
    finally:
        turn.release()


@contextmanager
def queue_for(layout: Layout, key: str, *, patience_seconds: float) -> Iterator[None]:
    """Whoever asks for the same `key`, in any process or thread, comes one after the other.

    It keeps work from being done twice and never prevents it: where there are no locks, or one
    before has not ended after so long, the block runs all the same.
    """
    turn = lane_lock(layout, "record", key)
    try:
        turn.acquire(exclusive=True, timeout_seconds=patience_seconds, doing="wait for a turn")
    except RewindError as error:
        log.debug("not waited for: %s", error)
    try:
        yield
    finally:
        turn.release()


def lane_lock(layout: Layout, purpose: str, key: str) -> FileLock:
    """The lock for which all compete who do this with `key`, and a few others."""
    lane = blake3(key.encode("utf-8", "surrogatepass")).digest()[0] % _LANES
    return FileLock(layout.locks / f"{purpose}-{lane:02}", keeps_apart=False)
