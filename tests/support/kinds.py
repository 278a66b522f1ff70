"""Kinds of object that notebooks hold: how each is made, what must hold of it, what spoils it.

`make` binds `value` (and more, where sharing matters); `check` is an expression that holds of what
`make` made and no longer holds after `change`. `told` marks those that cannot come back as they
were: they must then be told of, never be wrong in silence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

PRELUDE = """
import abc, array, asyncio, builtins, collections, contextlib, copy, dataclasses, datetime
import decimal, enum, fractions, functools, hashlib, io, itertools, json, logging, math, operator
import os, pathlib, queue, random, re, socket, sqlite3, string, subprocess, sys, tempfile
import threading, time, types, typing, uuid, warnings, weakref, zoneinfo
"""
LIBRARIES = {
    "np": "numpy", "pd": "pandas", "pl": "polars", "pa": "pyarrow", "sp": "scipy.sparse",
    "nx": "networkx", "sympy": "sympy", "torch": "torch", "PIL": "PIL.Image",
    "sklearn": "sklearn.linear_model", "plt": "matplotlib.pyplot",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object."""

    group: str
    name: str
    make: str
    check: str
    change: str = "value = 0"
    told: bool = False

    def libraries(self) -> dict[str, str]:
        """What its cells import, and under which name."""
        text = self.make + self.check + self.change
        shorts = [short for short in LIBRARIES if re.search(rf"\b{short}\.", text)]
        return {LIBRARIES[short]: short for short in shorts}

    def prelude(self) -> str:
        """The imports that its cells need."""
        wanted = [
            f"import {module} as {short}" if short not in ("PIL", "sklearn") else f"import {module}"
            for module, short in self.libraries().items()
        ]
        return PRELUDE + "\n".join(wanted)

    def holds(self, namespace: dict[str, Any]) -> bool:
        """Whether the check holds; an error in it means that it does not."""
        try:
            return bool(eval(self.check, namespace))
        except Exception:
            return False


def of_group(group: str, *rows: tuple[Any, ...]) -> tuple[Kind, ...]:
    """The kinds of one group, from (name, make, check[, change[, told]])."""
    return tuple(Kind(group, *row) for row in rows)
