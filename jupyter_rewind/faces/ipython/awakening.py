"""A template that was woken becomes the kernel: the same objects, with new sockets and threads.

The process is deep in the cell after which it fell asleep. That cell never ends here: a loop of its
own runs on top of it, for as long as the kernel lives. What belonged to the threads that no fork
takes along (sockets, loops, IPython's connection to its history) is made anew in its place; all
that is left of the old is held for ever, so that nothing ends what the parent still uses. Sockets
that listened go on listening.
"""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import functools
import inspect
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from types import FrameType
from typing import Any, NoReturn

import zmq

from jupyter_rewind import clock
from jupyter_rewind.kernels.templates.dormant import Awake

log = logging.getLogger(__name__)
_SUBSCRIBED_SECONDS, _CONNECTED_SECONDS, _PAUSE_SECONDS = 5.0, 0.3, 0.01
_CHANNELS = (
    "control_stream", "debugpy_stream", "debug_shell_socket", "shell_stream", "control_thread",
    "shell_channel_thread", "iopub_thread", "iopub_socket", "stdin_socket",
)  # fmt: skip
_THREADS = ("heartbeat", "control_thread", "shell_channel_thread")
_TURNS, _TURN_SECONDS = 3, 1.0
_STATE_BYTES = 128
_left: list[object] = []
_depth = 0


def depth() -> int:
    """How many frames this thread has."""
    frame: FrameType | None = sys._getframe()
    found = 0
    while frame is not None:
        frame, found = frame.f_back, found + 1
    return found


def go_on(
    kernel: Any, awake: Awake, begin: Callable[[], None], say_up: Callable[[], object]
) -> NoReturn:
    """The kernel serves until it is shut down; then this process ends. `begin` is done before it
    serves, `say_up` as soon as it does."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        _allow_depth()
        _leave_children()
        _leave_loop()
        with _chance_of_c():
            _revive(kernel, awake.sockets)
            begin()
        kernel.start()
        kernel._publish_status("idle", "shell")
        awake.settle()
        kernel.io_loop.add_callback(say_up)
        status = 0
        try:
            kernel.io_loop.start()
        except KeyboardInterrupt:
            pass
        except SystemExit as wish:
            status = wish.code if isinstance(wish.code, int) else 0
        atexit._run_exitfuncs()
    except BaseException:
        status = status or 1
        os.write(2, traceback.format_exc().encode("utf-8", "replace"))
    finally:
        os._exit(status)


def lie_down(kernel: Any) -> None:
    """Nothing that the template prints reaches the kernel's pages."""
    for stream in _streams(kernel):
        copy = getattr(stream, "_original_stdstream_copy", None)
        if copy is not None:
            os.dup2(copy, stream._original_stdstream_fd)


def close_channels(kernel: Any) -> None:
    """All that the kernel has said is with its pages; it says and hears nothing more."""
    channel = getattr(kernel, "shell_channel_thread", None)
    if channel is not None:
        _pass_through(channel.io_loop.add_callback)
    _pass_through(kernel.iopub_thread.schedule)
    # As at any end of a kernel: ZeroMQ waits until what is on its way has gone.
    kernel.parent.close()


def _pass_through(call: Callable[[Callable[[], object]], object]) -> None:
    """What the thread was given before has been done; a few times, for it also has to be read."""
    for _ in range(_TURNS):
        done = threading.Event()
        call(done.set)
        done.wait(_TURN_SECONDS)


def own_descriptors(kernel: Any) -> frozenset[int]:
    """Those of the kernel's loops and streams, which `go_on` replaces and holds for ever."""
    app = kernel.parent
    loops = [kernel.io_loop]
    for name in ("iopub_thread", "control_thread", "shell_channel_thread"):
        loops.append(getattr(getattr(app, name, None), "io_loop", None))
    found = [getattr(each, "_fid", None) for each in _streams(kernel)]
    for loop in loops:
        inner = getattr(loop, "asyncio_loop", None)
        for name in ("_selector", "_ssock", "_csock"):
            held = getattr(inner, name, None)
            found.append(None if held is None else held.fileno())
    return frozenset(each for each in found if each is not None and each >= 0)


def own_threads(kernel: Any) -> list[threading.Thread]:
    """Those of the kernel's channels and streams, which `go_on` begins anew."""
    app = kernel.parent
    found = [getattr(getattr(app, "iopub_thread", None), "thread", None)]
    found += [getattr(app, name, None) for name in _THREADS]
    found += [getattr(stream, "watch_fd_thread", None) for stream in _streams(kernel)]
    return [each for each in found if each is not None]


def count_contexts(kernel: Any) -> int:
    """How many contexts of ZeroMQ the kernel has for its channels."""
    app = kernel.parent
    owners = (app, getattr(app, "heartbeat", None))
    found = [getattr(owner, "context", None) for owner in owners]
    return len({context.underlying for context in found if context is not None})


def _streams(kernel: Any) -> list[Any]:
    found = (kernel._stdout, kernel._stderr)
    return [each for each in found if hasattr(each, "pub_thread")]


def _allow_depth() -> None:
    """A cell may go as deep as before."""
    global _depth
    now = depth()
    sys.setrecursionlimit(sys.getrecursionlimit() + max(now - _depth, 0))
    _depth = now


@contextmanager
def _chance_of_c() -> Iterator[None]:
    """`rand` of the C library draws after the block what it would have drawn: ZeroMQ seeds it."""
    library = ctypes.CDLL(None)
    library.initstate.restype = library.setstate.restype = ctypes.c_void_p
    library.setstate.argtypes = (ctypes.c_void_p,)
    other = ctypes.create_string_buffer(_STATE_BYTES)
    before = library.initstate(1, other, _STATE_BYTES)
    try:
        yield
    finally:
        library.setstate(before)


def _leave_children() -> None:
    """Those of the parent are not this process's to end."""
    processes: Any = sys.modules.get("multiprocessing.process")
    tools: Any = sys.modules.get("multiprocessing.util")
    if processes is not None:
        _left.append(processes._children)
        processes._children = set()
    if tools is not None:
        tools._finalizer_registry.clear()
        tools._run_after_forkers()


def _leave_loop() -> None:
    try:
        before = asyncio.get_running_loop()
    except RuntimeError:
        before = asyncio.get_event_loop()
    else:
        task = asyncio.current_task(before)
        if task is not None:
            asyncio.tasks._leave_task(before, task)
        asyncio._set_running_loop(None)
    _left.append(before)
    asyncio.set_event_loop(asyncio.new_event_loop())


def _revive(kernel: Any, sockets: Mapping[int, int]) -> None:
    app = kernel.parent
    _left.append([getattr(app, name, None) for name in app.trait_names()])
    _left.append([getattr(kernel, name, None) for name in _CHANNELS])
    kernel.session.pid = clock.pid()
    _bind_to(app, dict(sockets))
    atexit.unregister(app.close)
    app.configure_tornado_logger = lambda: None  # its handler is there
    app.context = None
    with _subscriptions() as came:
        app.init_sockets()
    app.init_heartbeat()
    app.log_connection_info()
    _revive_streams(kernel, app)
    _rewire(kernel, app)
    _renew_debugger(kernel)
    for name in ("displayhook", "display_pub"):
        getattr(kernel.shell, name).pub_socket = app.iopub_socket
    app.displayhook.pub_socket = app.iopub_socket
    if hasattr(kernel, "_main_asyncio_lock"):
        kernel._main_asyncio_lock = asyncio.Lock()
    kernel._restore_input()
    kernel.shell.builtin_trap._nested_level = 0
    _renew_history(kernel.shell.history_manager)
    _wait_for_pages(app, came)


def _bind_to(app: Any, sockets: dict[int, int]) -> None:
    """Each port is served through the socket that listens at it already."""
    from ipykernel.heartbeat import Heartbeat

    bind = type(app)._try_bind_socket
    bind_heart: Callable[[Any], Any] = Heartbeat._try_bind_socket

    def try_bind(mine: Any, port: int) -> Any:
        _use(mine, sockets.pop(port, None))
        return bind(app, mine, port)

    def try_bind_heart(heart: Any) -> Any:
        _use(heart.socket, sockets.pop(heart.port, None))
        return bind_heart(heart)

    app._try_bind_socket = try_bind
    Heartbeat._try_bind_socket = try_bind_heart  # type: ignore[method-assign]


def _use(mine: Any, descriptor: int | None) -> None:
    if descriptor is not None:
        mine.setsockopt(zmq.USE_FD, descriptor)


def _revive_streams(kernel: Any, app: Any) -> None:
    """What is printed goes out again, through the same objects: loggers hold them."""
    for stream in _streams(kernel):
        _left.append((stream.pub_thread, stream._io_loop, stream._buffers))
        stream.pub_thread, stream._io_loop = app.iopub_thread, app.iopub_thread.io_loop
        stream._master_pid = clock.pid()
        stream._flush_pending = stream._subprocess_flush_pending = False
        stream._buffer_lock, stream._buffers = threading.RLock(), defaultdict(StringIO)
        if getattr(stream, "_original_stdstream_copy", None) is not None:
            stream._fid, write = os.pipe()
            os.dup2(write, stream._original_stdstream_fd)
            os.close(write)
            stream.watch_fd_thread = threading.Thread(target=stream._watch_pipe_fd, daemon=True)
            stream.watch_fd_thread.start()


def _rewire(kernel: Any, app: Any) -> None:
    """The application makes its streams as ever, and this kernel gets them."""

    class Rewired(type(kernel)):  # type: ignore[misc]  # known at run time only
        @classmethod
        def instance(cls, **given: Any) -> Any:
            for name in _CHANNELS:
                if name in given:
                    setattr(kernel, name, given[name])
            return kernel

    kind, app.kernel_class = app.kernel_class, Rewired
    try:
        app.init_kernel()
    finally:
        app.kernel_class = kind


def _renew_debugger(kernel: Any) -> None:
    before = getattr(kernel, "debugger", None)
    if before is None:
        return
    have = {
        "log": kernel.log,
        "debugpy_stream": kernel.debugpy_stream,
        "event_callback": kernel._publish_debug_event,
        "shell_socket": kernel.debug_shell_socket,
        "session": kernel.session,
        "kernel_modules": getattr(kernel, "_kernel_modules", []),
        "just_my_code": getattr(kernel, "debug_just_my_code", False),
        "filter_internal_frames": getattr(kernel, "filter_internal_frames", True),
    }
    names = inspect.signature(type(before)).parameters
    _left.append(before)
    kernel.debugger = type(before)(**{name: have[name] for name in names if name in have})


def _renew_history(manager: Any) -> None:
    """IPython writes to its history again, in a session of its own. The connections of before are
    the parent's: to close one would run SQLite's end against files that the parent has open."""
    thread = manager.save_thread
    finalizer = getattr(manager, "_finalizer", None)
    if finalizer is not None:
        finalizer.detach()
    _left.append((manager.db, thread, vars(thread).get("db") if thread is not None else None))
    manager.db_input_cache, manager.db_output_cache = [], []
    for name in ("db_input_cache_lock", "db_output_cache_lock"):
        if hasattr(manager, name):
            setattr(manager, name, threading.Lock())
    if not manager.enabled:
        return
    try:
        manager.init_db()
        manager.new_session()
    except Exception:
        log.warning("IPython's history cannot be written any more", exc_info=True)
        manager.hist_file = ":memory:"
        manager.init_db()
        manager.new_session()
        return
    if thread is not None:
        manager.save_thread = type(thread)(manager)
        manager.save_thread.start()


@contextmanager
def _subscriptions() -> Iterator[threading.Event]:
    """What is set when somebody subscribes to a channel that begins in the block."""
    from ipykernel.iostream import IOPubThread

    came = threading.Event()
    hear = getattr(IOPubThread, "_handle_subscription", None)
    if hear is None:
        yield came
        return

    def heard(thread: Any, frames: Any) -> None:
        hear(thread, frames)
        came.set()

    IOPubThread._handle_subscription = heard  # type: ignore[method-assign]
    try:
        yield came
    finally:
        IOPubThread._handle_subscription = hear  # type: ignore[method-assign]


def _wait_for_pages(app: Any, came: threading.Event) -> None:
    """Whoever listened before listens again: what is put out before that is lost to him."""
    thread = app.iopub_thread
    stream = getattr(thread, "_xpub_stream", None)
    if stream is None:
        time.sleep(_CONNECTED_SECONDS)
        return
    deadline = clock.monotonic() + _SUBSCRIBED_SECONDS
    while not came.wait(_PAUSE_SECONDS) and clock.monotonic() < deadline:
        # The loop of the thread hears of what came before it began only when it is told to look.
        thread.schedule(functools.partial(stream.flush, zmq.POLLIN))
    if came.is_set():
        # Only the first one is told of, and a server has several, which come at about one time.
        time.sleep(_CONNECTED_SECONDS)
