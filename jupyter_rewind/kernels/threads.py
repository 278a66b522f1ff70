"""Threads of ours beside the user's code: its tracers and profilers do not follow into them."""

from __future__ import annotations

import collections
import functools
import operator
import sys
import threading
import types
from collections.abc import Callable

_Step = Callable[[], object]


class OwnThread(threading.Thread):
    """One of Rewind's own: others may have its name."""


def make_thread(act: _Step, name: str) -> threading.Thread:
    """Does `act` when it is started, and does not keep the process from ending."""
    # What `threading.settrace` asks for is set before a thread's first step: it is off again
    # before the first one in Python. A debugger that replaces these functions goes on.
    setters = (sys.settrace, sys.setprofile)
    plain = [one for one in setters if type(one) is types.BuiltinFunctionType]
    steps: list[_Step] = [*(functools.partial(one, None) for one in plain), act]
    do: Callable[[_Step], object] = operator.call
    return OwnThread(target=collections.deque, args=(map(do, steps), 0), name=name, daemon=True)
