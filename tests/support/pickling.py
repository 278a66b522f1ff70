"""A value through the reducers and back: here, or in a process that has never seen it.

`same` compares two values as a person would who cares about everything: types, content, layout of
memory, and which parts are the same object.
"""

from __future__ import annotations

import base64
import io
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_rewind.kernels.reducers import Notes, lookup
from jupyter_rewind.model.snapshot import Fidelity

ROOT = Path(__file__).resolve().parents[2]


class Pickler(pickle.Pickler):
    """The C pickler with nothing but the reducers in its way."""

    def __init__(self, file: io.BytesIO, notes: Notes, buffers: list[pickle.PickleBuffer]) -> None:
        super().__init__(file, protocol=5, buffer_callback=buffers.append)
        self.notes = notes

    def reducer_override(self, value: Any) -> Any:
        reduce = lookup(type(value))
        return NotImplemented if reduce is None else reduce(value, self.notes)


@dataclass
class Kept:
    """What was written of a value."""

    stream: bytes
    buffers: list[bytes]
    notes: list[tuple[Fidelity, str]] = field(default_factory=list)

    def load(self) -> Any:
        return pickle.loads(self.stream, buffers=[bytearray(one) for one in self.buffers])

    @property
    def fidelities(self) -> set[Fidelity]:
        return {fidelity for fidelity, _ in self.notes}


def keep(value: Any, namespace: dict[str, Any] | None = None) -> Kept:
    file, notes, buffers = io.BytesIO(), Notes(namespace), list[pickle.PickleBuffer]()
    Pickler(file, notes, buffers).dump(value)
    kept = Kept(file.getvalue(), [bytes(one.raw()) for one in buffers], notes.notes)
    for one in buffers:
        one.release()
    return kept


def round_trip(value: Any) -> Any:
    return keep(value).load()


_FRESH = """
import base64, importlib, pickle, sys
stream, *buffers = [base64.b64decode(line) for line in sys.stdin.buffer.read().split(b"\\n")]
value = pickle.loads(stream, buffers=[bytearray(one) for one in buffers])
module, name = sys.argv[1:]
print(repr(getattr(importlib.import_module(module), name)(value)))
"""


def in_fresh_process(
    value: Any, look: Callable[[Any], object], python: str = sys.executable
) -> str:
    """The repr of `look(value)`, asked where nothing but the written bytes is known."""
    kept = keep(value)
    lines = b"\n".join(base64.b64encode(one) for one in (kept.stream, *kept.buffers))
    command = [python, "-c", _FRESH, look.__module__, look.__qualname__]
    done = subprocess.run(
        command, input=lines, capture_output=True, cwd=ROOT, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()
