"""Open files: a placeholder that can open them again at the same place; nothing is read or flushed.

The standard streams are the kernel's own, and stand for those of the kernel they come back to.
"""

from __future__ import annotations

import io
import mmap
import os
import sys
from typing import Any

from jupyter_rewind.kernels.placeholders import FilePlaceholder
from jupyter_rewind.kernels.reducers.contract import Context, Reduction, name_of, stand_in
from jupyter_rewind.kernels.reducers.registry import Registry
from jupyter_rewind.model.snapshot import Fidelity

_BINARY = (
    io.FileIO,
    io.BufferedReader,
    io.BufferedWriter,
    io.BufferedRandom,
    io.BufferedRWPair,
)
_STREAMS = ("stdout", "stderr", "stdin", "__stdout__", "__stderr__", "__stdin__")


def register(registry: Registry) -> None:
    # Kept by pickle's own way, with position and content.
    registry.add(io.StringIO, None)
    registry.add(io.BytesIO, None)
    registry.add(io.IOBase.__base__ or io.IOBase, reduce_file, subclasses=True)
    for kind in (*_BINARY, io.TextIOWrapper):
        registry.add(kind, reduce_file, subclasses=True, always=True)
    for memory in (io.StringIO, io.BytesIO):
        registry.add(memory, _reduce_own_way, subclasses=True, always=True)
    registry.add(mmap.mmap, reduce_map, subclasses=True)


def _reduce_own_way(value: Any, _: Context) -> Reduction:
    reduction: Reduction = value.__reduce_ex__(5)
    return reduction


def reduce_file(value: Any, context: Context) -> Reduction:
    for name in _STREAMS:
        if getattr(sys, name, None) is value:
            context.note(Fidelity.REFERENCE, f"sys.{name} of the kernel it comes back to")
            return standard_stream, (name,)
    is_text = isinstance(value, io.TextIOWrapper)
    if not is_text and not isinstance(value, _BINARY):
        # A class of Python code that only looks like a file.
        return _reduce_own_way(value, context)
    if value.closed:
        return stand_in(value, context, f"a closed file {_path_of(value)!r}", "open it again")
    path = _path_of(value)
    what = f"an open file {path!r}"
    if not isinstance(path, str | bytes):
        return stand_in(value, context, what, "open it again")
    how = "`.reopen()` opens it at the same place, and empties nothing"
    context.placeholder(value, what, how)
    place = (os.path.abspath(path), mode_of(value), offset_of(value))
    encoding = (value.encoding, value.errors) if is_text else (None, None)
    return FilePlaceholder, (name_of(type(value)), what, how, *place, *encoding)


def standard_stream(name: str) -> Any:
    return getattr(sys, name)


def _path_of(value: Any) -> Any:
    try:
        return value.name
    except (AttributeError, ValueError):
        return None


def mode_of(value: Any) -> str:
    """How to open the file again: of the raw file, for the outer ones don't know it."""
    raw = value
    while not isinstance(raw, io.FileIO):
        raw = getattr(raw, "buffer", None) or getattr(raw, "raw", None)
        if raw is None:
            return "r"
    mode = str(raw.mode)
    return mode.replace("b", "") if isinstance(value, io.TextIOWrapper) else mode


def offset_of(value: Any) -> int | None:
    """Where the file stands, or None where only a write would tell (text that is being written)."""
    try:
        if isinstance(value, io.TextIOWrapper):
            if value.writable():
                return None
            return value.tell()
        return int(value.tell())
    except (OSError, ValueError):
        return None


def reduce_map(value: mmap.mmap, context: Context) -> Reduction:
    if value.closed:
        return stand_in(value, context, "a closed memory map", "open it again")
    return stand_in(value, context, f"a memory map of {len(value)} bytes", "open it again")
