"""Arrow: pickle's own way is right; memory that it was lent is told of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from jupyter_rewind.kernels.reducers.borrowing import note_lender
from jupyter_rewind.kernels.reducers.contract import Context, Reduction
from jupyter_rewind.kernels.reducers.registry import Registry

_KINDS = (pa.Buffer, pa.Array, pa.ChunkedArray, pa.RecordBatch, pa.Table)


def register(registry: Registry) -> None:
    for kind in _KINDS:
        registry.add(kind, reduce_value, subclasses=True)


def reduce_value(value: Any, context: Context) -> Reduction:
    reduction: Reduction = value.__reduce_ex__(5)
    # What a column is told with is made for that alone: it is said of the column.
    parts = context.once(_no_parts)
    if id(value) not in parts:
        for buffer in _buffers(value):
            if buffer.is_cpu and note_lender(buffer.address, buffer.size, context):
                break
    parts.update((id(one), one) for one in _parts(reduction[1]))
    return reduction


def _no_parts() -> dict[int, Any]:
    return {}


def _parts(told: Any) -> Iterator[Any]:
    for one in told:
        if type(one) in (tuple, list):
            yield from _parts(one)
        elif isinstance(one, _KINDS):
            yield one


def _buffers(value: Any) -> Iterator[Any]:
    if isinstance(value, pa.Buffer):
        yield value
    elif isinstance(value, pa.Array):
        yield from filter(None, value.buffers())
    else:
        for part in value.chunks if isinstance(value, pa.ChunkedArray) else value.columns:
            yield from _buffers(part)
