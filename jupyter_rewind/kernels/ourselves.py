"""What of Jupyter Rewind itself a user's value leads to: each kernel has its own, and none is kept.

A variable that holds `sys.stdout.write` leads to what listens there, and from it to all that keeps
states.
"""

from __future__ import annotations

import dataclasses
import types
from typing import Any

PACKAGE = "jupyter_rewind."
_HOW = "each kernel has its own"


def is_our_code(function: types.FunctionType) -> bool:
    """Whether a module of ours defines it."""
    return _is_ours(function.__globals__.get("__name__"))


def is_our_machinery(kind: type) -> bool:
    """Whether the values of this class of ours do something: those that only tell are kept, and so
    are those that say themselves how."""
    if not _is_ours(type.__getattribute__(kind, "__module__")) or dataclasses.is_dataclass(kind):
        return False
    return not any("__reduce__" in vars(each) for each in kind.__mro__[:-1])


def reduce_our_code(function: types.FunctionType, writer: Any) -> Any:
    """A placeholder; in the kernel where it lives it stays what it is."""
    what = f"{function.__qualname__}, a function of Jupyter Rewind itself"
    return writer.placeholder(function, what, _HOW).__reduce__()


def reduce_our_machinery(value: Any, writer: Any) -> Any:
    """A placeholder; in the kernel where it lives it stays what it is."""
    what = f"the {type(value).__name__} of Jupyter Rewind itself"
    return writer.placeholder(value, what, _HOW).__reduce__()


def _is_ours(module: object) -> bool:
    return isinstance(module, str) and module.startswith(PACKAGE)
