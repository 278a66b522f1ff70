"""Reading a pod where libraries are not what they were: what is lost becomes a placeholder."""

from __future__ import annotations

import importlib
import io
import pickle
import struct
from collections.abc import Iterable, Sequence
from typing import Any

from jupyter_rewind.kernels.lost import find_again, find_lost, lost_class, reason_of
from jupyter_rewind.kernels.placeholders import Placeholder

_MODULES = "jupyter_rewind.kernels.reducers.modules"
_IMPORTS = tuple(
    (_MODULES, name) for name in ("import_module", "import_own_module", "import_whole_module")
)
_LOST = (find_lost.__module__, find_lost.__name__)


class PodReader(pickle.Unpickler):
    """Loads the roots of a pod one after the other; the primed objects come first."""

    def __init__(self, stream: bytes, known: Sequence[Any], buffers: Iterable[Any]) -> None:
        super().__init__(file_of(stream, known), buffers=buffers)
        self._known = known
        self.load()

    def persistent_load(self, number: Any) -> Any:
        return self._known[number]


def file_of(stream: bytes, known: Sequence[Any]) -> io.BufferedReader:
    """What a reader reads: first what puts the primed objects into its memo."""
    return io.BufferedReader(_Chain([_prelude(len(known)), stream]), 1 << 18)


def _prelude(count: int) -> bytes:
    """A pickle that puts the primed objects into the reader's memo, in order."""
    parts = [b"\x80\x05"]
    for number in range(count):
        parts.append(b"J" + struct.pack("<i", number) + b"Q\x940")
    return b"".join([*parts, b"N."])


class _Chain(io.RawIOBase):
    """Several pieces of memory read as one file."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = [memoryview(piece) for piece in reversed(pieces)]

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        while self._pieces and not len(self._pieces[-1]):
            self._pieces.pop()
        if not self._pieces:
            return 0
        piece = self._pieces[-1]
        count = min(len(target), len(piece))
        target[:count] = piece[:count]
        self._pieces[-1] = piece[count:]
        return count


class Finding:
    """The part of a reader that finds classes and functions, and modules."""

    lost: list[Any]
    """What stands for what could not be imported."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _IMPORTS:
            return self._import_or_say
        if (module, name) == _LOST:
            return lambda module, name: find_again(module, name, self.lost)
        try:
            found: Any = super().find_class(module, name)  # type: ignore[misc]
        except (ImportError, AttributeError) as error:
            return lost_class(module, name, reason_of(error), self.lost)
        return found

    def _import_or_say(self, name: str) -> Any:
        try:
            return importlib.import_module(name)
        except ImportError as error:
            self.lost.append(Placeholder("module", f"the module {name}", reason_of(error)))
            return self.lost[-1]


class Reader(Finding, PodReader):
    """What a library does not hold any more becomes a placeholder, not the end of the pod."""

    def __init__(self, stream: bytes, known: Sequence[Any], buffers: Iterable[Any]) -> None:
        self.lost = []
        super().__init__(stream, known, buffers)
