"""Which reducer keeps a value of which type: one lookup by type, with rules for subclasses.

A library's reducers are imported when the first value of that library is met, so the library is
imported already. A subclass whose author said how it is pickled (`__reduce__`, `__reduce_ex__`)
is kept the author's way, except where the reducer's family says that it must not be.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.kernels.reducers.contract import Context, Reducer, Reduction

GROUP = "jupyter_rewind.reducers"
"""The entry point group: the entry's name is the package whose values its function registers."""

_HOME = "jupyter_rewind.kernels.reducers"

_BUILTIN = (
    "callables",
    "concurrency",
    "connections",
    "enums",
    "exceptions",
    "files",
    "generators",
    "modules",
    "typings",
    "values",
    "views",
    "weakrefs",
)

_LIBRARIES = {
    "IPython": "ipython",
    "PIL": "pillow",
    "argparse": "argparse",
    "bs4": "beautifulsoup",
    "ipykernel": "ipython",
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "pandas": "pandas",
    "polars": "polars",
    "pyarrow": "pyarrow",
    "sympy": "sympy",
    "torch": "torch",
    "_ctypes": "cdata",
}

_OWN_WAY = ("__reduce__", "__reduce_ex__")


class Registry:
    """The reducers that are known, by type and by the name of a type."""

    def __init__(self) -> None:
        self._exact: dict[type, Reducer | None] = {}
        self._families: dict[type, tuple[Reducer, bool]] = {}
        self._named: dict[str, Reducer] = {}
        self._found: dict[type, Reducer | None] = {}
        self._loaded: set[str] = set()
        self._entry_points: dict[str, list[Any]] | None = None

    def add(
        self, kind: type, reduce: Reducer | None, *, subclasses: bool = False, always: bool = False
    ) -> None:
        """`reduce` keeps values of `kind`; None means that pickle's own way is right.

        With `subclasses` it keeps theirs too, unless a subclass says itself how it is pickled;
        with `always` even then.
        """
        self._found.clear()
        if subclasses and reduce is not None:
            self._families[kind] = (reduce, always)
        else:
            self._exact[kind] = reduce

    def add_named(self, name: str, reduce: Reducer) -> None:
        """`reduce` keeps values of the class `module.Name` and of its subclasses, whoever made
        them: for live things of libraries that need not be installed."""
        self._found.clear()
        self._named[name] = reduce

    def lookup(self, kind: type) -> Reducer | None:
        """The reducer for values of `kind`, or None where pickle's own way is right."""
        try:
            return self._found[kind]
        except KeyError:
            pass
        found = self._search(kind)
        if not _is_made_here(kind):
            # Classes of the notebook are not remembered: that would keep them alive.
            self._found[kind] = found
        return found

    def _search(self, kind: type) -> Reducer | None:
        bases = type.__dict__["__mro__"].__get__(kind)
        for base in bases:
            self._load(_package_of(base))
        if kind in self._exact:
            return self._exact[kind]
        own_way = False
        for base in bases:
            if named := self._named.get(_full_name(base)):
                return named
            if base in self._families:
                reduce, always = self._families[base]
                if always or not own_way:
                    return reduce
            if base is not object and any(name in base.__dict__ for name in _OWN_WAY):
                own_way = True
        return None

    def _load(self, package: str) -> None:
        if package in self._loaded:
            return
        if not self._loaded:
            self._loaded.add("")
            for name in _BUILTIN:
                importlib.import_module(f"{_HOME}.{name}").register(self)
        if package in _LIBRARIES:
            if package not in sys.modules:
                return
            importlib.import_module(f"{_HOME}.{_LIBRARIES[package]}").register(self)
        self._loaded.add(package)
        if package != "builtins" and package not in sys.stdlib_module_names:
            self._load_entry_points(package)

    def find_entry_points(self) -> dict[str, list[Any]]:
        """What installed packages offer for values of theirs, by package; looked for once."""
        if self._entry_points is None:
            from importlib.metadata import entry_points

            found: dict[str, list[Any]] = {}
            for entry in entry_points(group=GROUP):
                found.setdefault(entry.name, []).append(entry)
            self._entry_points = found
        return self._entry_points

    def _load_entry_points(self, package: str) -> None:
        for entry in self.find_entry_points().get(package, ()):
            entry.load()()


def _package_of(kind: type) -> str:
    module = kind.__dict__.get("__module__")
    if not isinstance(module, str):
        module = type.__getattribute__(kind, "__module__")
    return module.partition(".")[0] if isinstance(module, str) else ""


def _full_name(kind: type) -> str:
    module = type.__getattribute__(kind, "__module__")
    return f"{module}.{type.__getattribute__(kind, '__qualname__')}"


def _is_made_here(kind: type) -> bool:
    return _package_of(kind) in ("__main__", "") or "<locals>" in kind.__qualname__


registry = Registry()
"""The one that `jupyter_rewind.register` fills and the engine asks."""


def lookup(kind: type) -> Reducer | None:
    """The reducer for values of `kind`, or None where pickle's own way is right."""
    return registry.lookup(kind)


def register(kind: type, reduce: Callable[[Any], Reduction], *, subclasses: bool = False) -> None:
    """Keep values of `kind` the way `reduce` says.

    `reduce(value)` returns what `__reduce__` would: a tuple `(callable, args, ...)` whose callable
    can be imported. It must only look at the value. With `subclasses`, values of subclasses are
    kept so too, even where they have a `__reduce__` of their own.
    """
    if not isinstance(kind, type):
        raise InvalidInput(f"register takes a class first, not {kind!r}.")
    if not callable(reduce):
        raise InvalidInput(f"register takes a function as `reduce`, not {reduce!r}.")

    def reduce_value(value: Any, _: Context) -> Reduction:
        return reduce(value)

    registry.add(kind, reduce_value, subclasses=subclasses, always=True)
