"""polars: columns as Arrow's own stream, out of band."""

from __future__ import annotations

import pickle
from typing import Any

import polars as pl

from jupyter_rewind.kernels.reducers.borrowing import note_lender
from jupyter_rewind.kernels.reducers.contract import Context, Reduction
from jupyter_rewind.kernels.reducers.registry import Registry
from jupyter_rewind.model.snapshot import Fidelity


def register(registry: Registry) -> None:
    registry.add(pl.Series, reduce_series)
    registry.add(pl.DataFrame, reduce_frame)
    registry.add(pl.LazyFrame, reduce_plan)


def reduce_series(value: Any, context: Context) -> Reduction:
    _note_lender(value, context)
    state = value.__getstate__()
    return rebuild_series, (pickle.PickleBuffer(state),)


def reduce_frame(value: Any, context: Context) -> Reduction:
    reduction: Reduction = value.__reduce_ex__(5)
    any(_note_lender(column, context) for column in value.get_columns())
    return reduction


def _note_lender(value: Any, context: Context) -> bool:
    # Of numbers in one piece alone can the memory be an array's.
    if not value.dtype.is_numeric() or value.n_chunks() != 1 or value.null_count():
        return False
    try:
        seen = value.to_numpy(allow_copy=False)
    except (RuntimeError, ValueError, TypeError):
        return False  # no array can show this
    return note_lender(seen.ctypes.data, seen.nbytes, context)


def rebuild_series(source: Any) -> Any:
    made = pl.Series.__new__(pl.Series)
    made.__setstate__(bytes(source))
    return made


def reduce_plan(value: Any, context: Context) -> Reduction:
    if "SCAN" in value.explain(optimized=False):
        context.note(Fidelity.REFERENCE, "a plan that reads files; the files are not kept")
    reduction: Reduction = value.__reduce_ex__(5)
    return reduction
