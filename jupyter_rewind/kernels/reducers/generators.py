"""Generators, coroutines and iterators: which move on, and mostly cannot be kept."""

from __future__ import annotations

import array
import gc
import itertools
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from jupyter_rewind.kernels import rebuild
from jupyter_rewind.kernels.reducers.contract import Context, Reduction, stand_in
from jupyter_rewind.kernels.reducers.registry import Registry
from jupyter_rewind.model.snapshot import Fidelity

_KINDS = {
    types.GeneratorType: ("a generator", "gi_frame"),
    types.CoroutineType: ("a coroutine", "cr_frame"),
    types.AsyncGeneratorType: ("an asynchronous generator", "ag_frame"),
}
_MADE: dict[str, Callable[[], Iterator[Any]]] = {
    "list": lambda: iter([]),
    "reversed list": lambda: reversed([]),
    "tuple": lambda: iter(()),
    "text": lambda: iter(""),
    "text beyond ASCII": lambda: iter("\u00e9"),
    "bytes": lambda: iter(b""),
    "bytearray": lambda: iter(bytearray()),
    "array": lambda: iter(array.array("b")),
    "sequence": lambda: iter(_Sequence()),
    "calls": lambda: iter(int, 0),
}
"""Iterators that have let go of what they went through, once they came to its end. Under these
names they are in stored pods."""


class _Sequence:
    def __getitem__(self, _: int) -> Any:
        raise IndexError


_ENDED = {type(make()): name for name, make in reversed(_MADE.items())}


def register(registry: Registry) -> None:
    for kind in _KINDS:
        registry.add(kind, reduce_generator)
    registry.add(types.FrameType, reduce_frame)
    registry.add(types.TracebackType, reduce_traceback)
    mapping: dict[int, int] = {}
    for view in (mapping, mapping.keys(), mapping.values(), mapping.items(), set[int]()):
        registry.add(type(iter(view)), reduce_snapshot_iterator)
    for view in (mapping, mapping.values(), mapping.items()):
        registry.add(type(reversed(view)), reduce_snapshot_iterator)
    for kind in _ENDED:
        registry.add(kind, reduce_sequence_iterator)
    for name in dir(itertools):
        kind = getattr(itertools, name)
        if isinstance(kind, type):
            registry.add(kind, reduce_itertool)
    registry.add(type(itertools.tee([])[0]), reduce_itertool)


def reduce_generator(value: Any, context: Context) -> Reduction:
    word, attribute = _KINDS[type(value)]
    frame = getattr(value, attribute)
    if frame is None:
        return stand_in(value, context, f"{word} `{value.__name__}`, exhausted", "make it again")
    code = frame.f_code
    what = f"{word} `{value.__name__}`, stopped at line {frame.f_lineno}"
    # The values, not the frame's dict of locals: reading that one would keep them alive.
    held = [item for item in gc.get_referents(value) if not _is_machinery(item, code)]
    state = (frame.f_lasti, held)
    del frame
    return stand_in(value, context, what, "run the cell that made it again", state)


def _is_machinery(item: Any, code: types.CodeType) -> bool:
    if isinstance(item, types.FrameType) or item is code:
        return True
    return isinstance(item, types.FunctionType) and item.__code__ is code


def reduce_frame(value: types.FrameType, context: Context) -> Reduction:
    what = f"a frame of `{value.f_code.co_name}` at line {value.f_lineno}"
    return stand_in(value, context, what, "it belongs to a call that is over")


def reduce_traceback(value: types.TracebackType, context: Context) -> Reduction:
    what = f"a traceback that ends at line {value.tb_lineno}"
    return stand_in(value, context, what, "it belongs to a call that is over")


def reduce_snapshot_iterator(value: Any, context: Context) -> Reduction:
    context.note(Fidelity.REBUILT, "an iterator over what was left; it does not follow its source")
    reduction: Reduction = value.__reduce__()
    return reduction


def reduce_sequence_iterator(value: Any, _: Context) -> Reduction:
    make, arguments, *state = value.__reduce__()
    if not state and len(arguments) == 1:
        return make_ended, (_ENDED[type(value)],)
    if state and isinstance(arguments[0], list):
        # Its place is set when all it runs over is filled: pickle's own way would cut it short.
        return rebuild.make_iterator, (make, arguments[0], state[0])
    return make, arguments, *state


def make_ended(name: str) -> Iterator[Any]:
    """An iterator of this kind that has come to its end: it is not one over what is empty."""
    made = _MADE[name]()
    for _ in made:
        pass
    return made


def reduce_itertool(value: Any, _: Context) -> Reduction:
    # From 3.12 on Python warns that 3.14 won't pickle them, even where warnings are errors.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        make, arguments, *rest = value.__reduce__()
    if not rest or rest[0] is None:
        return make, arguments
    return make, arguments, rest[0], None, None, set_itertool


def set_itertool(value: Any, state: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        value.__setstate__(state)
