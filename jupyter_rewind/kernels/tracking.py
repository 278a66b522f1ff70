"""Which variables a cell can have changed. What is not named here is proved untouched, if closed.

A value that only its variables lead to (see `closure`) can be changed only by code that names one
of them. Code that ran is the cell's own, and functions of the notebook: those that Python 3.12's
monitoring saw, or, before it, all that can have run. Where code can get at the namespace itself,
everything counts as touched.
"""

from __future__ import annotations

import gc
import itertools
import math
import operator
import sys
import threading
import types
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jupyter_rewind.kernels.monitoring import Origin, Watch
from jupyter_rewind.kernels.origins import OwnModules, is_of_library, runs_text
from jupyter_rewind.kernels.reaches import (
    Reach,
    calls_by_name,
    compile_cell,
    deferred,
    intrusion_of,
    is_of_cell,
    passing,
    reach_of,
    words_of,
)
from jupyter_rewind.kernels.roots import is_variable

_HELD_BY_HUBS = 2
"""References that `hubs` has to the weak reference of a function."""

_SECONDS_A_BLOCK = 4e-8
"""What it takes to look around, by the memory that is in use."""
_MOST_CELLS = 63
_MANY_NAMES = 20_000
_MOST_LETTERS = 50_000
"""Texts with more than these are data. To go through them would take long after each cell: what is
known to run text reaches everything anyway, and a module's variable may be got by any name."""
_MODULE = "<module>"


@dataclass(frozen=True, slots=True)
class Touched:
    """What a cell can have changed; `why` says what made it everything."""

    everything: bool
    names: frozenset[str] = frozenset()
    why: str = ""
    mentioned: frozenset[str] = frozenset()
    """Every name in code that ran, or can have run, in the notebook and in the user's modules."""


class Tracker:
    """Watches the cells of one namespace, one after another."""

    def __init__(self, *, monitor: bool = True) -> None:
        self._watch = Watch.start() if monitor else None
        self._namespace: dict[str, Any] | None = None
        self._cell = Reach()
        self._units: dict[types.CodeType, Reach] = {}
        self._passing: set[types.CodeType] = set()
        self._waits = self._waited = 0
        """Cells until what is passing is looked for again, and how long that was the last time."""
        self._tame: set[str] = set()
        self._of_threads = Reach()
        self._modules = OwnModules()
        self._holders: frozenset[int] = frozenset()
        self._is_first = True
        self._is_short = False
        self._is_leaked = False
        self._is_owing = False
        """There was no time to look around when that was due."""

    def begin(self, source: str, namespace: dict[str, Any]) -> None:
        """A cell with this source is about to run in `namespace`."""
        if self._namespace is not namespace:
            self._namespace = namespace
            self._is_first = True
            self._holders = frozenset(_holders_of(namespace))
            is_used = any(is_variable(*item) for item in list(namespace.items()))
            self._modules = OwnModules(() if is_used else list(sys.modules))
        code = compile_cell(source)
        if code is None:
            self._cell |= Reach(dynamic="it is not plain Python")
            return
        # Joined, for two cells may run at once.
        self._cell |= reach_of(code)
        if self._watch is None:
            self._tame &= dict(_tame_functions(namespace, self._units)).keys()
            self._units.update((part, reach_of(part)) for part in deferred(code))
            known = len(self._passing)
            self._passing.update(passing(code))
            if len(self._passing) > known:
                self._waits = self._waited = 0

    def end(self, seconds: float = math.inf) -> Touched:
        """What the cell, and all that ran since the last time, can have changed. Where looking
        around takes longer than so many `seconds`, it is everything, until there is time."""
        self._is_short = sys.getallocatedblocks() * _SECONDS_A_BLOCK > seconds
        namespace = self._namespace
        if namespace is None:
            return Touched(True, why="nothing was watched")
        reach, self._cell = self._cell | self._reach_of_others(namespace), Reach()
        self._modules.note(reach.names)
        reach |= _reach_of_values(reach.names, namespace)
        why = reach.dynamic
        if self._is_first:
            why = "it is the first cell that is watched"
            self._is_first = False
        elif not why and self._names_the_namespace(reach.names, namespace):
            why = "it uses the notebook as a module"
        elif not why and self._is_owing:
            why = "there was no time to look around"
        if why or self._is_leaked:
            self._is_owing = True
            if not self._is_short:
                self._look_around(namespace)
        if self._is_leaked and not why:
            why = "something holds the namespace itself"
        return Touched(bool(why), reach.names, why, reach.mentioned)

    def start_anew(self, why: str) -> None:
        """Code came into the namespace that no cell brought: by a restore, or from outside. The
        next cell counts as touching everything, and the code that is there is looked at."""
        self._cell |= Reach(dynamic=why)

    def catch_up(self) -> None:
        """Between two cells: what there was no time for is made up for."""
        if self._is_owing and self._namespace is not None:
            self._look_around(self._namespace)

    def close(self) -> None:
        """Stop watching."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _reach_of_others(self, namespace: dict[str, Any]) -> Reach:
        if self._watch is None:
            return self._reach_of_units(namespace)
        # A thread that runs now goes on after this, and reports nothing when it does.
        before, self._of_threads = self._of_threads, Reach()
        for code, is_of_notebook in _code_of_threads(namespace):
            reach = reach_of(code)
            self._of_threads |= reach if is_of_notebook else Reach(mentioned=reach.mentioned)
        found = before | self._of_threads
        if _has_greenlets():
            found |= Reach(dynamic="greenlets are in use")
        for code, origin in self._watch.take():
            if origin is Origin.NOTEBOOK:
                found |= Reach() if is_of_cell(code) else reach_of(code)
                continue
            found |= Reach(mentioned=_mentioned_in(code))
            if why := intrusion_of(code):
                found |= Reach(dynamic=f"{code.co_filename} uses {why}")
        return found

    # -- without monitoring: what can have run ---------------------------------------------------

    def _reach_of_units(self, namespace: dict[str, Any]) -> Reach:
        """A function that only its variable leads to runs if the variable is named, in the code or
        in what the code unpickles; any other code that was ever defined may run at any time."""
        found = Reach(dynamic=self._modules.intrusion(), mentioned=self._modules.mentioned)
        now = dict(_tame_functions(namespace, self._units))
        # Who held it a moment ago may have called it.
        tame = {name: code for name, code in now.items() if name in self._tame}
        self._tame = set(now)
        bound = set(tame.values())
        for code, reach in self._units.items():
            if code not in bound:
                found |= reach
        left = [*self._cell.names, *found.names]
        while left:
            name = left.pop()
            if name in tame:
                reach = self._units[tame.pop(name)]
                found |= reach
                left += reach.names
        spoken = self._cell.mentioned | found.mentioned
        if tame and calls_by_name(itertools.chain(spoken, _names_of_callables(spoken, namespace))):
            for code in tame.values():
                found |= self._units[code]
        # Only now: one that has just ended ran in this cell.
        self._drop_finished()
        return found

    def _drop_finished(self) -> None:
        """A generator expression of a cell is over with it, unless its generator is still there."""
        if not self._passing or self._is_short:
            return
        if self._waits:
            # All objects there are: for generators that stay, not after each cell.
            self._waits -= 1
            return
        # Compared by the names in it: positions and flags may differ from those compiled here.
        everything = gc.get_objects()
        wanted = map(operator.is_, map(type, everything), itertools.repeat(types.GeneratorType))
        alive = {one.gi_code.co_names for one in itertools.compress(everything, wanted)}
        del everything
        for code in [code for code in self._passing if code.co_names not in alive]:
            self._passing.discard(code)
            self._units.pop(code, None)
        self._waits = self._waited = min(2 * self._waited + 1, _MOST_CELLS)

    def _look_around(self, namespace: dict[str, Any]) -> None:
        """After code that could do anything: is there code nobody saw, who holds the namespace?"""
        self._is_owing = False
        self._is_leaked = bool(_holders_of(namespace) - self._holders)
        for code in _code_alive(namespace):
            if self._watch is not None:
                self._watch.include(code.co_filename)
            else:
                # A copy: it is equal, and the function's own stays its own.
                self._units.setdefault(code.replace(), reach_of(code))

    def _names_the_namespace(self, names: Iterable[str], namespace: dict[str, Any]) -> bool:
        for name in names:
            value = namespace.get(name)
            if value is namespace:
                return True
            if isinstance(value, types.ModuleType) and vars(value) is namespace:
                return True
        return False


def _has_greenlets() -> bool:
    """What goes on in one when it is switched to reports nothing, and none of them is found."""
    module: Any = sys.modules.get("greenlet._greenlet")
    count = getattr(module, "get_total_main_greenlets", None)
    return module is not None and (count is None or count() > 0)


@lru_cache(maxsize=4096)
def _mentioned_in(code: types.CodeType) -> frozenset[str]:
    return reach_of(code).mentioned


def _reach_of_values(names: Iterable[str], namespace: dict[str, Any]) -> Reach:
    """What the values of these names can reach: a text may be run, by what runs text."""
    words: set[str] = set()
    left = _MOST_LETTERS
    for name in names:
        value = namespace.get(name)
        if type(value) is str:
            is_data = len(value) > left
            left -= 0 if is_data else len(value)
            words |= {"getattr"} if is_data else words_of(value)
        elif value is not None and runs_text(value):
            return Reach(dynamic=f"{name} runs code")
    return Reach(frozenset(words), mentioned=frozenset(words))


def _tame_functions(
    namespace: dict[str, Any], units: dict[types.CodeType, Reach]
) -> Iterator[tuple[str, types.CodeType]]:
    """Functions that nothing but their variable leads to, and the code of each."""
    if not units:
        return
    alone = _count_of_one()
    if len(namespace) > _MANY_NAMES:
        # To go through all takes longer than a cell may; the others count as called.
        names = list({code.co_name for code in units})
    else:
        items = list(namespace.items())
        kinds = map(type, map(operator.itemgetter(1), items))
        wanted = map(operator.is_, kinds, itertools.repeat(types.FunctionType))
        names = list(map(operator.itemgetter(0), itertools.compress(items, wanted)))
        # They hold the functions too.
        del items, kinds, wanted
    for name in names:
        if type(namespace.get(name)) is not types.FunctionType:
            continue
        if sys.getrefcount(namespace[name]) != alone or _is_weakly_held(namespace[name]):
            continue
        code = namespace[name].__code__
        # The function's own, and this one.
        if sys.getrefcount(code) == alone + 1 and code in units:
            yield name, code


def _names_of_callables(names: Iterable[str], namespace: dict[str, Any]) -> Iterator[str]:
    """What functions, classes and modules call themselves that stand under these names."""
    for name in names:
        value = namespace.get(name)
        if issubclass(type(value), type):
            yield type.__getattribute__(value, "__qualname__")
        elif type(value) is types.ModuleType:  # whose own `__getattr__` may do anything
            yield str(vars(value).get("__name__", ""))
        elif type(value) in _CALLABLE:
            yield f"{getattr(value, '__module__', '')}.{getattr(value, '__name__', '')}"


_CALLABLE = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)


def _count_of_one() -> int:
    owner: dict[str, list[None]] = {"a": []}
    return sys.getrefcount(owner["a"])


def _is_weakly_held(function: types.FunctionType) -> bool:
    found = weakref.getweakrefs(function)
    if not found:
        return False
    if len(found) > 1 or found[0].__callback__ is not None:
        return True
    owner = {"a": weakref.ref(_count_of_one)}
    del owner
    return sys.getrefcount(found[0]) - 2 != _HELD_BY_HUBS


def _code_of_threads(namespace: dict[str, Any]) -> Iterator[tuple[types.CodeType, bool]]:
    """What runs right now in other threads, without that of libraries: it began earlier, and nobody
    reported it since. True for that of the notebook."""
    here = threading.get_ident()
    for ident, frame in sys._current_frames().items():
        at: types.FrameType | None = frame if ident != here else None
        while at is not None:
            is_of_notebook = at.f_globals is namespace
            if is_of_notebook or not is_of_library(at.f_code.co_filename):
                yield at.f_code, is_of_notebook
            at = at.f_back


def _code_alive(namespace: dict[str, Any]) -> Iterator[types.CodeType]:
    """The code of every living function of the notebook, and of everything that is suspended."""
    suspended = {
        types.GeneratorType: ("gi_code", "gi_frame"),
        types.CoroutineType: ("cr_code", "cr_frame"),
        types.AsyncGeneratorType: ("ag_code", "ag_frame"),
    }
    everything = gc.get_objects()
    wanted = map(frozenset((types.FunctionType, *suspended)).__contains__, map(type, everything))
    for value in itertools.compress(everything, wanted):
        kind = type(value)
        if kind is types.FunctionType:
            # What shows tracebacks makes functions of whole cells, and never calls them.
            if value.__globals__ is namespace and value.__code__.co_name != _MODULE:
                yield value.__code__
        elif kind in suspended:
            code, frame = suspended[kind]
            if getattr(value, frame) is not None and getattr(value, frame).f_globals is namespace:
                yield getattr(value, code)


def _holders_of(namespace: dict[str, Any]) -> set[int]:
    """Ids of what refers to the namespace and to its module, without functions and frames."""
    # Each asked for alone: from a list, Python 3.13 would find its own tuple of arguments.
    found = _ids_of_holders(namespace)
    main = sys.modules.get(namespace.get("__name__", ""))
    if isinstance(main, types.ModuleType) and vars(main) is namespace:
        found |= _ids_of_holders(main)
    return found


def _ids_of_holders(value: object) -> set[int]:
    own = (types.FunctionType, types.FrameType, Tracker)
    return {id(holder) for holder in gc.get_referrers(value) if not isinstance(holder, own)}
