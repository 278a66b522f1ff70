"""What of a namespace is kept: which names, and which values are small enough to go together.

IPython's own names are left out, as are its histories of input: a restore brings back variables,
not what was typed since. Plain values that never change (numbers, short text) go together, a
hundred to a pod, and are known again by being the very same object: a cell costs what it bound,
not what is bound.
"""

from __future__ import annotations

import itertools
import operator
import re
import sys
import types
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jupyter_rewind.kernels import functions
from jupyter_rewind.kernels.handmade import is_handmade
from jupyter_rewind.kernels.hubs import Hubs
from jupyter_rewind.kernels.names import ORDER, OUTPUTS, NameOrder, odd_names, order_of_outputs
from jupyter_rewind.kernels.pods import OUTPUT, SMALL, VARIABLE

HIDDEN = frozenset((
    "In", "Out", "_ih", "_oh", "_dh", "_i", "_ii", "_iii", "exit", "quit", "get_ipython",
    "__name__", "__doc__", "__package__", "__loader__", "__spec__", "__builtin__", "__builtins__",
    "__session__",
))  # fmt: skip
_INPUT = re.compile(r"_i\d+\Z")
_RESULT = re.compile(r"_{1,3}\Z|_\d+\Z")
_ATOMS = frozenset((bool, float, complex, type(None), types.EllipsisType, types.NotImplementedType))
_SMALL_TEXT = 256
_SMALL_BITS = 2048
_GROUP = 128
_MISS = object()
_SECONDS_A_ROOT = 5e-6
"""What each value that has parts costs before any of it is told."""
NAMED = SMALL + "named"
"""The pod of everything that is kept by its name: modules, functions, classes."""


@dataclass(slots=True)
class Roots:
    """The roots of one capture. Holds user objects: only as long as the capture lasts."""

    values: dict[str, Any] = field(default_factory=dict)
    unchanged: set[str] = field(default_factory=set)
    """Pods of plain values in which nothing was bound anew."""
    small: int = 0
    """How many variables are among the small values."""
    modules: int = 0


def is_kept(name: str, excluded: Collection[str] = ()) -> bool:
    """True when a restore may set or remove this name."""
    return (
        name not in HIDDEN
        and name not in excluded
        and not (str.startswith(name, "_i") and _INPUT.match(name))
    )


def is_variable(name: Any, value: Any, excluded: Collection[str] = ()) -> bool:
    """True for a variable of the user's; IPython puts an `open` of its own beside them."""
    if not isinstance(name, str) or not is_kept(name, excluded):
        return False
    if name != "open" or type(value) is not types.FunctionType:
        return True
    # Its `__module__` is that of the built-in one, which it wraps.
    return not str(value.__globals__.get("__name__")).startswith("IPython.")


def is_result(name: str) -> bool:
    """True for IPython's names for what cells were worth: kept, but no variables of the user's."""
    return _RESULT.match(name) is not None


def keys_of(namespace: dict[str, Any]) -> set[str]:
    """The roots that there are now: variables and outputs."""
    outputs = outputs_of(namespace)
    return {f"{VARIABLE}{name}" for name in namespace} | {f"{OUTPUT}{one}" for one in outputs}


class _Seen:
    """The plain values of a mapping in its order, to be compared in one go; `_MISS` for others."""

    def __init__(self) -> None:
        self.names: list[Any] = []
        self.values: list[Any] = []
        self.is_new = True
        """The names are not those of the last time with some behind them."""
        self.has_odd = False
        """Some name is no text."""

    def differing(self, names: list[Any], values: list[Any]) -> list[int]:
        """Places of what is not the very plain value that stood there; room is made for all."""
        count = len(self.names)
        self.is_new = len(names) != len(values) or names[:count] != self.names
        if self.is_new:
            count, self.values, self.has_odd = 0, [], False
        self.has_odd = self.has_odd or not all(isinstance(name, str) for name in names[count:])
        is_other = map(operator.not_, map(operator.is_, values, self.values))
        places = list(itertools.compress(range(count), is_other))
        self.names = names
        self.values += [_MISS] * (len(names) - count)
        return [*places, *range(count, min(len(names), len(values)))]

    def doubt(self, name: str) -> None:
        """What stands there was left out, and differs in any case."""
        if name in self.names:
            self.values[self.names.index(name)] = _MISS


class Gatherer:
    """Finds the roots of one namespace, again and again. Holds plain values and nothing else."""

    def __init__(self, hubs: Hubs) -> None:
        self._hubs = hubs
        self._plain: dict[str, dict[Any, Any]] = {VARIABLE: {}, OUTPUT: {}}
        self._seen = {VARIABLE: _Seen(), OUTPUT: _Seen()}
        self._places: dict[str, int] = {}
        self._groups: list[dict[str, Any]] = []
        self._dirty: set[int] = set()
        self._order = NameOrder()
        self._settled = 0
        self._told: tuple[Any, ...] | None = None
        self._naming: tuple[Any, ...] | None = None

    def gather(self, namespace: dict[str, Any], excluded: Collection[str] = ()) -> Roots:
        """Everything that is to be kept. Names functions of the notebook as hubs."""
        roots = Roots()
        named: dict[str, Any] = {}
        self._look(VARIABLE, namespace, namespace, roots, named, excluded)
        seen = self._seen[VARIABLE]
        roots.values[ORDER] = self._order.read(
            seen.names, seen.is_new, lambda name: is_variable(name, namespace.get(name))
        )
        if seen.has_odd:
            roots.values.update(odd_names(namespace))
        outputs = outputs_of(namespace)
        order = order_of_outputs(outputs)
        if order is not None:
            roots.values[OUTPUTS] = order
        results = ("_", "__", "___", *(f"_{count}" for count in outputs))
        roots.small = len(self._plain[VARIABLE]) + len(named)
        roots.small -= sum(
            name in self._plain[VARIABLE] or f"{VARIABLE}{name}" in named for name in results
        )
        self._look(OUTPUT, outputs, namespace, roots, named, ())
        self._naming = None
        if named:
            roots.values[NAMED] = named
            self._naming = _naming(named, self._hubs)
            if self._naming is not None and self._naming == self._told:
                roots.unchanged.add(NAMED)
        for number, group in enumerate(self._groups):
            if group:
                key = f"{SMALL}{number}"
                roots.values[key] = group
                if number not in self._dirty:
                    roots.unchanged.add(key)
        return roots

    def time_for_new(self, namespace: dict[str, Any], enough: float) -> float:
        """About how many seconds it takes to look at what was bound since the last state; 0 where
        that is clearly less than `enough`."""
        new = len(namespace) - self._settled
        if new * _SECONDS_A_ROOT <= enough:
            return 0.0
        values = itertools.islice(reversed(list(namespace.values())), new)
        return sum(map(operator.not_, map(is_plain, values))) * _SECONDS_A_ROOT

    def settle(self) -> None:
        """What was gathered last is kept: only what is bound from now on is new."""
        self._settled = len(self._seen[VARIABLE].names)
        self._dirty.clear()
        self._order.settle()
        self._told = self._naming

    def distrust_all_but(self, same: Iterable[str]) -> None:
        """The namespace was replaced, and its pods: only these are what was gathered last."""
        known = set(same)
        self._dirty |= {
            number for number in range(len(self._groups)) if f"{SMALL}{number}" not in known
        }
        self._told = None

    def _look(
        self,
        prefix: str,
        items: Mapping[Any, Any],
        namespace: dict[str, Any],
        roots: Roots,
        named: dict[str, Any],
        excluded: Collection[str],
    ) -> None:
        plain = self._plain[prefix]
        seen = self._seen[prefix]
        names, values = list(items), list(items.values())
        for place in seen.differing(names, values):
            name, value = names[place], values[place]
            if plain.get(name, _MISS) is value:
                seen.values[place] = value
                continue
            seen.values[place] = _MISS
            if prefix is VARIABLE and not is_variable(name, value, excluded):
                if type(value) is str and type(name) is str and not is_kept(name):
                    # What was typed, once for each cell: not to be asked about again.
                    seen.values[place] = value
                continue
            if is_plain(value):
                plain[name] = seen.values[place] = value
                self._put(f"{prefix}{name}", value)
                continue
            if name in plain:
                del plain[name]
                self._drop(f"{prefix}{name}")
            if is_named(value, namespace, self._hubs):
                named[f"{prefix}{name}"] = value
                roots.modules += prefix is VARIABLE and type(value) is types.ModuleType
            else:
                roots.values[f"{prefix}{name}"] = value
        if seen.is_new or excluded:
            for name in [one for one in plain if one not in items or one in excluded]:
                del plain[name]
                self._drop(f"{prefix}{name}")
                if name in excluded:
                    seen.doubt(name)

    def _put(self, key: str, value: Any) -> None:
        number = self._places.get(key)
        if number is None:
            number = self._places[key] = len(self._places) // _GROUP
            while len(self._groups) <= number:
                self._groups.append({})
        self._groups[number][key] = value
        self._dirty.add(number)

    def _drop(self, key: str) -> None:
        number = self._places[key]
        del self._groups[number][key]
        self._dirty.add(number)


def _naming(named: Mapping[str, Any], hubs: Hubs) -> tuple[Any, ...] | None:
    """By what each of these is kept, without holding it; None where that is not sure."""
    found: list[Any] = []
    for key, value in named.items():
        name: Any = hubs.uid_of(value)
        if name is None:
            name = _name_in_library(value)
            if name is None:
                return None
        found.append((key, name))
    return tuple(found)


def _name_in_library(value: Any) -> tuple[str, str] | None:
    kind = type(value)
    if kind is types.ModuleType:
        return value.__name__, ""
    if issubclass(kind, type):
        home = type.__getattribute__(value, "__module__")
        name = type.__getattribute__(value, "__qualname__")
    else:
        home, name = value.__module__, value.__qualname__
    return (home, name) if functions.is_importable(value, home, name) else None


def outputs_of(namespace: dict[str, Any]) -> dict[int, Any]:
    """IPython's `Out`; empty where there is none."""
    found = namespace.get("_oh")
    return found if type(found) is dict else {}


def inputs_of(namespace: dict[str, Any]) -> list[str]:
    """IPython's `In`; empty where there is none."""
    found = namespace.get("_ih")
    return found if type(found) is list else []


def is_plain(value: Any) -> bool:
    """True for small values of Python's own that never change and have no parts."""
    kind = type(value)
    if kind is int:
        return bool(value.bit_length() <= _SMALL_BITS)
    if kind is str or kind is bytes:
        return len(value) <= _SMALL_TEXT
    # A NaN is one by identity, and told by itself.
    return kind in _ATOMS and not (kind is float and value != value)


def is_named(value: Any, namespace: dict[str, Any], hubs: Hubs) -> bool:
    """True for what is kept by its name or its uid."""
    kind = type(value)
    if kind is types.FunctionType:
        if value.__globals__ is namespace or not functions.is_importable(
            value, value.__module__, value.__qualname__
        ):
            hubs.name(value)
        return True
    if kind is types.ModuleType:
        return sys.modules.get(value.__name__) is value and not is_handmade(value)
    if kind is types.BuiltinFunctionType:
        return isinstance(value.__self__, types.ModuleType)
    return issubclass(kind, type)
