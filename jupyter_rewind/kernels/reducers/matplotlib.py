"""Figures of matplotlib: as they are, but not handed to pyplot, which would show them again."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from jupyter_rewind.kernels.reducers.contract import Context, Reduction
from jupyter_rewind.kernels.reducers.registry import Registry
from jupyter_rewind.model.snapshot import Fidelity


def register(registry: Registry) -> None:
    registry.add(Figure, reduce_figure, subclasses=True)


def reduce_figure(value: Any, context: Context) -> Reduction:
    make, arguments, state, *rest = value.__reduce_ex__(5)
    if isinstance(state, dict) and state.pop("_restore_to_pylab", False):
        context.note(Fidelity.REBUILT, "a figure that is not pyplot's current one any more")
    return (make, arguments, state, *rest)
