"""Locks between processes, on files of their own under `locks/`.

A lock ends with the process that holds it, however that ends. The files are beside the segments
and never the segments themselves: Windows would keep others from reading a locked file. Served by
portalocker (flock on POSIX, LockFileEx on Windows), which is imported with the first lock: it takes
a tenth of what a command that only reads may take.
"""

from __future__ import annotations

import errno
import functools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import BuiltinFunctionType
from typing import IO, TYPE_CHECKING, ClassVar
from weakref import WeakSet

from jupyter_rewind import clock
from jupyter_rewind.errors import Unavailable
from jupyter_rewind.store.durable import translate
from jupyter_rewind.store.standing import Identity, identify, is_named

if TYPE_CHECKING:
    from portalocker import LockFlags

_UNSUPPORTED = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
_TAKEN = {errno.EACCES, errno.EAGAIN}
_PAUSE_SECONDS = 0.004
_RENEWALS = 5


class ProcessLock:
    """A re-entrant lock between threads, found free by a forked child whoever held it before:
    the child has none of its parent's other threads, and would wait for them for ever."""

    _all: ClassVar[WeakSet[ProcessLock]] = WeakSet()

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._all.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    @classmethod
    def free_all(cls) -> None:
        for lock in cls._all:
            lock._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=ProcessLock.free_all)


class FileLock:
    """One process's hold on the lock file `path`; shared or exclusive, given up by `release`."""

    def __init__(self, path: Path, *, keeps_apart: bool = True) -> None:
        """One that only keeps an order need not be the file that others find."""
        self.path = path
        self._place = str(path)
        self._keeps_apart = keeps_apart
        self._file: IO[bytes] | None = None
        self._identity: Identity = (0, 0)

    def try_acquire(self, *, exclusive: bool) -> bool:
        """True when the lock is now held. Raises Unavailable where the system has no locks."""
        for _ in range(_RENEWALS):
            if not self._take(exclusive=exclusive):
                return False
            if not self._keeps_apart or self.is_standing():
                return True
            # Its file was taken away or replaced: whoever comes next locks the new one.
            self.release()
        return False

    def is_standing(self) -> bool:
        """True while the lock file that is held, or kept open, is the one that others find."""
        return self._file is not None and is_named(self._identity, self._place)

    def _take(self, *, exclusive: bool) -> bool:
        handle = self._file or self._open()
        try:
            is_free = _calls().take(handle, exclusive)
        except OSError as error:
            self._drop(handle)
            if error.errno in _UNSUPPORTED:
                raise _no_locks(self.path) from error
            raise translate(error, "lock", self.path) from error
        if not is_free:
            self._drop(handle)
            return False
        self._file = handle
        return True

    def acquire(self, *, exclusive: bool, timeout_seconds: float, doing: str) -> None:
        """The lock is held. Raises Unavailable when others held it for the whole time."""
        end = clock.monotonic() + timeout_seconds
        tries = 0
        while not self.try_acquire(exclusive=exclusive):
            tries += 1
            if clock.monotonic() > end or tries > timeout_seconds / _PAUSE_SECONDS:
                raise Unavailable(
                    f"Could not {doing}: another process has held {self.path} for"
                    f" {timeout_seconds:.3g} seconds.",
                    hint="Nothing was changed. Try again when it has ended.",
                    retryable=True,
                )
            time.sleep(_PAUSE_SECONDS)

    def release(self, *, remove: bool = False) -> None:
        """The lock is free again; with `remove`, its file is gone too."""
        if self._file is None:
            return
        handle, self._file = self._file, None
        try:
            if remove:
                self.path.unlink(missing_ok=True)
        except OSError:
            # The folder may have become one that nobody may write to: a file that nobody holds
            # says the same as none.
            pass
        finally:
            handle.close()

    def unlock(self) -> None:
        """The lock is free again, and its file stays open for the next time."""
        if self._file is None:
            return
        try:
            _calls().free(self._file)
        except OSError:
            # Closing the file frees it wherever unlocking does not work.
            self.release()

    def _drop(self, handle: IO[bytes]) -> None:
        self._file = None
        handle.close()

    def _open(self) -> IO[bytes]:
        try:
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            handle: IO[bytes] = open(self.path, "a+b", opener=_open_private)  # noqa: SIM115
            self._identity = identify(handle.fileno())
            return handle
        except FileNotFoundError as error:
            raise Unavailable(
                f"There is no {self.path.parent.parent} any more.",
                hint="Is its disk mounted? Nothing was changed.",
            ) from error
        except OSError as error:
            raise translate(error, "open the lock", self.path) from error


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class Barrier:
    """Writers pass it together; whoever removes bytes passes it alone.

    Everybody comes through a gate: who wants to be alone holds it while the others leave. Without
    it, four busy writers whose holds overlap kept a remover waiting for as long as they wrote.
    The lock files stay open between uses: a writer passes here with every commit. A forked child
    opens them anew, for it shares its parent's hold otherwise.
    """

    _SECONDS = 60.0

    def __init__(self, path: Path) -> None:
        self._path = path
        self._gate = FileLock(path.with_name("gate"), keeps_apart=False)
        self._lock = FileLock(path)
        self._pid = clock.process()

    @contextmanager
    def held(self, *, exclusive: bool, patience_seconds: float | None = None) -> Iterator[None]:
        """The barrier is held in the block. Raises Unavailable when others hold it for so long,
        a minute where it is not said how long.

        Where the file system knows no locks, writers pass all the same, for they own their
        files; removal (`exclusive`) is refused.
        """
        if self._pid != clock.process():
            self._pid = clock.process()
            self._gate = FileLock(self._path.with_name("gate"), keeps_apart=False)
            self._lock = FileLock(self._path)
        patience = self._SECONDS if patience_seconds is None else patience_seconds
        try:
            try:
                self._pass(self._gate, exclusive, patience)
                self._pass(self._lock, exclusive, patience)
            finally:
                self._gate.unlock()
        except Unavailable as error:
            if exclusive or error.code != "no_locks":
                raise
        try:
            yield
        finally:
            self._lock.unlock()

    def close(self) -> None:
        self._gate.release()
        self._lock.release()

    def _pass(self, lock: FileLock, exclusive: bool, seconds: float) -> None:
        doing = "write to the store"
        lock.acquire(exclusive=exclusive, timeout_seconds=seconds, doing=doing)


def is_locked(path: Path) -> bool:
    """True while a process holds `path` exclusively. Raises Unavailable when nobody can tell."""
    if not path.exists():
        return False
    lock = FileLock(path)
    # Shared: another one that asks at this very moment is no holder.
    if not lock.try_acquire(exclusive=False):
        return True
    lock.release()
    return False


@dataclass(frozen=True, slots=True)
class _Calls:
    """How a file is locked here, without waiting: `take` is False where somebody else's hold
    forbids it; both raise OSError."""

    take: Callable[[IO[bytes], bool], bool]
    free: Callable[[IO[bytes]], object]


@functools.cache
def _calls() -> _Calls:
    """The system call itself where portalocker names one (flock on POSIX): what it puts around
    it takes a tenth of a small commit. Else portalocker's own functions."""
    from portalocker import LockFlags
    from portalocker.portalocker import LOCKER

    at_once = LockFlags.NON_BLOCKING
    flags = (at_once | LockFlags.SHARED, at_once | LockFlags.EXCLUSIVE)
    if isinstance(LOCKER, BuiltinFunctionType):
        return _system_calls(LOCKER, (int(flags[0]), int(flags[1])), int(LockFlags.UNBLOCK))
    return _portalocker_calls(flags)


def _system_calls(
    call: Callable[[int, int], object], flags: tuple[int, int], unlock: int
) -> _Calls:
    def take(file: IO[bytes], exclusive: bool) -> bool:
        try:
            call(file.fileno(), flags[exclusive])
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            raise
        return True

    return _Calls(take, lambda file: call(file.fileno(), unlock))


def _portalocker_calls(flags: tuple[LockFlags, LockFlags]) -> _Calls:
    import portalocker

    refusals = portalocker.exceptions.BaseLockException

    def take(file: IO[bytes], exclusive: bool) -> bool:
        try:
            portalocker.lock(file, flags[exclusive])
        except refusals as error:
            if (cause := _unsupported(error)) is not None:
                raise cause from error
            return False
        return True

    def free(file: IO[bytes]) -> None:
        try:
            portalocker.unlock(file)
        except refusals as error:
            raise OSError(errno.EIO, str(error)) from error

    return _Calls(take, free)


def _unsupported(error: BaseException) -> OSError | None:
    causes = (error.__cause__, error.__context__, *error.args)
    errors = (cause for cause in causes if isinstance(cause, OSError))
    return next((cause for cause in errors if cause.errno in _UNSUPPORTED), None)


def _no_locks(path: Path) -> Unavailable:
    return Unavailable(
        f"The file system of {path.parent} has no working locks.",
        code="no_locks",
        hint="Checkpoints are safe there, but nothing can be collected. Set another place with"
        " `jupyter rewind config set store.path`.",
    )
