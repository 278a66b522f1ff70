"""Views of other values: they stay views, of the same value."""

from __future__ import annotations

import array
import collections
import ctypes
import gc
import mmap
import pickle
import types
from typing import Any

from jupyter_rewind.kernels.reducers.contract import Context, Reduction, stand_in
from jupyter_rewind.kernels.reducers.registry import Registry
from jupyter_rewind.model.snapshot import Fidelity

_LARGE = 1 << 12


def register(registry: Registry) -> None:
    registry.add(memoryview, reduce_memoryview)
    registry.add(array.array, reduce_array)
    registry.add(types.MappingProxyType, reduce_proxy)
    mapping: dict[int, int]
    for mapping in ({}, collections.OrderedDict[int, int]()):
        for name in ("keys", "values", "items"):
            registry.add(type(getattr(mapping, name)()), reduce_dict_view)


def into(target: memoryview, source: Any) -> None:
    """Fill `target` with the bytes that were kept: read right into it, where the source can."""
    read = getattr(source, "into", None)
    if read is not None:
        read(target)
    else:
        target[:] = memoryview(source).cast("B")


def reduce_proxy(value: Any, _: Context) -> Reduction:
    return mapping_proxy, (gc.get_referents(value)[0],)


def mapping_proxy(mapping: Any) -> Any:
    return types.MappingProxyType(mapping)


def reduce_dict_view(value: Any, _: Context) -> Reduction:
    mapping = next(held for held in gc.get_referents(value) if isinstance(held, dict))
    return rebuild_dict_view, (mapping, type(value).__name__.rpartition("_")[2])


def rebuild_dict_view(mapping: dict[Any, Any], which: str) -> Any:
    return getattr(mapping, which)()


def reduce_array(value: array.array[Any], _: Context) -> Reduction:
    if value.itemsize * len(value) < _LARGE:
        return value.__reduce_ex__(5)
    return rebuild_array, (value.typecode, len(value), pickle.PickleBuffer(value))


def rebuild_array(typecode: str, length: int, source: Any) -> array.array[Any]:
    made = array.array(typecode, [0]) * length
    into(memoryview(made).cast("B"), source)
    return made


class _Buffer(ctypes.Structure):
    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.py_object),
        ("rest", ctypes.c_byte * 256),
    )


def address_of(exporter: Any) -> int:
    """Where the memory of a value begins that lends it, read-only or not."""
    buffer = _Buffer()
    ctypes.pythonapi.PyObject_GetBuffer(
        ctypes.py_object(exporter), ctypes.byref(buffer), ctypes.c_int(0x11C)
    )
    address = buffer.buf or 0
    ctypes.pythonapi.PyBuffer_Release(ctypes.byref(buffer))
    return int(address)


def is_mapped(view: memoryview) -> bool:
    """Whether it shows the memory of a map, which cannot be kept."""
    return isinstance(view.obj, mmap.mmap)


def reduce_memoryview(value: memoryview, context: Context) -> Reduction:
    try:
        owner = value.obj
    except ValueError:
        return stand_in(value, context, "a released memoryview", "make it again")
    if is_mapped(value):
        return stand_in(value, context, "a memoryview of mapped or shared memory", "map it again")
    shape = (value.format, value.shape, value.strides, value.itemsize, value.readonly)
    whole = memoryview(owner)
    if not whole.contiguous or (not value.c_contiguous and value.ndim != 1):
        context.note(Fidelity.REBUILT, "a memoryview of scattered memory; it got memory of its own")
        shape = (value.format, value.shape, None, value.itemsize, value.readonly)
        return rebuild_memoryview, (bytearray(value.tobytes()), 0, *shape)
    offset = address_of(value) - address_of(owner) if value.nbytes else 0
    return rebuild_memoryview, (owner, offset, *shape)


def rebuild_memoryview(
    owner: Any,
    offset: int,
    code: str,
    shape: tuple[int, ...],
    strides: tuple[int, ...] | None,
    itemsize: int,
    readonly: bool,
) -> memoryview:
    whole: memoryview = memoryview(owner)
    view = whole if whole.nbytes == 0 else whole.cast("B")
    if strides is not None and len(shape) == 1 and shape[0] and strides[0] != itemsize:
        view = _strided(view, offset, code, shape[0], strides[0], itemsize)
    else:
        size = itemsize
        for length in shape:
            size *= length
        view = view[offset : offset + size]
        if 0 in shape or len(shape) == 1:
            view = view.cast(code)  # type: ignore[call-overload]
        else:
            view = view.cast(code, shape)  # type: ignore[call-overload]
    return view.toreadonly() if readonly and not view.readonly else view


def _strided(
    view: memoryview, offset: int, code: str, length: int, stride: int, itemsize: int
) -> memoryview:
    step = stride // itemsize
    first = offset if step > 0 else offset + stride * (length - 1)
    extent = abs(stride) * (length - 1) + itemsize
    items: Any = view[first : first + extent].cast(code)  # type: ignore[call-overload]
    strided: memoryview = items[::step] if step > 0 else items[::-1][::-step]
    return strided
