"""What is known of a type: whether its values can change, and whether they tell what they hold."""

from __future__ import annotations

import _random
import _thread
import array
import datetime
import decimal
import enum
import mmap
import re
import sys
import threading
import types
import weakref
from collections.abc import Iterable
from typing import Any

LEAF, PLAIN, ARRAY, TEXTS, WEAK, OPEN = range(6)
"""A value of a kind is: immutable or a root of its own; telling all it holds; an array of numpy;
an array of Arrow; a weak reference; or possibly reached by others in ways that cannot be seen."""

_HIDES_DICTS = sys.version_info[:2] >= (3, 13)
_INLINE_VALUES = 1 << 2
_HAS_GC = 1 << 14

_LEAVES = frozenset(
    {
        *(bool, int, float, complex, str, bytes, type(None), types.EllipsisType),
        *(types.NotImplementedType, range, re.Pattern, re.Match, decimal.Decimal),
        *(datetime.date, datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone),
        *(types.FunctionType, types.CodeType, types.WrapperDescriptorType),
        *(types.MethodDescriptorType, types.ClassMethodDescriptorType),
        *(types.GetSetDescriptorType, types.MemberDescriptorType),
    }
)

_TIMES = (datetime.datetime, datetime.time)
_ZONES = frozenset({"builtins", "datetime", "zoneinfo", "pytz", "dateutil", "pandas"})
"""Packages whose time zones never change."""

_WITHOUT_PARTS = frozenset(
    {
        *(bytearray, array.array, _random.Random, type(iter(range(1))), type(iter(range(1 << 70)))),
        *(type(_thread.allocate_lock()), type(threading.RLock())),
    }
)
"""Types that tell the collector nothing, and hold nothing that others could reach."""

_NAMES_WITHOUT_PARTS = frozenset(
    {"ImagingCore", "PyDataFrame", "PySeries", "PyLazyFrame", "PyExpr", "PyCapsule"}
)
_PACKAGES_WITHOUT_PARTS = ("sklearn.", "scipy.", "pandas._libs.")
"""Where extension types that tell the collector nothing hold plain memory only."""

_VIEW_OF_CYTHON = 208
"""Bytes of a view of Cython, which stands in what holds it: two addresses, and eight times a shape,
a stride and an offset."""

_WITHOUT_VIEWS = sys.stdlib_module_names | {"builtins", "numpy"}

_UNSEEN = frozenset(
    {"tensorflow", "jax", "jaxlib", "cupy", "cudf", "paddle", "mxnet", "lxml", "keras", "vtk"}
)
"""Packages whose values share memory or trees that only their own code can see."""

_LEAF_MODULES = ("pandas._libs.tslibs.", "pandas._libs.missing", "pandas.core.dtypes.")
_WEAK = (weakref.ref, weakref.ProxyType, weakref.CallableProxyType)
_OPEN = (types.FrameType, types.TracebackType, types.ModuleType, threading.Thread, mmap.mmap)
"""What leads everywhere; and mapped memory, which other processes may write to."""


def dict_getter(kind: type) -> Any:
    """Reads the dict of an instance that hides it from the collector; None where it does not.

    No code of the user's runs, whatever the class makes of `__dict__`."""
    if not _HIDES_DICTS or not kind.__flags__ & _INLINE_VALUES:
        return None
    for base in _bases_of(kind):
        found = base.__dict__.get("__dict__")
        if type(found) is types.GetSetDescriptorType:
            return found.__get__
    return None


def has_own_zone(values: Iterable[Any]) -> bool:
    """True where one of them is a time in a zone whose class is the user's: times do not tell the
    collector what zone they hold, and such a zone may change."""
    zones = {type(value.tzinfo) for value in values if issubclass(type(value), _TIMES)}
    return any(_module_of(zone).partition(".")[0] not in _ZONES for zone in zones)


def may_have_zone(kinds: Iterable[type]) -> bool:
    """True where times are among them."""
    return any(issubclass(kind, _TIMES) for kind in kinds)


class Kinds:
    """The tags of the types met in one walk: no class is remembered longer than that."""

    def __init__(self) -> None:
        self._tags: dict[type, int] = {}

    def tag(self, kind: type) -> int:
        try:
            return self._tags[kind]
        except KeyError:
            found = self._tags[kind] = _tag(kind)
            return found


def _tag(kind: type) -> int:
    if kind in _LEAVES or issubclass(kind, type) or issubclass(kind, enum.Enum):
        return LEAF
    if issubclass(kind, _WEAK):
        return WEAK
    if issubclass(kind, _OPEN):
        return OPEN
    found = _tag_of_library(kind)
    if found is not None:
        return found
    return PLAIN if all(map(_tells_all, _bases_of(kind))) else OPEN


def _module_of(base: type) -> str:
    return str(type.__getattribute__(base, "__module__"))


def _bases_of(kind: type) -> Any:
    return type.__dict__["__mro__"].__get__(kind)[:-1]


def _tag_of_library(kind: type) -> int | None:
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None and hasattr(numpy, "ndarray"):
        if issubclass(kind, numpy.ndarray):
            return ARRAY
        if issubclass(kind, numpy.dtype):
            return LEAF
        if issubclass(kind, numpy.generic):
            return OPEN if issubclass(kind, numpy.void) else LEAF
    for base in _bases_of(kind):
        module = _module_of(base)
        if module == "torch" or module.startswith(("torch._C", "torch._tensor", "torch.storage")):
            return OPEN
        if module.partition(".")[0] in _UNSEEN:
            return OPEN
        if module.startswith("pyarrow."):
            return TEXTS if base.__name__ in ("ChunkedArray", "StringArray") else OPEN
        if module.startswith(_LEAF_MODULES) or base.__name__ == "ExtensionDtype":
            return LEAF
        if module == "sympy.core.basic" and base.__name__ == "Basic":
            return LEAF
    return None


def _tells_all(base: type) -> bool:
    """Whether values tell the collector all that this base of their class adds to them."""
    if base in _LEAVES or base in _WITHOUT_PARTS:
        return True
    above = base.__base__
    if above is not None and _may_hide_views(base, above):
        return False
    if base.__flags__ & _HAS_GC:
        return True
    if above is not None and base.__basicsize__ == above.__basicsize__:
        return True
    module = _module_of(base)
    return base.__name__ in _NAMES_WITHOUT_PARTS or module.startswith(_PACKAGES_WITHOUT_PARTS)


def _may_hide_views(base: type, above: type) -> bool:
    """Whether there is room in them for a view that Cython made of the memory of something else: of
    those nothing is told, whatever else is."""
    if base.__basicsize__ - above.__basicsize__ < _VIEW_OF_CYTHON or "__slots__" in base.__dict__:
        return False
    return _module_of(base).partition(".")[0] not in _WITHOUT_VIEWS
