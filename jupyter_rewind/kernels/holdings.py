"""What modules of the user's own hold that is not kept, and some lists of Python's.

A value that such a variable leads to and that the notebook holds as well is kept with the notebook;
in a new kernel, where the module is imported again, it is one of its own. That is said of it.
Libraries are not asked: what a notebook takes from them are their constants, or known by name.
"""

from __future__ import annotations

import gc
import sys
import threading
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from jupyter_rewind.kernels.handmade import is_handmade
from jupyter_rewind.kernels.kinds import LEAF, Kinds
from jupyter_rewind.kernels.origins import is_own

MOST = 5_000
"""So many objects are looked at, in about two milliseconds: those nearest to the variables."""
_OF_PYTHON = {
    "sys": ("argv", "meta_path", "modules", "path", "path_hooks"),
    "warnings": ("filters",),
}
_NOT_HELD = (
    types.BuiltinFunctionType, types.MethodType, types.ModuleType, types.FrameType,
    types.TracebackType, threading.Thread,
)  # fmt: skip
_IMMUTABLE = (tuple, frozenset)
_CONTAINERS = frozenset((
    *(list, dict, set, deque, defaultdict, OrderedDict, Counter, types.SimpleNamespace),
    *_IMMUTABLE,
))  # fmt: skip

_last: tuple[object, tuple[str, ...]] = (None, ())


def own_modules() -> Iterator[tuple[str, types.ModuleType]]:
    """The modules that are no library's, but the notebook."""
    global _last
    # Looked for again when something was imported or let go.
    mark = len(sys.modules), next(reversed(sys.modules), "")
    if _last[0] != mark:
        notebook = sys.modules.get("__main__")
        modules = list(sys.modules.items())
        # One that was made by hand is kept with what it holds.
        _last = (
            mark,
            tuple(
                name
                for name, one in modules
                if is_own(one)
                and one is not notebook
                and not is_handmade(one)
                # What keeps the states holds them all.
                and name.partition(".")[0] != "jupyter_rewind"
            ),
        )
    for name in _last[1]:
        module = sys.modules.get(name)
        if type(module) is types.ModuleType:
            yield name, module


def find_held(known: Iterable[Any], kept: Collection[str] = ()) -> dict[int, str]:
    """By its id, each thing that can change and that variables of these modules lead to, with the
    variable's name; but for what is `known`: the namespace, and what IPython has beside it; and for
    variables that are `kept` (`module:name`), which come back as they are."""
    found: dict[int, str] = {}
    level: list[tuple[Any, str]] = []
    for home, names in _OF_PYTHON.items():
        held = vars(sys.modules[home]) if home in sys.modules else {}
        found.update((id(held[name]), f"{home}.{name}") for name in names if name in held)
    for home, module in own_modules():
        level += (
            (value, f"{home}.{name}")
            for name, value in list(vars(module).items())
            if not name.startswith("__") and f"{home}:{name}" not in kept
        )
    _follow(level, found, set(map(id, known)))
    return found


def find_held_by_code(known: Iterable[Any]) -> dict[int, str]:
    """The same of what classes and functions of these modules hold: in attributes, in defaults, in
    cells. What a variable of a module is itself, that variable speaks for."""
    level: list[tuple[Any, str]] = []
    barred = set(map(id, known))
    for home, module in own_modules():
        for name, value in list(vars(module).items()):
            barred.add(id(value))
            if _is_code_of(home, value):
                level += ((part, f"{home}.{name}") for part in _parts_of_code(value))
    found: dict[int, str] = {}
    _follow(level, found, barred)
    return found


def _is_code_of(module: str, value: Any) -> bool:
    if issubclass(type(value), type):
        return bool(type.__getattribute__(value, "__module__") == module)
    return type(value) is types.FunctionType and value.__module__ == module


def _parts_of_code(code: Any) -> Iterator[Any]:
    if issubclass(type(code), type):
        yield from list(type.__getattribute__(code, "__dict__").values())
        return
    yield from list(code.__dict__.values())
    yield from code.__defaults__ or ()
    yield from (code.__kwdefaults__ or {}).values()
    for cell in code.__closure__ or ():
        yield from gc.get_referents(cell)


def _follow(level: list[tuple[Any, str]], found: dict[int, str], barred: set[int]) -> None:
    """All that these lead to is in `found`, unless it is barred."""
    kinds = Kinds()
    seen = 0
    while level and seen < MOST:
        below: list[tuple[Any, str]] = []
        for value, name in level:
            if seen >= MOST:
                break
            if id(value) in found or id(value) in barred or not _can_change(value, kinds):
                continue
            seen += 1
            if type(value) not in _IMMUTABLE:
                found[id(value)] = name
            if _is_looked_into(type(value)):
                below += ((part, name) for part in gc.get_referents(value)[:MOST])
        level = below


def _is_looked_into(kind: type) -> bool:
    """True for containers, and for objects of the user's own classes: those of libraries lead
    everywhere, as a shell does to the notebook itself."""
    if kind in _CONTAINERS:
        return True
    home: Any = type.__getattribute__(kind, "__module__")
    return home == "__main__" or (type(home) is str and is_own(sys.modules.get(home)))


def _can_change(value: Any, kinds: Kinds) -> bool:
    """False as well for what is found by its name."""
    kind = type(value)
    return not issubclass(kind, _NOT_HELD) and kinds.tag(kind) != LEAF
