"""Time, random ids, host, user and process: the one doorway to accidents.

All other modules ask here, so that a test can turn the hands of the clock (`use`). What a user's
code does to `time` or `os`, by hand or with a library that stops clocks, is not seen here.
"""

from __future__ import annotations

import functools
import getpass
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Taken once, and in a tuple: libraries that stop the clock for a test go through the names of all
# modules, and put theirs in the place of these functions.
_SYSTEM = (time.time_ns, time.monotonic, os.getpid, time.thread_time, os.fstat)


class SystemClock:
    """The machine's own clock and chance."""

    def now_ns(self) -> int:
        return _SYSTEM[0]()

    def monotonic(self) -> float:
        return _SYSTEM[1]()

    def working(self) -> float:
        return _SYSTEM[3]()

    def token(self, size: int) -> bytes:
        return secrets.token_bytes(size)


class FakeClock(SystemClock):
    """A clock that stands still until it is moved, with repeatable ids."""

    def __init__(self, start_ns: int = 1_790_000_000_000_000_000, seed: int = 0) -> None:
        self.time_ns = start_ns
        self._count = seed << 32

    def now_ns(self) -> int:
        return self.time_ns

    def monotonic(self) -> float:
        return self.time_ns / 1e9

    def working(self) -> float:
        return self.monotonic()

    def advance(self, seconds: float) -> None:
        self.time_ns += int(seconds * 1e9)

    def token(self, size: int) -> bytes:
        import hashlib

        self._count += 1
        return hashlib.shake_128(self._count.to_bytes(12, "big")).digest(size)


_clock: SystemClock = SystemClock()
_life = -1


@contextmanager
def use(clock: SystemClock) -> Iterator[SystemClock]:
    """`clock` answers for the whole process until the block ends."""
    global _clock
    before, _clock = _clock, clock
    try:
        yield clock
    finally:
        _clock = before


def now_ns() -> int:
    """Nanoseconds since 1970-01-01 UTC, by the wall clock; it may jump."""
    return _clock.now_ns()


def monotonic() -> float:
    """Seconds that only grow; for durations."""
    return _clock.monotonic()


def ticking() -> Callable[[], float]:
    """What tells seconds that only grow, for whoever cannot afford a step in between."""
    return _SYSTEM[1]


def working() -> float:
    """Seconds that this thread was on a processor; for work whose amount counts, however busy the
    machine is with other things."""
    return _clock.working()


def token(size: int) -> bytes:
    """`size` unpredictable bytes."""
    return _clock.token(size)


def new_id() -> str:
    """A random id of 16 lower-case hexadecimal digits (64 bits)."""
    return _clock.token(8).hex()


@functools.cache
def host() -> str:
    """This machine's name."""
    return socket.gethostname() or "unknown"


def pid() -> int:
    """This process's id; asked each time, for a fork changes it."""
    return _SYSTEM[2]()


def process() -> object:
    """What tells this process from its children, and from what it was before it came back from a
    process image: what was opened in another one is another one's."""
    return _SYSTEM[2]() if _life < 0 else (_SYSTEM[2](), _identity(_life))


def watch_life(file: Path) -> None:
    """From now on, `process` is another one once this process has come back from an image: it has
    `file` open then as another file. Where it cannot be opened, no image is made of it."""
    global _life
    if _life < 0:
        with suppress(OSError):
            _life = os.open(file, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))


def _identity(descriptor: int) -> tuple[int, int, int]:
    try:
        status = _SYSTEM[4](descriptor)
    except OSError:
        return (0, 0, 0)
    return (status.st_dev, status.st_ino, status.st_mtime_ns)


@functools.cache
def boot_id() -> str:
    """A name for the time since this machine started: another one after a crash or a reboot."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        # macOS and Windows: the moment of the start, rounded to a minute against clock adjustments.
        return f"{host()}-{round((_SYSTEM[0]() / 1e9 - _SYSTEM[1]()) / 60)}"


@functools.cache
def user() -> str:
    """The login name, or the numeric id where the system knows no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"
