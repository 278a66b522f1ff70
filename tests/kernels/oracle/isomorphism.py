"""A namespace written down so that two are equal exactly when they have the same shape.

Every object that can change gets a number when it is first met, in an order that depends on the
names alone; what refers to it again says the number. So equal texts mean a bijection of objects.
Values that cannot change (numbers, texts, dates, tuples) are told as such, not by identity.
Arrays are told by their bytes and by where they lie in one another's memory. Knows nothing of how
states are kept.
"""

from __future__ import annotations

import datetime
import functools
import io
import re
import types
from collections import deque
from typing import Any

import numpy as np

_ATOMS = (
    *(int, float, complex, bool, str, bytes, type(None), range, type(...), type(NotImplemented)),
    *(types.BuiltinFunctionType, types.ModuleType, types.CodeType, np.dtype, np.generic),
    *(types.MethodDescriptorType, types.WrapperDescriptorType, types.GetSetDescriptorType),
    *(types.MemberDescriptorType, slice, datetime.date, datetime.tzinfo, re.Pattern),
)
_OF_IPYTHON = re.compile(r"In\Z|_(ih|oh|dh|i+|i\d+)\Z|(exit|quit|get_ipython|open)\Z|__\w")
_UNTOLD = ("__dict__", "__weakref__", "__slotnames__", "_abc_impl", "__module__", "__doc__")


def describe(namespace: dict[str, Any]) -> list[tuple[Any, ...]]:
    """One line for each variable and each object that is reached from them."""
    return _Writer(namespace).write()


class _Writer:
    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace = namespace
        self.numbers: dict[int, int] = {id(namespace): 0}
        self.held: list[Any] = [namespace]
        self.queue: deque[Any] = deque()
        self.arrays: list[np.ndarray[Any, Any]] = []

    def write(self) -> list[tuple[Any, ...]]:
        names = sorted(name for name in self.namespace if not _OF_IPYTHON.match(name))
        lines: list[tuple[Any, ...]] = [(name, self.refer(self.namespace[name])) for name in names]
        while self.queue:
            value = self.queue.popleft()
            lines.append((self.numbers[id(value)], type(value).__qualname__, *self.parts(value)))
        return [*lines, *self.overlaps()]

    def refer(self, value: Any) -> Any:
        kind = type(value)
        if kind is types.CodeType:
            return "code", value.co_name, value.co_code, self.all(value.co_consts)
        if isinstance(value, _ATOMS) and kind.__module__ != "__main__":
            return kind.__name__, repr(value) if not callable(value) else value.__qualname__
        if isinstance(value, type) and value.__module__ != "__main__":
            return "type", value.__module__, value.__qualname__
        if kind is tuple:
            return "tuple", *self.all(value)
        if kind is frozenset:
            return "frozenset", *sorted(map(repr, value))
        if id(value) not in self.numbers:
            self.numbers[id(value)] = len(self.numbers)
            self.held.append(value)
            self.queue.append(value)
        return self.numbers[id(value)]

    def all(self, values: Any) -> list[Any]:
        return [self.refer(value) for value in values]

    def parts(self, value: Any) -> tuple[Any, ...]:
        if isinstance(value, np.ndarray):
            return self.array(value)
        if isinstance(value, types.FunctionType):
            return self.function(value)
        if isinstance(value, type):
            # The order of what a class holds is not compared.
            told = {key: one for key, one in sorted(vars(value).items()) if key not in _UNTOLD}
            return value.__qualname__, self.all(value.__bases__), [*told], self.all(told.values())
        if isinstance(value, types.CellType):
            try:
                return (self.refer(value.cell_contents),)
            except ValueError:
                return ("empty",)
        if isinstance(value, types.MethodType):
            return tuple(self.all([value.__func__, value.__self__]))
        if isinstance(value, property):
            return tuple(self.all([value.fget, value.fset, value.fdel]))
        if isinstance(value, staticmethod | classmethod):
            return (self.refer(value.__func__),)
        if isinstance(value, functools.partial):
            return tuple(self.all([value.func, value.args, value.keywords]))
        if isinstance(value, memoryview):
            return bytes(value), self.refer(value.obj)
        return (*self.contents(value), self.attributes(value))

    def contents(self, value: Any) -> tuple[Any, ...]:
        if isinstance(value, dict):
            return self.all(value.keys()), self.all(value.values())
        if isinstance(value, set | frozenset):
            return tuple(sorted(repr(one) for one in value if type(one).__module__ == "builtins"))
        if isinstance(value, list | deque):
            return tuple(self.all(value))
        if isinstance(value, bytearray):
            return (bytes(value),)
        if isinstance(value, io.StringIO | io.BytesIO):
            return value.getvalue(), value.tell()
        if type(value).__module__ == "__main__" or isinstance(value, BaseException):
            return (repr(value.args) if isinstance(value, BaseException) else "",)
        try:
            reduced = value.__reduce_ex__(4)
        except TypeError:
            return ("opaque",)
        if isinstance(reduced, str):
            return (reduced,)
        return tuple(self.refer(one) for one in reduced[:3])

    def attributes(self, value: Any) -> Any:
        told: dict[str, Any] = dict(getattr(value, "__dict__", {}))
        for kind in type(value).__mro__:
            slots = vars(kind).get("__slots__", ()) if kind.__module__ == "__main__" else ()
            told |= {slot: getattr(value, slot) for slot in slots if hasattr(value, slot)}
        return [*told], self.all(told.values())

    def function(self, value: types.FunctionType) -> tuple[Any, ...]:
        return (
            value.__qualname__,
            self.refer(value.__code__),
            value.__globals__ is self.namespace,
            self.refer(value.__defaults__ or ()),
            self.all((value.__kwdefaults__ or {}).values()),
            self.all(value.__closure__ or ()),
            self.all(vars(value).values()),
        )

    def array(self, value: np.ndarray[Any, Any]) -> tuple[Any, ...]:
        self.arrays.append(value)
        shape = (value.dtype.str, value.shape, value.strides, value.flags.writeable)
        if value.dtype.hasobject:
            return *shape, self.all(value.ravel().tolist())
        return *shape, value.tobytes()

    def overlaps(self) -> list[tuple[Any, ...]]:
        found = []
        spans = [np.lib.array_utils.byte_bounds(one) for one in self.arrays]
        for index, (low, high) in enumerate(spans):
            for other, (start, end) in enumerate(spans[:index]):
                if low < end and start < high:
                    found.append(("overlap", other, index, low - start))
        return found
