"""Between the user's code and ours: neither disturbs the other where one calls the other.

The user's tracer and profiler see nothing of ours; an interrupt does not tear our work in two and
is not lost; and where the user's code has put something else in the place of a function that
every program relies on, ours does not run on it.
"""

from __future__ import annotations

import builtins
import math
import os
import signal
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

from jupyter_rewind import clock

_AGAIN_SECONDS = 0.005
_ENDING_SECONDS = 2.0
"""So long what was interrupted may take to end before the next interrupt goes through."""
_OTHERS_REPLACE = {
    "print",
    "input",
    "open",
    "breakpoint",
    "__import__",
    "__build_class__",
    "compile",
}
_RELIED_ON = tuple(
    (name, value)
    for name, value in vars(builtins).items()
    if (type(value) is types.BuiltinFunctionType and name not in _OTHERS_REPLACE)
    or (isinstance(value, type) and not issubclass(value, BaseException))
)
_PLAIN = (types.FunctionType, types.MethodType)


def replaced_builtin() -> str:
    """The name of a builtin that is not Python's own any more, or ""; some microseconds."""
    names = builtins.__dict__
    for name, value in _RELIED_ON:
        if names.get(name) is not value:
            return name
    return ""


class Untraced:
    """A tracer or profiler that the user wrote in Python does not see what runs in the block; a
    debugger, which minds being replaced and so replaces `sys.settrace`, goes on."""

    __slots__ = ("_profile", "_trace")

    # In few steps: the tracer sees each of them until it is off.
    def __enter__(self) -> None:
        self._trace, self._profile = sys.gettrace(), sys.getprofile()
        if self._trace is not None or self._profile is not None:
            # One written in C is not a function that could be set again.
            if _is_in_python(self._trace) and type(sys.settrace) is types.BuiltinFunctionType:
                sys.settrace(None)
            if _is_in_python(self._profile):
                sys.setprofile(None)

    def __exit__(self, *_: object) -> None:
        if self._profile is not None and sys.getprofile() is None:
            sys.setprofile(self._profile)
        if self._trace is not None and sys.gettrace() is None:
            sys.settrace(self._trace)


def _is_in_python(tracer: object) -> bool:
    """Also where it is an object that can be called."""
    kind = type(tracer)
    held = (vars(base).get("__call__") for base in kind.__mro__)
    return kind in _PLAIN or any(type(one) is types.FunctionType for one in held)


class HeldInterrupt:
    """The first interrupt in the block waits for its end, where `came` tells of it; the second one
    goes through, so that nobody is ever kept from stopping. What follows that one at once, as from
    a key that is held down, finds the work ending, and waits for it."""

    def __init__(self) -> None:
        self.came = False
        self._passed = -math.inf
        self._before: Callable[[int, Any], Any] | None = None

    def __enter__(self) -> HeldInterrupt:
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            # Whoever ignores interrupts, or has the system end the process, goes on doing so.
            if callable(before) and not isinstance(before, signal.Handlers):
                self._before = before
                signal.signal(signal.SIGINT, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        before, self._before = self._before, None
        if before is not None and signal.getsignal(signal.SIGINT) == self._take:
            signal.signal(signal.SIGINT, before)

    def _take(self, number: int, frame: Any) -> None:
        before, now = self._before, clock.monotonic()
        if not self.came or before is None or now < self._passed + _ENDING_SECONDS:
            self.came = True
            return
        self._passed = now
        before(number, frame)


def interrupt_soon() -> None:
    """The user's code, which is about to run, is interrupted as if the wish came a moment later."""
    main = threading.main_thread()

    def interrupt() -> None:
        if hasattr(signal, "pthread_kill") and main.ident is not None:
            signal.pthread_kill(main.ident, signal.SIGINT)
        else:
            os.kill(clock.pid(), signal.SIGINT)

    timer = threading.Timer(_AGAIN_SECONDS, interrupt)
    timer.daemon = True
    timer.start()
