"""Figures of matplotlib: as they are, but not handed to pyplot, which would show them again."""

from __future__ import annotations

import copy
import copyreg
import itertools
from typing import Any

from matplotlib.cbook import CallbackRegistry
from matplotlib.figure import Figure

from jupyter_rewind.kernels.reducers.contract import Context, Reduction
from jupyter_rewind.kernels.reducers.registry import Registry
from jupyter_rewind.model.snapshot import Fidelity


def register(registry: Registry) -> None:
    registry.add(Figure, reduce_figure, subclasses=True)
    registry.add(CallbackRegistry, reduce_callbacks)


def reduce_callbacks(value: Any, _: Context) -> Reduction:
    """As it says itself, but that asking it draws a number from its counter: here from a copy."""
    stand: Any = object.__new__(CallbackRegistry)
    vars(stand).update(vars(value))
    if isinstance(vars(value).get("_cid_gen"), itertools.count):
        vars(stand)["_cid_gen"] = copy.copy(value._cid_gen)
    make = copyreg.__newobj__  # type: ignore[attr-defined]  # its stub leaves it out
    return make, (CallbackRegistry,), stand.__getstate__()


def reduce_figure(value: Any, context: Context) -> Reduction:
    make, arguments, state, *rest = value.__reduce_ex__(5)
    if isinstance(state, dict) and state.pop("_restore_to_pylab", False):
        context.note(Fidelity.REBUILT, "a figure that is not pyplot's current one any more")
    return (make, arguments, state, *rest)
