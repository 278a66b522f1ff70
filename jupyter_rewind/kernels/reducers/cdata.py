"""Structures of C that the notebook defines: ctypes knows how they lie in memory, nobody else."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

from jupyter_rewind.kernels.reducers.contract import Context, Reduction, stand_in
from jupyter_rewind.kernels.reducers.registry import Registry


def register(registry: Registry) -> None:
    for kind in (ctypes.Structure, ctypes.Union, ctypes.Array, ctypes._Pointer):
        registry.add(kind, reduce_data, subclasses=True, always=True)


def reduce_data(value: Any, context: Context) -> Reduction:
    """Its own way where a module holds its class; else its bytes, for whoever makes it again."""
    kind = type(value)
    home = sys.modules.get(kind.__module__)
    if kind.__module__ != "__main__" and getattr(home, kind.__qualname__, None) is kind:
        reduction: Reduction = value.__reduce_ex__(5)
        return reduction
    what = f"a value of C, `{kind.__name__}` of ctypes"
    content = None if isinstance(value, ctypes._Pointer) else bytes(value)
    return stand_in(value, context, what, "run the cell that made it again", content)
