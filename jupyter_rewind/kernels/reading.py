"""Reading a pod where libraries are not what they were: what is lost becomes a placeholder."""

from __future__ import annotations

import importlib
import io
import pickle
import struct
from collections.abc import Iterable, Sequence
from typing import Any

from jupyter_rewind.errors import RewindError
from jupyter_rewind.kernels.placeholders import Placeholder

_MODULES = "jupyter_rewind.kernels.reducers.modules"
_IMPORTS = ((_MODULES, "import_module"), (_MODULES, "import_own_module"))


class PodReader(pickle.Unpickler):
    """Loads the roots of a pod one after the other; the primed objects come first."""

    def __init__(self, stream: bytes, known: Sequence[Any], buffers: Iterable[Any]) -> None:
        file = io.BufferedReader(_Chain([_prelude(len(known)), stream]), 1 << 18)
        super().__init__(file, buffers=buffers)
        self._known = known
        self.load()

    def persistent_load(self, number: Any) -> Any:
        return self._known[number]


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


class Reader(PodReader):
    """What a library does not hold any more becomes a placeholder, not the end of the pod."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _IMPORTS:
            return _import_or_say
        try:
            return super().find_class(module, name)
        except (ImportError, AttributeError) as error:
            return lost_class(module, name, reason_of(error))


def _import_or_say(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        return Placeholder("module", f"the module {name}", reason_of(error))


def lost_class(module: str, name: str, reason: str) -> Any:
    """Stands for a class or function that cannot be imported; what it makes says so."""

    def make(kind: type[Placeholder], *_: object, **__: object) -> Placeholder:
        made = Placeholder.__new__(kind)
        Placeholder.__init__(made, f"{module}.{name}", f"a {module}.{name}", reason)
        return made

    def ignore(self: Placeholder, *_: object) -> None:
        return None

    names = ("__init__", "__setstate__", "append", "extend", "add", "update", "__setitem__")
    body: dict[str, Any] = {"__slots__": (), "__new__": make, **dict.fromkeys(names, ignore)}
    return type(name.rpartition(".")[2], (Placeholder,), body)


def reason_of(error: BaseException) -> str:
    """Why something does not load, in a line."""
    if isinstance(error, RewindError):
        return error.message
    try:
        return f"{type(error).__name__}: {error}".partition("\n")[0]
    except Exception:
        return type(error).__name__
