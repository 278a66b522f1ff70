"""What the code of a value may raise when it is told or loaded, and what is not the value's.

A `__reduce__` may leave with `sys.exit`, or raise KeyboardInterrupt: it costs that value alone, as
any other error does. The same two come from outside as well: somebody interrupts the kernel, or
ends it.
"""

from __future__ import annotations

import opcode
import signal
from types import TracebackType

from jupyter_rewind.kernels.budget import Awaited, OutOfTime

_RAISE = opcode.opmap["RAISE_VARARGS"]
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def is_refusal(error: BaseException) -> bool:
    """True where code that was asked raised it of its own accord."""
    if isinstance(error, Exception):
        return True
    if isinstance(error, OutOfTime | Awaited):
        return False
    entries = _entries(error.__traceback__)
    if isinstance(error, KeyboardInterrupt) and not (entries and _is_raised(entries[-1])):
        return False
    handlers = [getattr(signal.getsignal(one), "__code__", None) for one in _SIGNALS]
    return not any(entry.tb_frame.f_code in handlers for entry in entries)


def _entries(traceback: TracebackType | None) -> list[TracebackType]:
    found = []
    while traceback is not None:
        found.append(traceback)
        traceback = traceback.tb_next
    return found


def _is_raised(entry: TracebackType) -> bool:
    """Whether a `raise` stands there. An interrupt comes between any two instructions else."""
    return entry.tb_frame.f_code.co_code[entry.tb_lasti] == _RAISE
