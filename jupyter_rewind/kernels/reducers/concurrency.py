"""Locks, threads, queues and pools: what can be made anew, and what runs and cannot be kept."""

from __future__ import annotations

import _thread
import gc
import queue
import sys
import threading
from typing import Any

from jupyter_rewind.kernels.reducers.contract import Context, Reduction, stand_in
from jupyter_rewind.kernels.reducers.registry import Registry
from jupyter_rewind.model.snapshot import Fidelity


def register(registry: Registry) -> None:
    registry.add(type(_thread.allocate_lock()), reduce_lock)
    registry.add(type(threading.RLock()), reduce_rlock)
    registry.add(queue.SimpleQueue, reduce_simple_queue)
    registry.add(threading.Thread, reduce_thread, subclasses=True)
    registry.add(threading.local, reduce_local, subclasses=True)
    for name, what, how in _RUNNING:
        registry.add_named(name, _stand_in(what, how))
    registry.add_named("concurrent.futures._base.Future", reduce_future)
    registry.add_named("subprocess.Popen", reduce_process)


_AGAIN = "run the cell that started it again"

_RUNNING = (
    ("concurrent.futures._base.Executor", "a pool of workers", _AGAIN),
    ("multiprocessing.pool.Pool", "a pool of processes", _AGAIN),
    ("multiprocessing.managers.BaseManager", "a manager process", _AGAIN),
    ("multiprocessing.managers.BaseProxy", "a value of another process", _AGAIN),
    ("multiprocessing.process.BaseProcess", "a process", _AGAIN),
    ("multiprocessing.queues.Queue", "a queue between processes", _AGAIN),
    ("multiprocessing.queues.SimpleQueue", "a queue between processes", _AGAIN),
    ("multiprocessing.synchronize.SemLock", "a lock between processes", _AGAIN),
    ("multiprocessing.connection._ConnectionBase", "a pipe to another process", _AGAIN),
    ("multiprocessing.shared_memory.SharedMemory", "memory shared by processes", _AGAIN),
    ("multiprocessing.sharedctypes.SynchronizedBase", "memory shared by processes", _AGAIN),
    ("asyncio.events.AbstractEventLoop", "an event loop", "the kernel has its own"),
    ("asyncio.base_events.Server", "a server that listened", _AGAIN),
    ("asyncio.streams.StreamReader", "an open stream", _AGAIN),
    ("asyncio.streams.StreamWriter", "an open stream", _AGAIN),
    ("_asyncio.Future", "a future of an event loop", _AGAIN),
    ("_asyncio.Task", "a task of an event loop", _AGAIN),
    ("asyncio.futures.Future", "a future of an event loop", _AGAIN),
    ("asyncio.subprocess.Process", "a process", _AGAIN),
    ("socketserver.BaseServer", "a server that listened", _AGAIN),
    ("sched.scheduler", "a scheduler of calls", _AGAIN),
)


def _stand_in(what: str, how: str) -> Any:
    def reduce_running(value: Any, context: Context) -> Reduction:
        return stand_in(value, context, what, how)

    return reduce_running


def reduce_lock(value: Any, context: Context) -> Reduction:
    held = value.locked()
    if held:
        context.note(Fidelity.REBUILT, "a lock that is held; who holds it is not kept")
    return rebuild_lock, (held,)


def rebuild_lock(held: bool) -> Any:
    lock = threading.Lock()
    if held:
        lock.acquire()
    return lock


def reduce_rlock(value: Any, context: Context) -> Reduction:
    # The owner and the depth are told nowhere but in the repr before Python 3.14.
    words = repr(value)
    depth = int(words.partition("count=")[2].split()[0]) if "count=" in words else 0
    if depth:
        context.note(Fidelity.REBUILT, "a lock that is held; who holds it is not kept")
    return rebuild_rlock, (depth if value._is_owned() else 0,)


def rebuild_rlock(depth: int) -> Any:
    lock = threading.RLock()
    for _ in range(depth):
        lock.acquire()
    return lock


def reduce_simple_queue(value: Any, _: Context) -> Reduction:
    held = [item for item in gc.get_referents(value) if item is not type(value)]
    if sys.version_info < (3, 13):
        # One list, whose first places were taken already.
        held = next((item for item in held if type(item) is list), [])
    size = value.qsize()
    return queue.SimpleQueue, (), held[len(held) - size :], None, None, fill_queue


def fill_queue(target: Any, items: list[Any]) -> None:
    for item in items:
        target.put(item)


_OF_THE_PROCESS = frozenset({"_handle", "_tstate_lock", "_invoke_excepthook", "_stderr"})
"""What a thread object holds of the process it was made in."""


def reduce_thread(value: threading.Thread, context: Context) -> Reduction:
    if value.is_alive() or value is threading.main_thread():
        return stand_in(value, context, f"a running thread {value.name!r}", _AGAIN)
    context.note(Fidelity.REBUILT, "a thread that did not run")
    state = {name: held for name, held in vars(value).items() if name not in _OF_THE_PROCESS}
    return rebuild_thread, (type(value),), state, None, None, set_thread


def rebuild_thread(kind: type[threading.Thread]) -> threading.Thread:
    return kind.__new__(kind)


def set_thread(thread: Any, state: dict[str, Any]) -> None:
    vars(thread).update(state)
    make_hook = threading._make_invoke_excepthook  # type: ignore[attr-defined]
    _thread: Any = sys.modules["_thread"]
    vars(thread).update(_stderr=sys.stderr, _invoke_excepthook=make_hook())
    if not hasattr(_thread, "_ThreadHandle"):
        # Before 3.13 a thread that ended has no lock any more; one that never began has none yet.
        vars(thread)["_tstate_lock"] = None
    elif state["_started"].is_set():
        handle = vars(thread)["_handle"] = _thread._make_thread_handle(state["_ident"])
        handle._set_done()
    else:
        vars(thread)["_handle"] = _thread._ThreadHandle()


def reduce_local(value: threading.local, context: Context) -> Reduction:
    context.note(Fidelity.REBUILT, "only what this thread sees of it is kept")
    return rebuild_local, (type(value),), dict(value.__dict__)


def rebuild_local(kind: type[threading.local]) -> threading.local:
    return kind.__new__(kind)


def reduce_future(value: Any, context: Context) -> Reduction:
    if not value.done() or value.cancelled():
        return stand_in(value, context, "a future that was not done", _AGAIN)
    context.note(Fidelity.REBUILT, "a future that is done; its callbacks are not kept")
    error = value.exception(timeout=0)
    return rebuild_future, (), (None if error else value.result(0), error), None, None, set_future


def rebuild_future() -> Any:
    from concurrent.futures import Future

    return Future()


def set_future(future: Any, outcome: tuple[Any, BaseException | None]) -> None:
    result, error = outcome
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


def reduce_process(value: Any, context: Context) -> Reduction:
    # Not poll(): that would reap the process.
    ended = value.returncode is not None
    what = f"a process {value.args!r}"
    if ended:
        what += f", which ended with {value.returncode}"
    return stand_in(value, context, what, _AGAIN, {"args": value.args, "code": value.returncode})
