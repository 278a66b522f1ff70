"""Whether this process may be forked into one that goes on later, or what stands in the way.

A fork takes along one thread only. A lock that another one holds stays taken in the child for ever,
and a library whose threads are gone waits for them for ever; the parent itself stands still where
OpenBLAS ends its threads while one of them works. So every other thread of Python must wait, and
there must be no thread of a library but those that can be ended beforehand, and begin anew by
themselves. What is not known to wait is taken to work.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from jupyter_rewind import clock
from jupyter_rewind.kernels.templates.descriptors import open_devices

_TASKS = "/proc/self/task"
_WAITING = frozenset(
    {
        ("threading.py", "wait"),
        ("threading.py", "join"),
        ("threading.py", "_wait_for_tstate_lock"),
        ("selectors.py", "select"),
        ("selectors.py", "poll"),
        ("socket.py", "accept"),
        ("thread.py", "_worker"),
        ("connection.py", "_recv"),
        ("pool.py", "_handle_tasks"),
    }
)
"""Functions of the standard library, innermost in a thread that waits for others."""
_SLEEPING = {"x86_64": {"35", "230"}, "aarch64": {"101", "115"}}.get(platform.machine(), set())
"""The numbers of the system calls that `time.sleep` waits in."""
_ENDS_SOCKETS = "ZMQbg/Reaper"
_HARMLESS = ("ZMQbg/", "jemalloc_bg_thd")
"""Threads of the channels that the kernel makes anew, and one whose library knows of forks."""
_DEVICES = ("/dev/nvidia", "/dev/kfd", "/dev/dri/", "/dev/accel", "/dev/xpu")
_HARD = 2
_ENDING_SECONDS, _PAUSE_SECONDS = 0.2, 0.001
_staying: frozenset[int] = frozenset()
"""The threads of libraries that were there the last time: they are not waited for again."""
_LONG_SECONDS = 1.0


@contextmanager
def undisturbed() -> Iterator[None]:
    """In the block no other thread of Python runs once `find_obstacle` has found none, unless this
    one waits or reads or writes."""
    before = sys.getswitchinterval()
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def find_obstacle(spared: Callable[[threading.Thread], bool]) -> str:
    """Why no fork may be made now; empty where it may, until the `undisturbed` block that this is
    called in has ended. `spared` says of a thread that it may be forked away at any time."""
    if threading.current_thread() is not threading.main_thread():
        return "it does not run in the main thread"
    found = _at_work(spared, sleeping := _sleeping_threads(spared)) or _graphics()
    if found:
        return found
    if _find_foreign_threads():
        pools = list(_pools())
        with undisturbed():
            # Where one of them works, its end would be waited for, and nobody could stop that.
            found = _at_work_alone(spared, sleeping)
            if found:
                return found
            for end in pools:
                end()
    return _foreign_threads() or _at_work_alone(spared, sleeping)


def wait_until_idle(is_meant: Callable[[threading.Thread], bool], seconds: float) -> bool:
    """True as soon as those threads wait; False when the time is up."""
    deadline = clock.monotonic() + seconds
    while True:
        frames = sys._current_frames()
        meant = [frames.get(each.ident or 0) for each in threading.enumerate() if is_meant(each)]
        if all(frame is None or _waits(frame) for frame in meant):
            return True
        if clock.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_SECONDS)


def pause(seconds: float) -> None:
    """Other threads run meanwhile."""
    time.sleep(seconds)


def names_of_threads(spared: Callable[[threading.Thread], bool]) -> list[str]:
    """The user's own threads, which no fork takes along."""
    mine = threading.main_thread()
    return sorted(
        each.name for each in threading.enumerate() if each is not mine and not spared(each)
    )


def count_channels() -> int:
    """How many contexts of ZeroMQ are in use; each has one thread that ends its sockets."""
    return sum(name.startswith(_ENDS_SOCKETS) for name in _names_of_tasks().values())


def _graphics() -> str:
    for name in open_devices():
        if name.startswith(_DEVICES):
            return f"it uses {name}, and the memory of graphics cards cannot be forked"
    with suppress(OSError):
        if "/libcuda.so" in Path("/proc/self/maps").read_text(errors="replace"):
            return "CUDA is loaded, and its memory cannot be forked"
    return ""


def _at_work_alone(
    spared: Callable[[threading.Thread], bool], sleeping: Collection[tuple[int, FrameType, int]]
) -> str:
    """As `_at_work`, which is then so until this thread reads a file or the block ends: to read one
    with that long a turn would be to wait as long for a thread that works."""
    sys.setswitchinterval(_LONG_SECONDS)
    return _at_work(spared, sleeping)


def _at_work(
    spared: Callable[[threading.Thread], bool], sleeping: Collection[tuple[int, FrameType, int]]
) -> str:
    mine = threading.get_ident()
    threads = {each.ident: each for each in threading.enumerate()}
    for ident, frame in sys._current_frames().items():
        if ident == mine:
            continue
        thread = threads.get(ident)
        if thread is not None and spared(thread):
            continue
        if not _waits(frame) and (ident, frame, frame.f_lasti) not in sleeping:
            name = "a thread" if thread is None else f"the thread {thread.name}"
            return f"{name} is not known to wait (in {frame.f_code.co_name})"
    return ""


def _waits(frame: FrameType) -> bool:
    code = frame.f_code
    if (os.path.basename(code.co_filename), code.co_name) not in _WAITING:
        return False
    folder = os.path.dirname(code.co_filename)
    return folder.startswith(_STANDARD) and "-packages" not in folder


_STANDARD = os.path.dirname(os.__file__)


def _sleeping_threads(
    spared: Callable[[threading.Thread], bool],
) -> set[tuple[int, FrameType, int]]:
    """Threads that are in `time.sleep`, with the place where they are; of those alone that matter
    and do not wait elsewhere, for each look hands over to those that work."""
    if not _SLEEPING:
        return set()
    frames = sys._current_frames()
    found = set()
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if frame is None or thread is threading.current_thread():
            continue
        if _waits(frame) or spared(thread):
            continue
        with suppress(OSError):
            call = Path(_TASKS, str(thread.native_id), "syscall").read_text().split()
            if call[0] in _SLEEPING:
                found.add((thread.ident or 0, frame, frame.f_lasti))
    return found


def _foreign_threads() -> str:
    """A thread that has ended may be listed for a moment longer."""
    global _staying
    deadline = clock.monotonic() + _ENDING_SECONDS
    while (found := _find_foreign_threads()) and not _staying & found.keys():
        if clock.monotonic() > deadline:
            break
        time.sleep(_PAUSE_SECONDS)
    _staying = frozenset(found)
    if not found:
        return ""
    what = ", ".join(sorted(set(found.values())))
    number = f"{len(found)} threads" if len(found) > 1 else "a thread"
    return f"a library has {number} ({what}) that would not come back"


def _find_foreign_threads() -> dict[int, str]:
    """Their names by their numbers."""
    tasks = _names_of_tasks().items()
    found = {number: name for number, name in tasks if not name.startswith(_HARMLESS)}
    for thread in threading.enumerate():
        found.pop(thread.native_id or 0, None)
    found.pop(clock.pid(), None)  # Python 3.11 goes on with the number that it had before a fork
    return found


def _names_of_tasks() -> dict[int, str]:
    found = {}
    for number in os.listdir(_TASKS):
        with suppress(OSError):  # it has ended since
            found[int(number)] = Path(_TASKS, number, "comm").read_text().strip()
    return found


def _pools() -> Iterator[Callable[[], object]]:
    """What ends the threads of OpenMP and OpenBLAS, where none works; the next use starts them
    anew. To call it reads no file, and no other thread of Python runs meanwhile."""
    for library in _loaded("libgomp"):
        yield from _find(library, "omp_pause_resource_all", _HARD)
    for library in _loaded("openblas"):
        yield from _find(library, "blas_thread_shutdown_")


def _find(library: str, name: str, *words: int) -> Iterator[Callable[[], object]]:
    with suppress(OSError, AttributeError):
        # PyDLL, and not CDLL, which would let other threads run.
        act: Any = getattr(ctypes.PyDLL(library), name)
        yield functools.partial(act, *words)


def _loaded(name: str) -> list[str]:
    try:
        lines = Path("/proc/self/maps").read_text(errors="replace").splitlines()
    except OSError:
        return []
    paths = {line.partition("/")[2] for line in lines if "/" in line}
    return sorted(f"/{path}" for path in paths if name in os.path.basename(path))
