"""Reading a pod in which a value does not load: that one becomes a placeholder, and no other.

Pickle's own reader in Python, which takes much longer: for what the fast one has failed to read.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from jupyter_rewind.kernels.lost import reason_of
from jupyter_rewind.kernels.placeholders import Placeholder
from jupyter_rewind.kernels.reading import Finding, file_of
from jupyter_rewind.kernels.refusals import is_refusal

MOST_BYTES = 16 << 20
"""A longer stream would take minutes."""
_OWN: Any = pickle._Unpickler
_Load = Callable[[Any], None]


class PatientReader(Finding, _OWN):  # type: ignore[misc]
    """Loads the roots of a pod one after the other. Raises PicklingError where others hold already
    what turns out not to load."""

    dispatch: ClassVar[dict[int, _Load]] = dict(_OWN.dispatch)
    stack: list[Any]
    metastack: list[list[Any]]
    memo: dict[int, Any]

    def __init__(self, stream: bytes, known: Sequence[Any], buffers: Iterable[Any]) -> None:
        self.lost: list[Any] = []
        self.stands: set[int] = set()
        self._known = known
        super().__init__(file_of(stream, known), buffers=buffers)
        self.load()

    def persistent_load(self, number: Any) -> Any:
        return self._known[number]

    def stand_for(self, kind: Any, error: BaseException) -> Placeholder:
        """What stands for a value of this class, or of this function."""
        name = f"{getattr(kind, '__module__', '')}.{getattr(kind, '__qualname__', kind)}"
        made = Placeholder(name, f"a {name.removeprefix('__main__.')}", reason_of(error))
        self.lost.append(made)
        self.stands.add(id(made))
        return made

    def replace(self, place: int, error: BaseException) -> None:
        """A placeholder stands for what lies there in the stack, half made."""
        stand = self.stand_for(type(self.stack[place]), error)
        error.__traceback__ = None  # its frames hold the value
        owner, self.stack[place] = self.stack[place], stand
        names = [name for name, value in self.memo.items() if value is owner]
        self.memo.update(dict.fromkeys(names, stand))
        if sys.getrefcount(owner) > _REFERENCES:
            raise pickle.PicklingError(stand.how)


_REFERENCES = 2
"""Of a value that only one variable, and who counts, refer to."""


def _filling(load: _Load, count: int | None) -> _Load:
    """A step that gives what lies below its content: so much of the stack, or to a mark."""

    def fill(reader: PatientReader) -> None:
        stack = reader.stack if count is not None else reader.metastack[-1]
        if id(stack[-1 - (count or 0)]) in reader.stands:
            reader.pop_mark() if count is None else reader.stack.__delitem__(slice(-count, None))
            return
        try:
            load(reader)
        except BaseException as error:
            if not is_refusal(error):
                raise
            reader.replace(-1, error)

    return fill


def _making(load: _Load, count: int) -> _Load:
    """A step that calls a class with what lies above it."""

    def make(reader: PatientReader) -> None:
        depth, kind = len(reader.stack) - count, reader.stack[-count]
        try:
            load(reader)
        except BaseException as error:
            if not is_refusal(error):
                raise
            reader.stack[depth:] = [reader.stand_for(kind, error)]

    return make


def _calling(load: _Load) -> _Load:
    """A step that calls a function: one that makes a value, or one that sets the state of what
    lies below, of which nobody takes the answer."""
    make = _making(load, 2)

    def call(reader: PatientReader) -> None:
        stack = reader.stack
        given = stack[-1]
        if len(stack) < 3 or len(given) != 2 or given[0] is not stack[-3]:
            make(reader)
            return
        if id(given[0]) in reader.stands:
            stack[-2:] = [None]
            return
        del given
        try:
            load(reader)
        except BaseException as error:
            if not is_refusal(error):
                raise
            stack[-1] = None
            reader.replace(-2, error)

    return call


for _name, _count in (
    *(("append", 1), ("appends", None), ("setitem", 2), ("setitems", None)),
    *(("additems", None), ("build", 1)),
):
    _code = getattr(pickle, _name.upper())[0]
    PatientReader.dispatch[_code] = _filling(_OWN.dispatch[_code], _count)
for _name, _count in (("newobj", 2), ("newobj_ex", 3)):
    _code = getattr(pickle, _name.upper())[0]
    PatientReader.dispatch[_code] = _making(_OWN.dispatch[_code], _count)
PatientReader.dispatch[pickle.REDUCE[0]] = _calling(_OWN.dispatch[pickle.REDUCE[0]])
