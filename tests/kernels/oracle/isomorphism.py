"""A namespace written down so that two are equal exactly when they have the same shape.

Every object that can change gets a number when it is first met, in an order that depends on the
names alone; what refers to it again says the number. So equal texts mean a bijection of objects.
Values that cannot change (numbers, texts, dates, tuples) are told as such, not by identity.
Arrays are told by their bytes and by where they lie in one another's memory, weak references by
whether something else leads to what they refer to. Knows nothing of how states are kept.
"""

from __future__ import annotations

import builtins
import datetime
import functools
import io
import re
import sys
import types
import weakref
from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np

_ATOMS = (
    *(int, float, complex, bool, str, bytes, type(None), range, type(...), type(NotImplemented)),
    *(types.BuiltinFunctionType, types.ModuleType, types.CodeType, np.dtype, np.generic),
    *(types.MethodDescriptorType, types.WrapperDescriptorType, types.GetSetDescriptorType),
    *(types.MemberDescriptorType, datetime.date, datetime.tzinfo, re.Pattern),
)
_VALUES = (int, float, complex, str, bytes)
_OF_IPYTHON = re.compile(r"In\Z|_(ih|oh|dh|i+|i\d+)\Z|(exit|quit|get_ipython|open)\Z|__\w")
_UNTOLD = ("__dict__", "__weakref__", "__slotnames__", "_abc_impl", "__module__", "__doc__")


Text = list[tuple[Any, ...]]


def describe(namespace: dict[str, Any], values: dict[str, Any] | None = None) -> Text:
    """One line for each variable and each object that is reached from them; `values` stand for
    the variables, where they are given."""
    return look(namespace, values)[0]


def describe_but_classes(namespace: dict[str, Any], values: dict[str, Any]) -> Text:
    """As `describe`, without what the classes hold that these values lead to."""
    return _Writer(namespace, but=values.values()).write(values)


def look(namespace: dict[str, Any], values: dict[str, Any] | None = None) -> tuple[Text, set[int]]:
    """As `describe`, and where all lie that can change."""
    writer = _Writer(namespace)
    return writer.write(namespace if values is None else values), set(writer.numbers)


class _Writer:
    def __init__(
        self,
        namespace: dict[str, Any],
        *,
        is_within: bool = False,
        but: Iterable[Any] | None = None,
    ) -> None:
        """What `is_within` another one tells of sets only what can be told of each member alone.
        Of classes only the names are told, where any are given, `but` of these."""
        self.namespace = namespace
        self.is_within = is_within
        self.whole = None if but is None else set(map(id, but))
        self.numbers: dict[int, int] = {id(namespace): 0}
        self.held: list[Any] = [namespace]
        self.queue: deque[Any] = deque()
        self.sets: deque[Any] = deque()
        self.weak: list[weakref.ref[Any]] = []
        self.arrays: list[np.ndarray[Any, Any]] = []

    def write(self, values: dict[str, Any]) -> Text:
        names = sorted(name for name in values if not _OF_IPYTHON.match(name))
        lines: Text = [(name, self.refer(values[name])) for name in names]
        while self.queue or self.sets:
            # Sets come last: where their members have numbers, these say which is which.
            value = self.queue.popleft() if self.queue else self.sets.popleft()
            lines.append((self.numbers[id(value)], type(value).__qualname__, *self.parts(value)))
        return [*lines, *self.overlaps(), *map(self.target, self.weak)]

    def refer(self, value: Any) -> Any:
        kind = type(value)
        if kind is types.CodeType:
            return "code", value.co_name, value.co_code, self.all(value.co_consts)
        if kind is types.BuiltinFunctionType and _has_owner(value):
            return "method", value.__qualname__, self.refer(value.__self__)
        if isinstance(value, _ATOMS) and kind.__module__ != "__main__" and not _is_made(value):
            return kind.__name__, repr(value) if not callable(value) else value.__qualname__
        if isinstance(value, type) and value.__module__ != "__main__":
            return "type", value.__module__, value.__qualname__
        if isinstance(value, type) and self.whole is not None and id(value) not in self.whole:
            return "class", value.__qualname__
        if kind is tuple:
            return "tuple", *self.all(value)
        if kind is frozenset:
            return "frozenset", *self.members(value)
        if kind is slice:
            return "slice", *self.all((value.start, value.stop, value.step))
        if id(value) not in self.numbers:
            self.numbers[id(value)] = len(self.numbers)
            self.held.append(value)
            (self.sets if isinstance(value, set | frozenset) else self.queue).append(value)
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
            return *self.all([value.func, value.args, value.keywords]), self.attributes(value)
        if isinstance(value, memoryview):
            if value.format == "O":  # Its bytes are addresses.
                return self.all(np.asarray(value).ravel().tolist()), self.refer(value.obj)
            return bytes(value), self.refer(value.obj)
        if isinstance(value, types.ModuleType):
            held = {name: one for name, one in vars(value).items() if not name.startswith("__")}
            return value.__name__, [*held], self.all(held.values())
        if isinstance(value, weakref.ref):
            self.weak.append(value)
            return ()
        return (*self.contents(value), self.attributes(value))

    def contents(self, value: Any) -> tuple[Any, ...]:
        if isinstance(value, dict):
            factory = self.refer(getattr(value, "default_factory", None))
            # Python puts its builtins where code is run.
            held = {key: one for key, one in value.items() if one is not vars(builtins)}
            return factory, self.all(held.keys()), self.all(held.values())
        if isinstance(value, set | frozenset):
            return tuple(self.members(value))
        if isinstance(value, list | deque):
            return getattr(value, "maxlen", None), *self.all(value)
        if isinstance(value, tuple):
            return tuple(self.all(tuple.__iter__(value)))
        if isinstance(value, _VALUES):
            base = next(one for one in type(value).__mro__ if one in _VALUES)
            return (base.__repr__(value),)
        if isinstance(value, bytearray):
            return (bytes(value),)
        if isinstance(value, io.StringIO | io.BytesIO):
            return value.getvalue(), value.tell()
        if isinstance(value, BaseException):
            told = (value.args, value.__cause__, value.__context__, value.__suppress_context__)
            return tuple(self.all(told))
        if type(value).__module__ == "__main__":
            return ("",)
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
            self.home(value.__globals__),
            self.refer(value.__defaults__ or ()),
            self.all((value.__kwdefaults__ or {}).values()),
            self.all(value.__closure__ or ()),
            # `wraps` of a class takes over what Python notes there when it pickles one of it.
            self.all(one for key, one in vars(value).items() if key != "__slotnames__"),
        )

    def home(self, scope: dict[str, Any]) -> Any:
        """What a function runs in: the notebook, a module, or a dict of no module."""
        if scope is self.namespace:
            return 0
        module = sys.modules.get(scope.get("__name__", ""))
        is_of_module = module is not None and vars(module) is scope and not _is_made(module)
        return scope["__name__"] if is_of_module else self.refer(scope)

    def members(self, of: Any) -> list[Any]:
        """By their numbers, where they have some; else by what they are, each taken alone."""
        if self.is_within:
            told = (one if type(one) in _VALUES else type(one).__qualname__ for one in of)
            return sorted(map(repr, told))
        known, late = self.numbers, len(self.numbers)
        places = {id(one): (known.get(id(one), late), self.alone(one)) for one in of}
        return self.all(sorted(of, key=lambda one: places[id(one)]))

    def alone(self, value: Any) -> str:
        return repr(_Writer(self.namespace, is_within=True).write({"": value}))

    def target(self, reference: weakref.ref[Any]) -> tuple[Any, ...]:
        """What it refers to, where anything else leads there."""
        return self.numbers[id(reference)], self.numbers.get(id(reference()))

    def array(self, value: np.ndarray[Any, Any]) -> tuple[Any, ...]:
        self.arrays.append(value)
        more = self.attributes(value) if type(value) is not np.ndarray else ()
        shape = (value.dtype.str, value.shape, value.strides, value.flags.writeable, more)
        if value.dtype.hasobject:
            return *shape, self.all(value.ravel().tolist())
        # Not a masked array's own: that one sets what it fills with, which is a change.
        return *shape, np.ndarray.tobytes(value)

    def overlaps(self) -> list[tuple[Any, ...]]:
        found = []
        spans = [np.lib.array_utils.byte_bounds(one) for one in self.arrays]
        for index, (low, high) in enumerate(spans):
            for other, (start, end) in enumerate(spans[:index]):
                if low < end and start < high:
                    found.append(("overlap", other, index, low - start))
        return found


def _is_made(value: Any) -> bool:
    """True for a module that was made by hand."""
    if not isinstance(value, types.ModuleType):
        return False
    held = vars(value)
    return held.get("__spec__") is None and held.get("__name__") not in ("__main__", "builtins")


def _has_owner(method: Any) -> bool:
    """True for a method of an object that can change."""
    owner = method.__self__
    return owner is not None and not isinstance(owner, (type, *_ATOMS))
