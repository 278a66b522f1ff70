"""A few words about a value, without running any code of the user's or copying the value."""

from __future__ import annotations

import itertools
import types
from collections.abc import Iterable
from typing import Any

_WIDTH = 60
#: So many of the first items are told, each as long as that at most.
_MOST, _ITEM = 8, 20
_PLAIN = (int, float, complex, bool, type(None), str, bytes)
_SIZED = (list, tuple, dict, set, frozenset, bytearray)


def preview(value: Any) -> str:
    """At most sixty characters, or nothing where the type says it all."""
    try:
        return _preview(value, type(value))
    except Exception:
        return ""


def _preview(value: Any, kind: type) -> str:
    if kind is int and value.bit_length() > 400:
        return f"an integer of {value.bit_length()} bits"
    if kind in (str, bytes):
        return _cut(repr(value[: _WIDTH + 1]))
    if kind in _PLAIN:
        return _cut(repr(value))
    if kind in _SIZED:
        return _sized(value, kind)
    if kind is types.ModuleType:
        return _cut(f"module {value.__name__}")
    if issubclass(kind, type) or kind is types.FunctionType:
        return _cut(value.__qualname__)
    return _of_library(value, kind)


def _sized(value: Any, kind: type) -> str:
    """How many items there are, and the first of them as far as their reprs run no code."""
    count = len(value)
    words = "1 item" if count == 1 else f"{count} items"
    try:
        # The order of a set is another one in the next process.
        shown = _first(value, kind) if kind in (list, tuple, dict) else ""
    except RuntimeError:
        shown = ""  # another thread adds to it just now
    return _cut(f"{words}: {shown}") if shown else words


def _first(value: Any, kind: type) -> str:
    items: Iterable[tuple[Any, ...]] = value.items() if kind is dict else zip(value, strict=True)
    parts: list[str] = []
    for item in itertools.islice(items, _MOST):
        told = [_item(part) for part in item if type(part) in _PLAIN]
        if len(told) < len(item):
            break
        parts.append(": ".join(told))
    more = ["…"] if len(parts) < len(value) else []
    return ", ".join(parts + more) if parts else ""


def _item(value: Any) -> str:
    return _cut(_preview(value, type(value)), _ITEM)


def type_name(value: Any) -> str:
    """The name of the value's class, with its package where that is not Python's own."""
    kind = type(value)
    home = type.__getattribute__(kind, "__module__")
    name: str = type.__getattribute__(kind, "__qualname__")
    if not isinstance(home, str) or home in ("builtins", "__main__"):
        return name
    return f"{home.partition('.')[0]}.{name}"


def _of_library(value: Any, kind: type) -> str:
    package = str(type.__getattribute__(kind, "__module__")).partition(".")[0]
    if package not in ("numpy", "pandas", "torch", "polars", "scipy", "pyarrow"):
        return ""
    shape = " × ".join(map(str, value.shape))
    what = str(getattr(value, "dtype", ""))
    return _cut(f"{shape} {what}".strip())


def _cut(text: str, width: int = _WIDTH) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
