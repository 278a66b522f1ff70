"""The state of the process that cells change, of which the two kernels of a test have one each."""

from __future__ import annotations

import contextlib
import decimal
import hashlib
import os
import random
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np


def look() -> tuple[Any, ...]:
    """All of it."""
    return (
        random.getstate(),
        np.random.get_state(),
        os.getcwd(),
        dict(os.environ),
        list(sys.path),
        list(warnings.filters),
        decimal.getcontext().copy(),
        np.get_printoptions(),
    )


def put(state: tuple[Any, ...]) -> None:
    """The process has it."""
    chance, numpy, folder, variables, path, filters, context, shown = state
    random.setstate(chance)
    np.random.set_state(numpy)
    os.chdir(folder)
    if dict(os.environ) != variables:
        for name in [name for name in os.environ if name not in variables]:
            del os.environ[name]
        os.environ.update(variables)
    sys.path[:] = path
    warnings.filters[:] = filters
    warnings._filters_mutated()  # type: ignore[attr-defined]
    # A copy: cells change the context that is set.
    decimal.setcontext(context.copy())
    np.set_printoptions(**{key: one for key, one in shown.items() if key != "override_repr"})


def thin_out() -> None:
    """Few environment variables are left, which are read and compared after each step."""
    for name in [name for name in os.environ if name not in ("HOME", "LANG", "PATH", "TZ")]:
        del os.environ[name]


def tell() -> list[tuple[Any, ...]]:
    """All of it, as two that are equal are told alike; one line for each part."""
    chance, numpy, folder, variables, path, filters, context, shown = look()
    return [
        ("random", hashlib.sha256(repr(chance).encode()).hexdigest()),
        ("numpy", hashlib.sha256(numpy[1].tobytes()).hexdigest(), numpy[2:]),
        ("folder", folder),
        *(("variable", *each) for each in variables.items()),
        *(("path", each) for each in path),
        *(("filter", *each) for each in filters),
        ("decimal", repr(context)),
        ("shown", repr(shown)),
    ]


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """What the block does to the process is undone."""
    before = look()
    try:
        yield
    finally:
        put(before)
