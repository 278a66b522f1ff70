"""What the variables of the user's own modules hold: kept with the notebook's, and set with them.

A module of the user's own (no library's, not made by hand) that the notebook has loaded is imported
again in a new kernel; then its variables are what they were in the state. Only data is kept:
no function, class or module, and nothing that the module itself took from a library, which is that
library's. A package of which very many modules are loaded counts as a library.
"""

from __future__ import annotations

import importlib
import itertools
import operator
import os
import sys
import threading
import types
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from xxhash import xxh3_64_hexdigest

from jupyter_rewind.kernels.handmade import is_handmade
from jupyter_rewind.kernels.holdings import own_modules
from jupyter_rewind.kernels.origins import codes_of, is_own, mark_of
from jupyter_rewind.kernels.pods import MODULE, SMALL
from jupyter_rewind.kernels.reaches import taken_from
from jupyter_rewind.kernels.roots import Roots, is_plain

PLAIN = SMALL + "modules"
"""The pod of the plain values of all these modules, and of what their files were."""
MOST_OF_PACKAGE = 64
"""A package of which more modules are loaded is no project of the user's."""
_NO_DATA = (
    types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType,
    types.FrameType, types.TracebackType, types.GenericAlias, types.UnionType, threading.Thread,
    type,
)  # fmt: skip
_NO_DATA_OF = frozenset((
    *("typing", "typing_extensions", "logging", "functools", "ctypes", "_ctypes", "signal"),
    *("_thread", "threading", "asyncio", "_asyncio", "multiprocessing", "concurrent", "selectors"),
    *("contextvars", "_contextvars", "socket", "_socket", "ssl", "subprocess", "sqlite3"),
))  # fmt: skip
"""Packages of Python's whose objects are ways to do something, and belong to this process."""
_BY_ANY_NAME = frozenset((
    *("getattr", "attrgetter", "__getattribute__", "__dict__", "globals", "vars", "locals"),
    *("eval", "exec", "modules", "import_module", "__import__", "getmembers"),
))  # fmt: skip
"""Names through which code reads a variable of a module without naming it. One that is bound anew
is another object, which is noticed."""


@dataclass(frozen=True, slots=True)
class _Module:
    """What is known of a module until it is loaded anew."""

    mark: object
    file: str
    foreign: frozenset[str]
    """Names that it gives to what it took from libraries."""
    stars: frozenset[str]
    """Libraries of which it took everything."""


class OwnVariables:
    """The variables of the user's own modules in one process. Holds plain values and nothing else
    of theirs."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        """Of the modules that are there already, those count that the notebook holds."""
        known = _packages_of(namespace.values())
        self._others = {name for name in sys.modules if _package(name) not in known}
        self._older: set[str] = set()
        self._modules: dict[str, _Module] = {}
        self._now: dict[str, Any] = {}
        self._told: dict[str, Any] | None = None

    def gather(
        self, namespace: Mapping[str, Any], roots: Roots, excluded: Collection[str] = ()
    ) -> None:
        """Everything that is to be kept of them is among the roots."""
        plain: dict[str, Any] = {}
        for name, module in self._find(namespace):
            if name in excluded:
                continue
            known = self._know(name, module)
            plain[make_key(name, "")] = known.file
            for place, value in _data_of(module, known):
                if f"{name}.{place}" in excluded or value is namespace:
                    continue
                if is_plain(value):
                    plain[make_key(name, place)] = value
                else:
                    roots.values[make_key(name, place)] = value
        self._now = plain
        if plain:
            roots.values[PLAIN] = plain
            told = self._told
            if (
                told is not None
                and plain.keys() == told.keys()
                and all(map(operator.is_, plain.values(), map(told.get, plain)))
            ):
                roots.unchanged.add(PLAIN)

    @property
    def names(self) -> frozenset[str]:
        """The modules of which it gathered last."""
        return frozenset(split_key(key)[0] for key in self._now)

    def settle(self) -> None:
        """What was gathered last is kept."""
        self._told = self._now

    def distrust(self) -> None:
        """What was gathered last is not what is there now."""
        self._told = None

    def may_touch(self, mentioned: Collection[str] | None, key: str) -> bool:
        """True where code that mentions these names (None: it is not known which) can have changed
        what only this variable leads to."""
        name, place = split_key(key)
        if mentioned is None or name in self._older or place in mentioned:
            return True
        return not _BY_ANY_NAME.isdisjoint(mentioned)

    def put(
        self, values: Mapping[str, Any], known: Collection[str], undo: list[Callable[[], Any]]
    ) -> tuple[str, ...]:
        """The modules hold what the values of their keys are, and no data that the state does not
        have, of which all the keys are `known`; says what of it may be another than the user
        expects. `undo` gets what takes it back."""
        problems = []
        state = {split_key(key)[0]: values[key] for key in filter(is_of_module_itself, values)}
        for name, file in state.items():
            module = sys.modules.get(name)
            if type(module) is not types.ModuleType or is_handmade(module):
                continue  # that it could not be imported is said
            now = self._know(name, module)
            if now.file != file:
                problems.append(
                    f"the file of the module {name} has changed since: the code is today's, the"
                    " values of its variables are those of then"
                )
            start = make_key(name, "")
            wanted = {
                key[len(start) :]: one
                for key, one in values.items()
                if key.startswith(start) and key != start
            }
            own = {place for place, _ in _data_of(module, now)}
            gone = {place for place in own if make_key(name, place) not in known}
            _put(vars(module), wanted, gone if now.file == file else set(), undo)
        problems += [
            f"the module {name} was loaded after that state: it stays as it is now"
            for name in sorted(self.names - state.keys())
        ]
        return tuple(problems)

    def _find(self, namespace: Mapping[str, Any]) -> Iterator[tuple[str, types.ModuleType]]:
        found = dict(own_modules())
        sizes = Counter(map(_package, found))
        for name, module in found.items():
            if name in self._others:
                if not isinstance(namespace.get(_package(name)), types.ModuleType):
                    continue
                # Code that nobody looked at may know it.
                self._others.discard(name)
                self._older.add(name)
            if sizes[_package(name)] <= MOST_OF_PACKAGE and self._know(name, module).file:
                yield name, module

    def _know(self, name: str, module: types.ModuleType) -> _Module:
        known = self._modules.get(name)
        mark = mark_of(module)
        if known is None or known.mark is not mark:
            known = self._modules[name] = _look_at(module, mark)
        return known


def make_key(module: str, name: str) -> str:
    return f"{MODULE}{module}:{name}"


def split_key(key: str) -> tuple[str, str]:
    """The module and the name in it; the latter is empty in the key of the module itself."""
    module, _, name = key[len(MODULE) :].partition(":")
    return module, name


def words_for_key(key: str) -> str:
    """As the user writes it."""
    return ".".join(split_key(key))


def home_of(key: str) -> dict[str, Any]:
    """The variables of the module of this key. Raises KeyError where it is not loaded."""
    return vars(sys.modules[split_key(key)[0]])


def import_modules(keys: Iterable[str]) -> tuple[str, ...]:
    """The modules of these keys are loaded, each as an import statement would; says which are not,
    and why."""
    problems = []
    wanted = (split_key(key)[0] for key in keys if is_of_module_itself(key))
    for name in wanted:
        try:
            importlib.import_module(name)
        except (Exception, SystemExit) as error:
            why = f"the module {name} could not be imported again, nor its variables set"
            problems.append(f"{why}: {type(error).__name__}: {error}")
    return tuple(problems)


def is_of_module_itself(key: str) -> bool:
    """True for the key that stands for a module of which the state has the variables."""
    return key.startswith(MODULE) and key.endswith(":")


def living_in_modules(keys: Iterable[str]) -> dict[str, Any]:
    """What the modules have now under these of the keys that are theirs."""
    found = {}
    for key in keys:
        if key.startswith(MODULE):
            name, place = split_key(key)
            held = vars(sys.modules[name]) if name in sys.modules else {}
            if place in held:
                found[key] = held[place]
    return found


def _put(
    held: dict[str, Any],
    wanted: Mapping[str, Any],
    gone: Collection[str],
    undo: list[Callable[[], Any]],
) -> None:
    places = {place for place, value in wanted.items() if held.get(place, held) is not value}
    places |= held.keys() & gone
    before = {place: held[place] for place in places if place in held}
    undo.append(_putting_back(held, places, before))
    for place in places:
        if place in wanted:
            held[place] = wanted[place]
        else:
            held.pop(place, None)


def _putting_back(
    held: dict[str, Any], places: Iterable[str], before: Mapping[str, Any]
) -> Callable[[], Any]:
    def put_back() -> None:
        for place in places:
            if place in before:
                held[place] = before[place]
            else:
                held.pop(place, None)

    return put_back


def _package(name: str) -> str:
    return name.partition(".")[0]


def _packages_of(values: Iterable[Any]) -> set[str]:
    """Whose modules, functions and classes are among the values."""
    found = set()
    for value in values:
        kind = type(value)
        home: Any = None
        if kind is types.ModuleType:
            home = vars(value).get("__name__")
        elif kind is types.FunctionType:
            home = value.__module__
        elif issubclass(kind, type):
            home = type.__getattribute__(value, "__module__")
        if type(home) is str:
            found.add(_package(home))
    return found


def _look_at(module: types.ModuleType, mark: object) -> _Module:
    foreign, stars = set[str](), set[str]()
    for code in codes_of(module):
        if code.co_name == "<module>":
            names, all_of = taken_from(code, _is_library)
            foreign |= names
            stars |= all_of
    return _Module(mark, _digest(module), frozenset(foreign), frozenset(stars))


def _is_library(name: str, dots: int) -> bool:
    return dots == 0 and not is_own(sys.modules.get(name))


def _digest(module: types.ModuleType) -> str:
    """Empty where there is no file that can be read: it is not known what the module made."""
    file = vars(module).get("__file__")
    try:
        # One that Python itself has just read.
        with open(os.fspath(file), "rb") as opened:  # type: ignore[arg-type]
            return xxh3_64_hexdigest(opened.read())
    except (OSError, TypeError):
        return ""


def _data_of(module: types.ModuleType, known: _Module) -> Iterator[tuple[str, Any]]:
    libraries = [vars(sys.modules[name]) for name in known.stars if name in sys.modules]
    for name, value in list(vars(module).items()):
        if type(name) is not str or name.startswith("__") or name in known.foreign:
            continue
        kind = type(value)
        if issubclass(kind, _NO_DATA):
            continue
        home: Any = type.__getattribute__(kind, "__module__")
        if type(home) is str and _package(home) in _NO_DATA_OF:
            continue
        if not any(held.get(name, held) is value for held in itertools.chain(libraries)):
            yield name, value
