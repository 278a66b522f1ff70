"""polars: columns as Arrow's own stream, out of band."""

from __future__ import annotations

import pickle
from typing import Any

import polars as pl

from jupyter_rewind.kernels.reducers.contract import Context, Reduction
from jupyter_rewind.kernels.reducers.registry import Registry
from jupyter_rewind.model.snapshot import Fidelity


def register(registry: Registry) -> None:
    registry.add(pl.Series, reduce_series)
    registry.add(pl.LazyFrame, reduce_plan)


def reduce_series(value: Any, _: Context) -> Reduction:
    state = value.__getstate__()
    return rebuild_series, (pickle.PickleBuffer(state),)


def rebuild_series(source: Any) -> Any:
    made = pl.Series.__new__(pl.Series)
    made.__setstate__(bytes(source))
    return made


def reduce_plan(value: Any, context: Context) -> Reduction:
    if "SCAN" in value.explain(optimized=False):
        context.note(Fidelity.REFERENCE, "a plan that reads files; the files are not kept")
    reduction: Reduction = value.__reduce_ex__(5)
    return reduction
