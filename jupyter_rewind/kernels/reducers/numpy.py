"""numpy: memory is kept once, by its owner; views are views of it again; files stay files.

An array that owns its memory owns it after a restore (`resize` works, `base` is None).
"""

from __future__ import annotations

import mmap
import os
import pickle
import sys
from typing import Any, cast

import numpy as np

from jupyter_rewind.kernels.placeholders import Placeholder
from jupyter_rewind.kernels.reducers.contract import Context, Reduction, name_of, stand_in
from jupyter_rewind.kernels.reducers.lending import (
    address,
    as_stored,
    below,
    is_tensor,
    is_waste,
    lender_of,
    lenders,
    lends,
    overlaps,
    window,
)
from jupyter_rewind.kernels.reducers.registry import Registry
from jupyter_rewind.kernels.reducers.views import into, is_mapped
from jupyter_rewind.model.snapshot import Fidelity

_SMALL = 1 << 10
"""Arrays below this many bytes go with the stream: a buffer of its own costs more."""

_COPIES = ("sklearn.",)
"""Packages whose values write themselves out as arrays in their memory, and copy them back in."""

_MOST_MAPPED = 1 << 30
"""A map of more bytes is a file's rather than the notebook's."""


def register(registry: Registry) -> None:
    registry.add(np.ndarray, reduce_array)
    registry.add(np.ma.MaskedArray, reduce_array)
    registry.add(np.memmap, reduce_memmap, subclasses=True)
    # Subclasses lose their attributes in numpy's own way; who has a way of his own keeps it.
    registry.add(np.ndarray, _reduce_subclass, subclasses=True, always=True)
    registry.add(np.flatiter, reduce_flat)
    registry.add(np.nditer, reduce_iterator)
    registry.add(np.broadcast, reduce_broadcast)
    registry.add(np.ufunc, reduce_ufunc)


def _reduce_subclass(value: Any, context: Context) -> Reduction:
    for kind in type(value).__mro__:
        if kind is np.ndarray:
            return reduce_array(value, context)
        if "__reduce__" in vars(kind) or "__reduce_ex__" in vars(kind):
            break
    reduction: Reduction = value.__reduce_ex__(5)
    return reduction


def reduce_array(value: Any, context: Context) -> Reduction:
    if value.dtype.kind == "T":
        return _reduce_in_stream(value, context)
    is_idle = is_waste(value)  # it counts who holds what: nothing is taken hold of before
    base = below(value)
    if isinstance(base, np.ndarray):
        if is_idle and _map_of(value) is None:
            return _reduce_owner(value, context)
        return _reduce_view(value, context) or _reduce_owner(value, context)
    if type(base) is memoryview and is_mapped(base):
        return _reduce_mapped(value, context)
    if lends(base) and value.size:
        return _reduce_lent(value, base)
    if base is not None and sys.getrefcount(base) > 3:
        owner = name_of(type(base))
        if not owner.startswith(_COPIES):
            context.note(Fidelity.REBUILT, f"an array in the memory of a {owner}; it got its own")
    return _reduce_owner(value, context)


def _reduce_mapped(value: Any, context: Context) -> Reduction:
    if value.nbytes > _MOST_MAPPED:
        what = f"an array in {value.nbytes} bytes of mapped memory"
        return stand_in(value, context, what, "map it again")
    context.note(Fidelity.REBUILT, "an array in mapped or shared memory; it got its own")
    return _reduce_owner(value, context)


def _reduce_in_stream(value: Any, context: Context) -> Reduction:
    if value.base is not None:
        context.note(Fidelity.REBUILT, "a view of an array of texts; it got its own")
    return cast(Reduction, np.ndarray.__reduce__(value))


def _state_of(value: Any) -> Any:
    return vars(value) if type(value) is not np.ndarray else None


# -- views ---------------------------------------------------------------------------------------


def _reduce_view(value: Any, context: Context) -> Reduction | None:
    """A view of the nearest array that is kept with all of its memory; noted where there is
    none."""
    found = lender_of(value)
    if found is None:
        return _reduce_far(value, context) if value.size else None
    base, offset = found
    note_file(base, context)
    made = (type(value), base, value.dtype, value.shape, offset, value.strides)
    state = None if isinstance(value, np.memmap) else _state_of(value)
    return rebuild_view, (*made, value.flags.writeable), state, None, None, set_state


def _reduce_far(value: Any, context: Context) -> Reduction | None:
    """In what lends its memory to all the arrays below, if that is kept."""
    *_, last = lenders(value)
    if lends(last):
        return _reduce_lent(value, last)
    reason = "a view of an array, in memory that is not kept as it lies; it got its own"
    context.note(Fidelity.REBUILT, reason)
    return None


def flat_bytes(value: Any) -> Any:
    """The memory of an array that owns it, as one row of bytes."""
    return as_stored(value).reshape(-1).view(np.uint8)


def rebuild_view(
    kind: Any,
    base: Any,
    dtype: Any,
    shape: tuple[int, ...],
    offset: int,
    strides: tuple[int, ...],
    writeable: bool,
) -> Any:
    if isinstance(base, Placeholder):
        return base
    locked = writeable and not base.flags.writeable
    if locked:
        base.setflags(write=True)
    stored = as_stored(base)
    view = _lay_over(stored, kind, dtype, shape, offset, strides, writeable)
    if locked:
        base.setflags(write=False)
    if isinstance(view, np.memmap) and isinstance(base, np.memmap):
        vars(view).update(vars(base))
    return view


def _lay_over(
    memory: Any,
    kind: Any,
    dtype: Any,
    shape: tuple[int, ...],
    offset: int,
    strides: tuple[int, ...],
    writeable: bool,
) -> Any:
    """An array in this memory."""
    made = np.ndarray.__new__(kind, shape, dtype, buffer=memory, offset=offset, strides=strides)
    if not writeable:
        made.setflags(write=False)
    return made


def _reduce_lent(value: Any, base: Any) -> Reduction:
    if is_tensor(base):
        whole = _whole_memory(base)
        offset = address(value) - whole.data_ptr()
        made = (type(value), whole, value.dtype, value.shape, offset, value.strides)
        return rebuild_on_tensor, (*made, value.flags.writeable)
    whole = np.frombuffer(base, np.uint8)
    offset = address(value) - address(whole)
    made = (type(value), base, value.dtype, value.shape, offset, value.strides)
    return rebuild_lent, (*made, value.flags.writeable), _state_of(value), None, None, set_state


def _whole_memory(tensor: Any) -> Any:
    """All that the tensor's storage holds, as one row of bytes: the tensor itself may have gaps."""
    torch: Any = sys.modules["torch"]
    return torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage())


def rebuild_lent(
    kind: Any,
    lender: Any,
    dtype: Any,
    shape: tuple[int, ...],
    offset: int,
    strides: tuple[int, ...],
    writeable: bool,
) -> Any:
    """An array in the memory of something that lends it: bytes, a bytearray."""
    if isinstance(lender, Placeholder):
        return lender
    return _lay_over(lender, kind, dtype, shape, offset, strides, writeable)


def rebuild_on_tensor(
    kind: Any,
    tensor: Any,
    dtype: Any,
    shape: tuple[int, ...],
    offset: int,
    strides: tuple[int, ...],
    writeable: bool,
) -> Any:
    """An array in the memory of a tensor of torch."""
    whole = tensor.detach().numpy()
    stored = as_stored(whole)
    if stored is None:
        stored = np.lib.stride_tricks.as_strided(whole, (1,), whole.strides[:1] or None)
    return _lay_over(stored, kind, dtype, shape, offset, strides, writeable)


# -- owners --------------------------------------------------------------------------------------


def _reduce_owner(value: Any, context: Context) -> Reduction:
    kind, state = type(value), _state_of(value)
    stored = as_stored(value)
    order: Any = _order_of(value)
    if stored is None and overlaps(value) and not value.dtype.hasobject:
        # Its items are no more than the memory they show.
        held = window(value)
        place = (value.shape, address(value) - address(held), value.strides, value.flags.writeable)
        return rebuild_view, (kind, held, value.dtype, *place), state, None, None, set_state
    if stored is None:
        stored, order = np.ascontiguousarray(value.view(np.ndarray)), "C"
    made: tuple[Any, ...] = (kind, value.dtype, value.shape, order, value.flags.writeable)
    if value.dtype.kind == "O":
        items = list(stored.reshape(-1))
        return rebuild_objects, made, (items, state), None, None, set_objects
    if value.dtype.hasobject:
        records = np.ndarray.__reduce__(stored)[2]
        return rebuild_objects, made, (records, state), None, None, set_records
    if value.nbytes < _SMALL:
        return rebuild_array, (*made, stored.tobytes()), state, None, None, set_state
    source = pickle.PickleBuffer(stored.reshape(-1).view(np.uint8))
    return rebuild_array, (*made, source), state, None, None, set_state


def _order_of(value: Any) -> Any:
    if value.flags.c_contiguous:
        return "C"
    return "F" if value.flags.f_contiguous else value.strides


def _empty(kind: Any, dtype: Any, shape: tuple[int, ...], order: Any) -> Any:
    if isinstance(order, str):
        return np.ndarray.__new__(kind, shape, dtype, order=order)
    # Axes in another order: an owner with such strides is made after a pattern.
    pattern = np.lib.stride_tricks.as_strided(np.empty(1, dtype), shape, order)
    return np.empty_like(pattern if kind is np.ndarray else pattern.view(kind), order="K")


def rebuild_array(
    kind: Any, dtype: Any, shape: tuple[int, ...], order: Any, writeable: bool, source: Any
) -> Any:
    made = _empty(kind, dtype, shape, order)
    if made.nbytes:
        stored = as_stored(made)
        into(memoryview(stored.reshape(-1).view(np.uint8)), source)
    if not writeable:
        made.setflags(write=False)
    return made


def rebuild_objects(
    kind: Any, dtype: Any, shape: tuple[int, ...], order: Any, writeable: bool
) -> Any:
    made = _empty(kind, dtype, shape, order)
    if not writeable:
        made.setflags(write=False)
    return made


def set_objects(array: Any, state: tuple[list[Any], Any]) -> None:
    items, more = state
    writeable = array.flags.writeable
    array.setflags(write=True)
    flat = as_stored(array).reshape(-1)
    for index, item in enumerate(items):
        flat[index] = item
    array.setflags(write=writeable)
    if more is not None:
        vars(array).update(more)


def set_records(array: Any, state: tuple[Any, Any]) -> None:
    """Records that hold objects, as numpy tells them, get into their array's own memory: it has
    its views already."""
    told, more = state
    records = np.ndarray.__new__(np.ndarray, 0)
    records.__setstate__(told)
    writeable = array.flags.writeable
    array.setflags(write=True)
    as_stored(array)[...] = records
    array.setflags(write=writeable)
    if more is not None:
        vars(array).update(more)


def set_state(array: Any, state: dict[str, Any]) -> None:
    vars(array).update(state)


# -- files, iterators, functions -----------------------------------------------------------------


def reduce_memmap(value: Any, context: Context) -> Reduction:
    if lender_of(value) is not None:
        return _reduce_view(value, context) or _reduce_owner(value, context)
    if not isinstance(value.base, mmap.mmap):
        return reduce_array(value, context)
    if value.filename is None:
        return stand_in(value, context, "an array in a mapped file without a name", "map it again")
    note_file(value, context)
    path = os.path.abspath(value.filename)
    mode = {"w+": "r+"}.get(value.mode, value.mode)
    order = "C" if value.flags.c_contiguous else "F"
    return rebuild_memmap, (type(value), path, value.dtype, mode, value.offset, value.shape, order)


def _map_of(value: Any) -> Any:
    """The array of a named file that `value` is, or that it is a view of."""
    found = (one for one in (value, *lenders(value)) if isinstance(one, np.memmap))
    held = next(found, None)
    return held if held is not None and held.filename is not None else None


def note_file(value: Any, context: Context) -> None:
    """Says so where the array, or what it is a view of, lies in a file."""
    found = _map_of(value)
    if found is None:
        return
    reason = f"an array in the file {os.path.abspath(found.filename)}; the file is not kept"
    if found.mode == "c":
        reason += ", nor what was changed in memory only"
    context.note(Fidelity.REFERENCE, reason)


def rebuild_memmap(
    kind: Any, path: str, dtype: Any, mode: str, offset: int, shape: tuple[int, ...], order: str
) -> Any:
    try:
        return np.memmap.__new__(kind, path, dtype, mode, offset, shape, order)
    except (OSError, ValueError) as error:
        what = f"an array in the file {path} ({error})"
        return Placeholder(name_of(kind), what, "put the file back and map it again")


def reduce_flat(value: Any, _: Context) -> Reduction:
    return rebuild_flat, (value.base, value.index)


def rebuild_flat(base: Any, index: int) -> Any:
    flat = base.flat
    for _ in range(index):
        next(flat)
    return flat


def reduce_iterator(value: Any, context: Context) -> Reduction:
    return stand_in(value, context, "an iterator over arrays", "make it again", value.iterindex)


def reduce_broadcast(value: Any, context: Context) -> Reduction:
    context.note(Fidelity.REBUILT, "a broadcast, from its start")
    return np.broadcast, tuple(flat.base for flat in value.iters)


def reduce_ufunc(value: Any, context: Context) -> Reduction:
    import gc

    function = next((held for held in gc.get_referents(value) if callable(held)), None)
    if function is not None and getattr(np, value.__name__, None) is not value:
        return rebuild_ufunc, (function, value.nin, value.nout, value.identity)
    for module in list(sys.modules.values()):
        if vars(module).get(value.__name__) is value if hasattr(module, "__dict__") else False:
            return global_function, (module.__name__, value.__name__)
    return stand_in(value, context, f"a ufunc {value.__name__}", "make it again")


def global_function(module: str, name: str) -> Any:
    import importlib

    return getattr(importlib.import_module(module), name)


def rebuild_ufunc(function: Any, nin: int, nout: int, identity: Any) -> Any:
    return np.frompyfunc(function, nin, nout, identity=identity)
