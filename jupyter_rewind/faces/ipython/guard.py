"""Between the user's code and ours: neither disturbs the other where one calls the other.

The user's tracer and profiler see nothing of ours; an interrupt does not tear our work in two and
is not lost; and where the user's code has put something else in the place of a function that
every program relies on, ours does not run on it.
"""

from __future__ import annotations

import builtins
import os
import signal
import sys
import threading
import types

from jupyter_rewind import clock
from jupyter_rewind.kernels.interrupts import HeldInterrupt

__all__ = ["HeldInterrupt", "Untraced", "interrupt_soon", "replaced_builtin"]

_AGAIN_SECONDS = 0.005
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
