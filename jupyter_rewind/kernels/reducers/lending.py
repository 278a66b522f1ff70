"""Whose memory an array of numpy lies in: what lends it, from one to the next, down to the owner.

Only looks. What numpy hangs between an array and its lender (`sliding_window_view` and
`as_strided` do) counts as nothing, and so does what code compiled with Cython shows memory by.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

_HANGER = type(as_strided(np.empty(1)).base)
"""What holds the lender of an array that was made from an interface alone."""

_SMALL = 1 << 10
_WASTE = 4
"""A view that alone holds memory this many times its own is kept without the rest."""

_LENDERS = ("builtins.bytes", "builtins.bytearray", "builtins.memoryview", "array.array")


def below(value: Any) -> Any:
    """What lends the array its memory; None where it is its own, or nobody's that is known."""
    base = value.base
    while True:
        if _hangs(base) and isinstance(base.base, np.ndarray):
            base = base.base
        elif type(base) is memoryview and (look := _look_through(type(base.obj))) is not None:
            base = look(base.obj)
        else:
            return base


def lenders(value: Any) -> Iterator[Any]:
    """What lends an array its memory, and what lends it to that, down to the owner."""
    lender = below(value)
    while lender is not None:
        yield lender
        if isinstance(lender, np.ndarray):
            lender = below(lender)
        else:
            lender = lender.obj if type(lender) is memoryview else None


def _hangs(base: Any) -> bool:
    return type(base) is _HANGER and not isinstance(base, np.ndarray)


def _look_through(kind: type) -> Any:
    """Reads what a view that Cython made is a view of; None for every other kind. It cannot be kept
    itself: it is made of a memory, anew each time that code shows it."""
    for base in kind.__mro__:
        found = base.__dict__.get("base")
        if found is not None:
            is_one = base.__name__ == "memoryview" and type(found) is types.GetSetDescriptorType
            return found.__get__ if is_one else None
    return None


def lends(base: Any) -> bool:
    """Whether it is kept with its memory, and an array in it is made again in that memory."""
    kind = type(base)
    return f"{kind.__module__}.{kind.__qualname__}" in _LENDERS or is_tensor(base)


def is_tensor(base: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(base, torch.Tensor)


def address(value: Any) -> int:
    return int(value.__array_interface__["data"][0])


def extent(value: Any) -> tuple[int, int]:
    """Where the memory that the array shows begins and ends."""
    return np.lib.array_utils.byte_bounds(value) if value.size else (0, 0)


def as_stored(value: Any) -> Any:
    """The array with its axes in the order of memory; None where there are gaps between items."""
    if value.flags.c_contiguous:
        return value.view(np.ndarray) if type(value) is not np.ndarray else value
    axes = sorted(range(value.ndim), key=lambda axis: -value.strides[axis])
    turned = value.view(np.ndarray).transpose(axes)
    return turned if turned.flags.c_contiguous else None


def overlaps(value: Any) -> bool:
    """Whether it has more items than there is memory for."""
    low, high = extent(value)
    return bool(high - low < value.nbytes)


def window(value: Any) -> Any:
    """The memory that the array shows, from its first byte to its last, as one row of bytes."""
    return np.asarray(_Window(value))


class _Window:
    def __init__(self, value: Any) -> None:
        low, high = extent(value)
        place = {"shape": (high - low,), "typestr": "|u1", "version": 3}
        self.__array_interface__ = {**place, "data": (low, not value.flags.writeable)}
        self._held = value


def lender_of(value: Any) -> tuple[Any, int] | None:
    """The nearest array that is kept with all of this one's memory, and where in it this one
    begins."""
    low, high = extent(value)
    for lender in lenders(value):
        if not isinstance(lender, np.ndarray):
            break
        stored = as_stored(lender) if lender.dtype.kind != "T" else None
        if stored is None:
            continue
        start = address(stored)
        if not value.size:
            return lender, 0
        if start <= low and high <= start + lender.nbytes:
            return lender, address(value) - start
    return None


def is_waste(value: Any) -> bool:
    """Nobody but this view holds the memory, and most of it is idle."""
    held: Any = value.base
    size = 0
    while held is not None:
        if sys.getrefcount(held) > _SOLE or is_tensor(held):
            return False
        if isinstance(held, np.ndarray):
            size, held = int(held.nbytes), held.base
        elif _hangs(held):
            held = held.base
        else:
            held = held.obj if type(held) is memoryview else None
    return size > max(_SMALL, _WASTE * int(value.nbytes))


def _references_of_one() -> int:
    """What the interpreter counts of an object that one other and a variable hold."""
    owner: list[list[None]] = [[]]
    held = owner[0]
    return sys.getrefcount(held)


_SOLE = _references_of_one()
