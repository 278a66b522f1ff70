"""Whose turn it is to keep the store up: one process's at a time, and not too often."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jupyter_rewind import clock
from jupyter_rewind.store.durable import Files, read_text_or_empty
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.locks import FileLock


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
