"""Parsers of command lines: what says "suppressed" is one text of Python's, asked for with `is`."""

from __future__ import annotations

import argparse
import copyreg
from typing import Any

from jupyter_rewind.kernels import rebuild
from jupyter_rewind.kernels.reducers.contract import Context, Reduction
from jupyter_rewind.kernels.reducers.registry import Registry

_new: Any = vars(copyreg)["__newobj__"]


def register(registry: Registry) -> None:
    for kind in (argparse.Action, vars(argparse)["_ActionsContainer"]):
        registry.add(kind, reduce_part, subclasses=True)


class Suppressed:
    """Stands for that text while it is told."""

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild.find_global, ("argparse", "SUPPRESS")


def reduce_part(value: Any, _: Context) -> Reduction:
    """A parser, a group of it, or one of its arguments."""
    reduction: Any = object.__reduce_ex__(value, 5)
    state = reduction[2] if reduction[0] is _new and len(reduction) > 2 else None
    if type(state) is not dict:
        return reduction  # type: ignore[no-any-return]
    own = {name: _told(held) for name, held in state.items()}
    return (*reduction[:2], own, *reduction[3:])


def _told(held: Any) -> Any:
    return Suppressed() if held is argparse.SUPPRESS else held
