"""Generators, coroutines and iterators: which move on, and mostly cannot be kept."""

from __future__ import annotations

import gc
import itertools
import types
import warnings
from typing import Any

from jupyter_rewind.kernels.reducers.contract import Context, Reduction, stand_in
from jupyter_rewind.kernels.reducers.registry import Registry
from jupyter_rewind.model.snapshot import Fidelity

_KINDS = {
    types.GeneratorType: ("a generator", "gi_frame"),
    types.CoroutineType: ("a coroutine", "cr_frame"),
    types.AsyncGeneratorType: ("an asynchronous generator", "ag_frame"),
}


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
