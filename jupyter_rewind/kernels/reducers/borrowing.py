"""Whose memory a value of another library shows: it was made over an array, without a copy.

Looks at arrays that variables name and at columns of their frames; an array that only a container
holds is not found.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from jupyter_rewind.kernels.reducers.contract import Context
from jupyter_rewind.model.snapshot import Fidelity


def note_lender(address: int, size: int, context: Context) -> bool:
    """Whether the memory is an array's, which is noted: what comes back has memory of its own."""
    if not size or "numpy" not in sys.modules:
        return False
    for start, end, name in context.once(_Lenders(context.namespace)):
        if start <= address < end:
            words = f"it shows the memory of {name}; what comes back has memory of its own"
            context.note(Fidelity.REBUILT, words)
            return True
    return False


class _Lenders:
    """Where the arrays of a namespace lie. One capture has one namespace: all of these are equal,
    so they are looked for once."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace

    def __call__(self) -> list[tuple[int, int, str]]:
        return [
            (*place, name)
            for name, value in list(self._namespace.items())
            if not str(name).startswith("_")
            for place in _owned(value)
        ]

    def __eq__(self, other: object) -> bool:
        return type(other) is _Lenders

    def __hash__(self) -> int:
        return hash(_Lenders)


def _owned(value: Any) -> Iterator[tuple[int, int]]:
    """Where the arrays lie that own the memory of the value's content."""
    from jupyter_rewind.kernels.reducers.lending import extent, lenders

    array, pandas = sys.modules["numpy"].ndarray, sys.modules.get("pandas")
    parts = [value]
    if pandas is not None and issubclass(type(value), pandas.DataFrame | pandas.Series):
        parts = list(value._mgr.arrays)
    for part in parts:
        if issubclass(type(part), array):
            for held in (part, *lenders(part)):
                if issubclass(type(held), array) and held.flags.owndata:
                    yield extent(held)
