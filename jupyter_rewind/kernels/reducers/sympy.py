"""Functions that sympy makes by name: classes without a place where pickle could find them."""

from __future__ import annotations

from typing import Any

from sympy.core.function import UndefinedFunction

from jupyter_rewind.kernels.reducers.contract import Context, Reduction
from jupyter_rewind.kernels.reducers.registry import Registry


def register(registry: Registry) -> None:
    registry.add(UndefinedFunction, reduce_function)


def reduce_function(value: Any, _: Context) -> Reduction:
    return rebuild_function, (value.__name__, dict(value._kwargs))


def rebuild_function(name: str, assumptions: dict[str, Any]) -> Any:
    return UndefinedFunction(name, **assumptions)
