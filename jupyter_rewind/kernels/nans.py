"""NaN is an object: a dict finds it by identity alone, so which NaN it is has to be kept.

Pickle tells every float anew. Where a stream holds a NaN, the lists, dicts and sets that hold one
are told last (see `hollow`), with a box in each place; a variable that is one is told in a box too.
The constants of numpy and the standard library stay the very ones. In tuples and attributes, a NaN
comes back as another object.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from typing import Any

from jupyter_rewind.kernels import rebuild
from jupyter_rewind.kernels.lives import Lives
from jupyter_rewind.kernels.sink import Stream

_SIGNS = (b"G\x7f\xf8", b"G\xff\xf8")
"""How a stream of pickle tells a NaN."""
_NAMED = (("numpy", "nan"), ("math", "nan"))


class Nan:
    """Stands for one NaN wherever it is met."""

    __slots__ = ("uid", "value")

    def __init__(self, value: float, uid: str) -> None:
        self.value = value
        self.uid = uid

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild.make_nan, (self.uid, struct.pack("<d", self.value))


class Nans:
    """The boxes of one capture."""

    def __init__(self, lives: Lives) -> None:
        self._lives = lives
        self._boxes: dict[int, Nan] = {}

    def boxed(self, value: Any) -> Any:
        """The value, or the box that stands for it."""
        if type(value) is not float or value == value:
            return value
        box = self._boxes.get(id(value))
        if box is None:
            box = self._boxes[id(value)] = Nan(value, self._uid(value))
        return box

    def _uid(self, value: float) -> str:
        for module, name in _NAMED:
            if getattr(sys.modules.get(module), name, None) is value:
                return f"{module}.{name}"
        return self._lives.name(value)


def find_nan(uid: str, bits: bytes, candidates: Sequence[Any]) -> float:
    """The NaN of this uid: the constant that it names, a candidate that is one, else a new one."""
    module, _, name = uid.partition(".")
    named = getattr(sys.modules.get(module), name, None) if name else None
    for one in (named, *candidates):
        if type(one) is float and struct.pack("<d", one) == bits:
            return one
    made: float
    (made,) = struct.unpack("<d", bits)
    return made


def is_nan(value: Any) -> bool:
    return type(value) is float and value != value


def may_hold_nan(stream: Stream) -> bool:
    """False where nothing that the stream tells is a NaN."""
    return stream.holds(_SIGNS)
