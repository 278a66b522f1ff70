"""Are two object graphs the same: same values, and the same sharing?

A walk over both at once keeps a bijection between their objects: what is one object here must be
one object there. Knows nothing of how states are kept.
"""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np

_PLAIN = (int, float, complex, bool, str, bytes, type(None), range, np.dtype, np.generic)


class Different(AssertionError):
    """Where two graphs differ, and how."""


def assert_alike(
    one: dict[str, Any], other: dict[str, Any], names: Iterable[str] | None = None
) -> None:
    """Raises Different unless the variables of both namespaces are alike in value and sharing."""
    mine = sorted(_names(one) if names is None else names)
    theirs = sorted(_names(other) if names is None else names)
    if mine != theirs:
        raise Different(f"names: {mine} and {theirs}")
    _Walk(one, other).run([(f"{name}", one[name], other[name]) for name in mine])


def _names(namespace: dict[str, Any]) -> list[str]:
    return [name for name in namespace if not name.startswith("__")]


class _Walk:
    def __init__(self, one: dict[str, Any], other: dict[str, Any]) -> None:
        self.spaces = (one, other)
        self.forth: dict[int, int] = {id(one): id(other)}
        self.back: dict[int, int] = {id(other): id(one)}
        self.held: list[Any] = []
        self.queue: deque[tuple[str, Any, Any]] = deque()

    def run(self, pairs: list[tuple[str, Any, Any]]) -> None:
        self.queue.extend(pairs)
        while self.queue:
            self.look(*self.queue.popleft())

    def look(self, where: str, a: Any, b: Any) -> None:
        if isinstance(a, type) and isinstance(b, type) and a is b:
            return
        if type(a) is not type(b) and not self._are_twins(where, type(a), type(b)):
            raise Different(f"{where}: {type(a)} and {type(b)}")
        if isinstance(a, _PLAIN):
            same = a == b or (a != a and b != b)
            if not same or repr(a) != repr(b):
                raise Different(f"{where}: {a!r} and {b!r}")
            return
        if isinstance(a, types.ModuleType | types.BuiltinFunctionType):
            if a is not b:
                raise Different(f"{where}: {a!r} and {b!r}")
            return
        if type(a) is not tuple and type(a) is not frozenset:
            if self.forth.get(id(a), id(b)) != id(b) or self.back.get(id(b), id(a)) != id(a):
                raise Different(f"{where}: shared here and not there")
            if id(a) in self.forth:
                return
            self.forth[id(a)], self.back[id(b)] = id(b), id(a)
        elif (id(a), id(b)) in self.forth:
            return
        else:
            self.forth[(id(a), id(b))] = 0  # type: ignore[index]
        self.held += (a, b)
        self.parts(where, a, b)

    def _are_twins(self, where: str, a: type, b: type) -> bool:
        if a.__qualname__ != b.__qualname__ or a.__module__ != b.__module__:
            return False
        self.queue.append((f"type({where})", a, b))
        return a.__flags__ & (1 << 9) != 0

    def parts(self, where: str, a: Any, b: Any) -> None:
        if isinstance(a, np.ndarray):
            self.arrays(where, a, b)
        elif isinstance(a, types.FunctionType):
            self.functions(where, a, b)
        elif isinstance(a, type):
            self.classes(where, a, b)
        elif isinstance(a, types.CellType):
            self.add(where + ".cell", _cell(a), _cell(b))
        elif isinstance(a, types.MethodType):
            self.add(where + ".method", [a.__func__, a.__self__], [b.__func__, b.__self__])
        elif isinstance(a, dict):
            self.add(where + ".keys", list(a), list(b))
            self.add(where + ".values", list(a.values()), list(b.values()))
            self.state(where, a, b)
        elif isinstance(a, set | frozenset):
            self.add(where, sorted(a, key=_order), sorted(b, key=_order))
        elif isinstance(a, list | tuple | deque):
            self.add(where, list(a), list(b))
            self.state(where, a, b)
        elif isinstance(a, bytearray):
            self.add(where, [bytes(a)], [bytes(b)])
        elif isinstance(a, staticmethod | classmethod):
            self.add(where, [a.__func__], [b.__func__])
        elif isinstance(a, property):
            self.add(where, [a.fget, a.fset, a.fdel], [b.fget, b.fset, b.fdel])
        elif isinstance(a, memoryview):
            self.add(where, [bytes(a), a.obj], [bytes(b), b.obj])
        else:
            self.state(where, a, b)

    def state(self, where: str, a: Any, b: Any) -> None:
        mine, theirs = getattr(a, "__dict__", None), getattr(b, "__dict__", None)
        if mine is not None and theirs is not None:
            self.add(where + ".__dict__", list(mine), list(theirs))
            self.add(where + ".__dict__", list(mine.values()), list(theirs.values()))
        for kind in type(a).__mro__:
            for slot in vars(kind).get("__slots__", ()):
                if slot not in ("__weakref__", "__dict__"):
                    self.add(f"{where}.{slot}", _slot(a, slot), _slot(b, slot))

    def arrays(self, where: str, a: np.ndarray, b: np.ndarray) -> None:
        if a.dtype != b.dtype or a.shape != b.shape or a.strides != b.strides:
            raise Different(f"{where}: {a.dtype} {a.shape} {a.strides}, {b.dtype} {b.shape}")
        if a.dtype.hasobject:
            self.add(where, list(a.ravel()), list(b.ravel()))
        elif not np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
            raise Different(f"{where}: other elements")
        if a.flags.writeable != b.flags.writeable:
            raise Different(f"{where}: writeable here and not there")
        self.add(where + ".base", [a.base], [b.base])

    def functions(self, where: str, a: Any, b: Any) -> None:
        for mine, theirs in ((a, 0), (b, 1)):
            own = mine.__globals__ is self.spaces[theirs]
            if own != (a.__globals__ is self.spaces[0]):
                raise Different(f"{where}: globals are not the namespace")
        for name in ("co_code", "co_names", "co_varnames", "co_freevars", "co_firstlineno"):
            if getattr(a.__code__, name) != getattr(b.__code__, name):
                raise Different(f"{where}: {name}")
        self.add(where + ".closure", list(a.__closure__ or ()), list(b.__closure__ or ()))
        self.add(where + ".defaults", [a.__defaults__], [b.__defaults__])
        self.add(where + ".kwdefaults", [a.__kwdefaults__], [b.__kwdefaults__])
        self.add(where + ".__dict__", [dict(a.__dict__)], [dict(b.__dict__)])
        self.add(where + ".names", [a.__qualname__, a.__doc__], [b.__qualname__, b.__doc__])

    def classes(self, where: str, a: type, b: type) -> None:
        skip = ("__dict__", "__weakref__", "__slotnames__", "_abc_impl")
        mine = {key: one for key, one in vars(a).items() if key not in skip}
        theirs = {key: one for key, one in vars(b).items() if key not in skip}
        if mine.keys() != theirs.keys():
            raise Different(f"{where}: attributes {mine.keys() ^ theirs.keys()}")
        self.add(where + ".bases", list(a.__bases__), list(b.__bases__))
        for key, value in mine.items():
            if not isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType):
                self.add(f"{where}.{key}", [value], [theirs[key]])

    def add(self, where: str, mine: list[Any], theirs: list[Any]) -> None:
        if len(mine) != len(theirs):
            raise Different(f"{where}: {len(mine)} and {len(theirs)} parts")
        pairs = zip(mine, theirs, strict=True)
        self.queue.extend((f"{where}[{number}]", a, b) for number, (a, b) in enumerate(pairs))


def _cell(cell: types.CellType) -> list[Any]:
    try:
        return [cell.cell_contents]
    except ValueError:
        return []


def _slot(value: Any, slot: str) -> list[Any]:
    return [getattr(value, slot)] if hasattr(value, slot) else []


def _order(value: Any) -> tuple[str, str]:
    # Members of sets in these tests are told apart by their repr or their `mark`.
    return type(value).__name__, repr(getattr(value, "mark", value))
