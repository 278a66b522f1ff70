"""A template: a process that sleeps as the kernel was after a cell, and forks again when woken.

It is made by two forks, so that it is no child of the kernel's: nothing that the user's code does
with children meets it. It holds one connection, to the warden, and ends with it; it uses no
processor while it waits there. What goes on in its place is made by two forks more, so it can be
woken again.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import random  # noqa: TID251 - its state is the user's, and kept
import select
import signal
import socket
import struct
import sys
import time
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_rewind import clock
from jupyter_rewind.errors import RewindError, Unavailable
from jupyter_rewind.kernels.templates import descriptors
from jupyter_rewind.kernels.templates.safety import undisturbed
from jupyter_rewind.kernels.templates.warden import SOCKET

FORK_SECONDS, ANSWER_SECONDS = 5.0, 10.0
_DEATH_SIGNAL = 1
_CREDENTIALS = struct.Struct("3i")
_FIRST_TO_GO = b"1000"
_OOM, _NAME = Path("/proc/self/oom_score_adj"), Path("/proc/self/comm")
_COMM = "rewind-template"
_PAUSE_SECONDS, _PARENT_SECONDS = 0.002, 5.0
_SILENT = ("ignore", None, DeprecationWarning, None, 0)


class Warden:
    """The connection of this process to its warden, which `folder` belongs to."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._socket: socket.socket | None = None
        self._lines: Any = None
        self._left: list[object] = []

    def ask(self, verb: str, **words: Any) -> dict[str, Any]:
        """What it answers. Raises Unavailable."""
        try:
            self.say(verb, **words)
            answer = json.loads(self._lines.readline())
        except (OSError, ValueError) as error:
            self.close()
            raise Unavailable(
                f"The parent of this kernel does not answer: {error}.",
                hint="Nothing was changed.",
            ) from error
        except BaseException:
            # The answer is still to come, and would be taken for that to the next question.
            self.close()
            raise
        if "error" in answer:
            raise Unavailable(
                f"The parent of this kernel refuses: {answer['error']}.",
                hint="Nothing was changed.",
            )
        return dict(answer)

    def say(self, verb: str, **words: Any) -> None:
        """It hears that. Raises OSError."""
        if self._socket is None:
            self._connect()
        assert self._socket is not None
        self._socket.sendall(json.dumps({"verb": verb, **words}).encode() + b"\n")

    def wait(self) -> dict[str, Any] | None:
        """What it says next, however long that takes; None at its end."""
        assert self._socket is not None
        self._socket.settimeout(None)
        try:
            line = self._lines.readline()
            return dict(json.loads(line)) if line else None
        except (OSError, ValueError):
            return None

    def close(self) -> None:
        """There is no connection; the next word makes one."""
        with suppress(OSError):
            if self._socket is not None:
                self._lines.close()
                self._socket.close()
        self._socket = None

    @property
    def pid(self) -> int:
        """Its number. Raises OSError."""
        assert self._socket is not None
        told = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        return int(_CREDENTIALS.unpack(told)[0])

    def forget(self) -> None:
        """The connection is the parent's: this process has no part in it any more."""
        if self._socket is None:
            return
        self._left.append((self._socket, self._lines))
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, self._socket.fileno(), inheritable=False)
        os.close(null)
        self._socket = None

    def _connect(self) -> None:
        found = socket.socket(socket.AF_UNIX)
        found.settimeout(ANSWER_SECONDS)
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # A socket's own path may be only a hundred letters long.
            found.connect(f"/proc/self/fd/{descriptor}/{SOCKET}")
        except BaseException:
            found.close()
            raise
        finally:
            os.close(descriptor)
        self._socket, self._lines = found, found.makefile("rb")


@dataclass(frozen=True, slots=True)
class Awake:
    """This process goes on in the kernel's place. `sockets` are what that listened at, by port;
    `settle` is done when no library of ours needs chance any more."""

    sockets: dict[int, int]
    settle: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Bed:
    """What a template closes and keeps: nothing stays open below `folders`, and what listens at
    `ports` does; `own` are descriptors of things that are never closed. `lie_down` is done first in
    it, and may use nothing but the system."""

    ports: frozenset[int]
    folders: Collection[str]
    lie_down: Callable[[], object]
    own: frozenset[int] = frozenset()


def keep(
    warden: Warden, told: dict[str, Any], bed: Bed, find_obstacle: Callable[[], str]
) -> Awake | None:
    """A template of this process, as it is now, sleeps, known to the warden as `told`; None then.

    In a process that was woken this returns once more, with `Awake`. Raises Unavailable, also where
    there is an obstacle; there is no template then.
    """
    outcome = _fork_twice(find_obstacle)
    if isinstance(outcome, int):
        _announce(warden, outcome)
        return None
    outcome.lie_down()
    sockets = _fall_asleep(warden, told, bed)
    while (word := warden.wait()) is not None:
        if word.get("wake"):
            woken = _wake(warden, outcome)
            if woken:
                return Awake(sockets, outcome.settle)
    os._exit(0)


class _Mind:
    """What forks change, and what is put back as it was."""

    def __init__(self) -> None:
        self._random = random.getstate()
        self._collects = gc.isenabled()
        self._name = _NAME.read_text().strip()
        self._score = _OOM.read_text().strip()

    def lie_down(self) -> None:
        """No end of a user's object runs in the template; and it is the first to go when memory is
        short."""
        gc.disable()
        with suppress(OSError):
            _OOM.write_bytes(_FIRST_TO_GO)
            _NAME.write_text(_COMM)

    def take_back(self) -> None:
        """That is as it was."""
        with suppress(OSError):
            _OOM.write_text(self._score)
        with suppress(OSError):
            _NAME.write_text(self._name)
        if self._collects:
            gc.enable()

    def settle(self) -> None:
        """`random` goes on with the numbers that it would have drawn."""
        random.setstate(self._random)


def _fork_twice(find_obstacle: Callable[[], str] = str) -> int | _Mind:
    """The number of the process that was made; in that itself, what it was. Raises Unavailable."""
    mind = _Mind()
    read, write = os.pipe()
    try:
        # From the last look at the threads to the fork, this one neither reads nor writes.
        with undisturbed():
            obstacle = find_obstacle()
            if obstacle:
                raise Unavailable(obstacle)
            first = _fork()
        if first == 0:
            _fork_again(write)
            return mind
        os.close(write)
        write = -1
        number = _read_number(read, FORK_SECONDS)
        if number is None:
            os.kill(first, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(first, 0)
    except RewindError:
        raise
    except OSError as error:
        raise Unavailable(f"this process cannot be forked: {error.strerror}") from error
    finally:
        os.close(read)
        if write >= 0:
            os.close(write)
    if not number:
        raise Unavailable("the fork of this process did not come about in time")
    return number


def _fork_again(write: int) -> None:
    """Returns in the second process; the first one says its number, and is gone."""
    number = 0
    try:
        number = _fork()
        if number == 0:
            return
        os.write(write, f"{number}\n".encode())
    finally:
        if number or sys.exc_info()[0] is not None:
            os._exit(0)


def _read_number(read: int, seconds: float) -> int | None:
    poll = select.poll()  # `select.select` takes no number above 1023
    poll.register(read, select.POLLIN)
    if not poll.poll(seconds * 1000):
        return None
    with suppress(ValueError):
        return int(os.read(read, 64))
    return None


def _fork() -> int:
    # Python 3.12 warns of other threads: they were looked at. With `catch_warnings`, all that the
    # user has been warned of once would be told him anew.
    filters: Any = warnings.filters
    filters.insert(0, _SILENT)
    try:
        return os.fork()
    finally:
        with suppress(ValueError):
            filters.remove(_SILENT)


def _announce(warden: Warden, number: int) -> None:
    try:
        warden.say("expect", pid=number)
    except OSError as error:
        warden.close()
        with suppress(OSError):
            os.kill(number, signal.SIGKILL)
        raise Unavailable(f"the parent of this kernel cannot be reached: {error}") from error


def _fall_asleep(warden: Warden, told: dict[str, Any], bed: Bed) -> dict[int, int]:
    """Nothing is shared with the kernel that it would notice. Ends the process where that fails."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(-1)
        bed.lie_down()
        warden.forget()
        sockets = descriptors.part(bed.ports, bed.folders, bed.own)
        warden.say("template", **told)
        return sockets
    except BaseException:
        os._exit(1)


def _wake(warden: Warden, mind: _Mind) -> bool:
    """True in a new process that goes on; the template, in which it is False, sleeps again."""
    try:
        outcome = _fork_twice()
    except RewindError:
        outcome = 0
    if isinstance(outcome, int):
        try:
            warden.say("forked", pid=outcome)
        except OSError:
            os._exit(0)
        return False
    try:
        parent = warden.pid
        warden.forget()
        descriptors.reopen_files()
        mind.take_back()
        _end_with(parent)
    except BaseException:
        os._exit(1)
    return True


def _end_with(parent: int) -> None:
    """This process ends when the warden does, whose child it is as soon as the one between is
    gone."""
    deadline = clock.monotonic() + _PARENT_SECONDS
    while os.getppid() != parent and clock.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """An interrupt that this thread gets in the block comes at its end, and what is forked in it
    gets none. One that is sent to the whole process goes to a thread that takes it, if there is
    one, and the main thread hears of it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
