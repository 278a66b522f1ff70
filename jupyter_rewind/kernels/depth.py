"""How deep Rewind goes into a value: never deeper than the stack of C reaches.

A stack that ends takes the whole kernel with it, and no `except` sees it. Up to Python 3.11 one
limit counts the calls of Python and those of C, and only the former need no stack of C: it must not
be far above what the stack holds while code in C, or the user's own, runs under it. From 3.12 on
calls of C have a limit of their own.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

_ONE_LIMIT = sys.version_info < (3, 12)
_BYTES_EACH = 1_024
"""What a call takes of the stack of C. Measured on 3.11: 90 to 190 bytes in the pickler, 140 to 180
where lists are printed or compared, 400 to 800 where code in Python and in C call each other."""
_USUAL = 1_000
_ASSUMED_BYTES = 8 << 20 if sys.platform != "win32" else 2 << 20
_STEP = 400
_HIGHEST = 2**31 - 1
MOST = 600_000
"""Calls of Python's own, of 250 bytes each. A list in a list takes three of them, an object that
is an attribute of another five."""
TOO_DEEP = "it is nested too deeply to be kept"


class Room:
    """Room for calls of Python alone, as many as there are at the moment: whatever else is called
    on the way down has as much as it always has, so that endless calls of the user's end in time.

    The limit holds in all threads; it is never below what it was.
    """

    _lock = threading.RLock()

    def __enter__(self) -> Self:
        self._lock.acquire()
        self._before = sys.getrecursionlimit()
        self.mark = 0
        sys.setrecursionlimit(min(self._before + _STEP, _HIGHEST))
        return self

    def __exit__(self, *_: object) -> None:
        try:
            sys.setrecursionlimit(self._before)
        finally:
            self._lock.release()

    def go(self, depth: int) -> None:
        """There is room for `depth` calls. Raises RecursionError where these are too many."""
        if -_STEP < depth - self.mark < _STEP:
            return
        if depth > MOST:
            raise RecursionError(TOO_DEEP)
        self.mark = depth
        sys.setrecursionlimit(min(self._before + depth + _STEP, _HIGHEST))


@contextmanager
def within_the_stack() -> Iterator[None]:
    """In the block, Python raises RecursionError before the stack ends, whatever limit the user
    has set. One that lets no stack end stays as it is."""
    before, most = sys.getrecursionlimit(), _levels_in_the_stack()
    if not _ONE_LIMIT or before <= most:
        yield
        return
    try:
        sys.setrecursionlimit(most)
    except RecursionError:  # so deep already
        yield
        return
    try:
        yield
    finally:
        if sys.getrecursionlimit() == most:
            sys.setrecursionlimit(before)


def _levels_in_the_stack() -> int:
    return max(_USUAL, _stack_bytes() // _BYTES_EACH)


def _stack_bytes() -> int:
    if threading.current_thread() is not threading.main_thread() and threading.stack_size():
        return threading.stack_size()
    try:
        import resource
    except ImportError:
        return _ASSUMED_BYTES
    size = resource.getrlimit(resource.RLIMIT_STACK)[0]
    return _ASSUMED_BYTES if size == resource.RLIM_INFINITY else size
