"""What of a namespace is kept: which names, and which values are small enough to go together.

IPython's own names are left out, as are its histories of input: a restore brings back variables,
not what was typed since.
"""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from jupyter_rewind.kernels import functions
from jupyter_rewind.kernels.hubs import Hubs
from jupyter_rewind.kernels.pods import OUTPUT, SMALL, VARIABLE

HIDDEN = frozenset((
    "In", "Out", "_ih", "_oh", "_dh", "_i", "_ii", "_iii", "exit", "quit", "get_ipython",
    "__name__", "__doc__", "__package__", "__loader__", "__spec__", "__builtin__", "__builtins__",
    "__file__", "__session__",
))  # fmt: skip
_INPUT = re.compile(r"_i\d+\Z")
_ATOMS = frozenset((bool, float, complex, type(None), types.EllipsisType, types.NotImplementedType))
_SMALL_TEXT = 256
_SMALL_BITS = 2048


@dataclass(slots=True)
class Roots:
    """The roots of one capture. Holds user objects: only as long as the capture lasts."""

    names: tuple[str, ...] = ()
    values: dict[str, Any] = field(default_factory=dict)
    small: int = 0
    """How many variables are among the small values."""
    modules: int = 0


def is_kept(name: str, excluded: Collection[str] = ()) -> bool:
    """True when a restore may set or remove this name."""
    return name not in HIDDEN and name not in excluded and not _INPUT.match(name)


def gather(namespace: dict[str, Any], hubs: Hubs, excluded: Collection[str] = ()) -> Roots:
    """Everything that is to be kept of the namespace. Names functions of the notebook as hubs."""
    roots = Roots()
    names: list[str] = []
    small: dict[str, Any] = {}
    for name, value in list(namespace.items()):
        if type(name) is not str or not is_kept(name, excluded):
            continue
        names.append(name)
        if is_small(value, namespace, hubs):
            small[VARIABLE + name] = value
            roots.modules += type(value) is types.ModuleType
        else:
            roots.values[VARIABLE + name] = value
    roots.small = len(small)
    for number, value in list(outputs_of(namespace).items()):
        key = f"{OUTPUT}{number}"
        if is_small(value, namespace, hubs):
            small[key] = value
        else:
            roots.values[key] = value
    roots.values[SMALL] = small
    roots.names = tuple(names)
    return roots


def outputs_of(namespace: dict[str, Any]) -> dict[int, Any]:
    """IPython's `Out`; empty where there is none."""
    found = namespace.get("_oh")
    return found if type(found) is dict else {}


def inputs_of(namespace: dict[str, Any]) -> list[str]:
    """IPython's `In`; empty where there is none."""
    found = namespace.get("_ih")
    return found if type(found) is list else []


def is_small(value: Any, namespace: dict[str, Any], hubs: Hubs) -> bool:
    """True for values without parts that another variable could share."""
    kind = type(value)
    if kind in _ATOMS:
        return True
    if kind is int:
        return bool(value.bit_length() <= _SMALL_BITS)
    if kind is str or kind is bytes:
        return len(value) <= _SMALL_TEXT
    if kind is types.FunctionType:
        if value.__globals__ is namespace or not functions.is_importable(
            value, value.__module__, value.__qualname__
        ):
            hubs.name(value)
        return True
    if kind is types.ModuleType:
        return sys.modules.get(value.__name__) is value
    if kind is types.BuiltinFunctionType:
        return isinstance(value.__self__, types.ModuleType)
    return isinstance(value, type)
