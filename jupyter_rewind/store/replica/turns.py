"""One push to a replica, and one pull into a store, at a time on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jupyter_rewind.errors import Conflict, Unavailable
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.locks import FileLock

BUSY = "busy"
"""The code of the error where another process is at it."""
PUSHING = "pushing"
"""What pushes do beside one another, and who writes segments anew does alone."""


def has_turns(layout: Layout) -> bool:
    """Whether processes of this machine can take turns here: some file systems have no locks."""
    lock = FileLock(layout.locks / "turns")
    try:
        lock.try_acquire(exclusive=False)
    except Unavailable as error:
        if error.code != "no_locks":
            raise
        return False
    finally:
        lock.release()
    return True


@contextmanager
def taking_turns(
    layout: Layout, name: str, other: str, *, exclusive: bool = True
) -> Iterator[None]:
    """No other process of this machine does meanwhile what goes by `name`; unless `exclusive`,
    others that are not may. Where the file system has no locks, several may. Raises Conflict, which
    calls the other one `other`."""
    lock = FileLock(layout.locks / name)
    try:
        if not lock.try_acquire(exclusive=exclusive):
            raise Conflict(
                f"{other} is at work.",
                code=BUSY,
                hint="Nothing was changed. Try again when it has ended.",
                retryable=True,
            )
    except Unavailable as error:
        if error.code != "no_locks":
            raise
    try:
        yield
    finally:
        lock.release()
