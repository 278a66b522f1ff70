"""Whose code a piece of code is: a library's, the user's own module's, or the notebook's.

A library is trusted to leave variables alone that nobody hands to it. A module of the user's own
is read: one that can get at the notebook's variables unasked (through `__main__`, through frames)
is suspected whenever it can have run. What runs text as code in the notebook is known by name.
"""

from __future__ import annotations

import sys
import sysconfig
import types
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from jupyter_rewind.kernels.reaches import (
    ASKING,
    RUNNERS,
    SHOWS,
    deferred,
    intrusion_of,
    names_in,
    reach_of,
)


@lru_cache(maxsize=1)
def library_folders() -> tuple[str, ...]:
    """Where Python's and installed packages' code lies, and ours.

    Packages can be installed in more than one place: for one user, by the system, in the
    environment that this one stands on.
    """
    paths = sysconfig.get_paths()
    found = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    found |= {each for each in sys.path if each.endswith(("site-packages", "dist-packages"))}
    found.add(str(Path(__file__).resolve().parents[1]))
    return (*(f"{folder}/" for folder in found), "<frozen")


def is_of_library(file: str) -> bool:
    """True for the file of code that is trusted."""
    return file.startswith(library_folders())


def is_of_module(file: str) -> bool:
    """Code of an imported module names that module's variables, not the notebook's."""
    return any(
        getattr(module, "__file__", None) == file
        for key, module in list(sys.modules.items())
        if key != "__main__"
    )


class OwnModules:
    """The modules of the user's own that the notebook can have loaded, and which of them can reach
    its variables."""

    def __init__(self, others: Iterable[str] = ()) -> None:
        """`others` were there before any cell ran: they count once something names them."""
        self._others = set(others)
        self._count = 0
        self._own: dict[str, tuple[object, str]] = {}
        self._names: dict[str, frozenset[str]] = {}

    @property
    def mentioned(self) -> frozenset[str]:
        """Every name in their code, as far as it was looked at."""
        return frozenset().union(*self._names.values())

    def note(self, names: frozenset[str]) -> None:
        """These names stood in code that may have imported them."""
        known = {name for name in self._others if name.partition(".")[0] in names}
        if known:
            self._others -= known
            self._count = 0

    def intrusion(self) -> str:
        """Why some module of the user's own may touch variables unasked; empty where none may."""
        while len(sys.modules) != self._count or self._is_one_anew():
            self._look()
        return next((why for _, why in self._own.values() if why), "")

    def _is_one_anew(self) -> bool:
        return any(
            mark_of(sys.modules.get(name)) is not one for name, (one, _) in self._own.items()
        )

    def _look(self) -> None:
        self._count = len(sys.modules)
        found, self._own = self._own, {}
        # Multiprocessing gives the notebook's own module a second name.
        notebook = sys.modules.get("__main__")
        for name, module in list(sys.modules.items()):
            if module is notebook or name in self._others or not is_own(module):
                continue
            mark, why = found.get(name, (None, ""))
            if mark is None or mark is not mark_of(module):
                mark, why = mark_of(module), self._read(name, module)
            self._own[name] = (mark, why)

    def _read(self, name: str, module: types.ModuleType) -> str:
        why = ""
        self._names[name] = frozenset()
        for code in codes_of(module):
            self.note(names_in(code))
            # What stands in no function ran when the module was loaded.
            later = deferred(code) if code.co_name == "<module>" else (code,)
            self._names[name] |= frozenset().union(*(reach_of(one).mentioned for one in later))
            why = why or intrusion_of(code)
        return f"the module {name} uses {why}" if why else ""


def is_own(module: Any) -> bool:
    """True for a module that is no library's."""
    if type(module) is not types.ModuleType:
        return False
    held = vars(module)
    file = held.get("__file__")
    if isinstance(file, str):
        return file.endswith(".py") and not is_of_library(file)
    return held.get("__spec__") is None and held.get("__loader__") is None


def mark_of(module: Any) -> object:
    """Another one after a reload."""
    if not isinstance(module, types.ModuleType):
        return None
    return vars(module).get("__spec__") or module


def codes_of(module: types.ModuleType) -> Iterable[types.CodeType]:
    held = vars(module)
    loader = held.get("__loader__")
    try:
        code = loader.get_code(held["__spec__"].name)  # type: ignore[union-attr]
    except Exception:
        code = None
    if isinstance(code, types.CodeType):
        return [code]
    made = [one for one in list(held.values()) if isinstance(one, types.FunctionType)]
    classes = [one for one in list(held.values()) if isinstance(one, type)]
    made += [one for each in classes for one in list(vars(each).values())
             if isinstance(one, types.FunctionType)]  # fmt: skip
    return [one.__code__ for one in made]


def runs_text(value: Any) -> bool:
    """True for what takes text and runs it as code in the notebook: a profiler, a timer."""
    if type(value) is types.ModuleType:
        home: Any = vars(value).get("__name__")
    elif type(value) in (types.FunctionType, types.BuiltinFunctionType, types.MethodType):
        home = value.__module__
        if value.__name__ in _RUN_TEXT:
            return True
    else:
        kind = value if isinstance(value, type) else type(value)
        home = type.__getattribute__(kind, "__module__")
    if not isinstance(home, str) or home in SHOWS:
        return False
    return home.partition(".")[0] in RUNNERS or home.startswith(_FORMULAS)


_RUN_TEXT = frozenset((ASKING, "eval", "from_formula"))
_FORMULAS = "statsmodels.formula"
