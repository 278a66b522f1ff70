"""The dictionaries of globals that belong to no module: `%run`, `exec` and `runpy` make such.

One is told with the functions that run in it, and known again by a uid, as the cells of closures
are. In place, the living one takes the content of then: what runs in it goes on running in it.
"""

from __future__ import annotations

import sys
import types
import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jupyter_rewind import clock
from jupyter_rewind.kernels.handmade import HandMade

Scope = dict[str, Any]
Home = str | tuple[str, Scope] | Scope | None
"""The name of a module; a uid and the dictionary; the notebook's namespace. A part of one, which is
no living one's, has no uid; a dictionary without a uid was told by an earlier version."""

_GENERATED = ("<attrs generated ", "<lambdifygenerated-", "<decorator-gen-")


def is_generated(function: types.FunctionType) -> bool:
    """True for what attrs, sympy or `decorator` write: each in a copy of all variables that there
    were, or of a whole module's, of which it uses what its code names."""
    return function.__code__.co_filename.startswith(_GENERATED)


def interned(name: str) -> str:
    """The very text that Python has for a name; one of another class as it is."""
    return sys.intern(name) if type(name) is str else name


def used_of(function: types.FunctionType) -> Scope:
    """What the code of the function names of its globals."""
    scope = function.__globals__
    names = sorted({"__name__", *_names(function.__code__)})
    return {name: scope[name] for name in names if name in scope}


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _intern(scope: Scope) -> None:
    """Its names are the very texts that code has, as when an assignment made them: what is told
    then is what was told before."""
    content = list(scope.items())
    scope.clear()
    scope.update((interned(name), one) for name, one in content)


class KnownHomes:
    """Uids of the living ones of one kernel. Each is held through the functions that run in it."""

    def __init__(self) -> None:
        self._by_id: dict[int, str] = {}
        self._owners: dict[str, weakref.WeakSet[types.FunctionType]] = {}

    def name(self, function: types.FunctionType) -> str:
        """The uid of what the function runs in, which has one from now on."""
        scope = function.__globals__
        uid = self._by_id.get(id(scope))
        if uid is None or self.get(uid) is not scope:
            uid = clock.new_id()
        self._own(uid, function)
        return uid

    def has(self, value: object) -> bool:
        """True for a function that runs in one of them: what it holds changes without it."""
        if not isinstance(value, types.FunctionType):
            return False
        uid = self._by_id.get(id(value.__globals__))
        return uid is not None and self.get(uid) is value.__globals__

    def get(self, uid: str) -> Scope | None:
        """The living one of this uid; None where no function runs in it any more."""
        for owner in self._owners.get(uid, ()):
            found: Scope = owner.__globals__
            return found
        return None

    def adopt(self, homes: Mapping[str, Scope], made: Iterable[Any]) -> None:
        """These are known under these uids, as they were when they were captured."""
        uids = {id(scope): uid for uid, scope in homes.items()}
        for one in made:
            if isinstance(one, types.FunctionType) and id(one.__globals__) in uids:
                self._own(uids[id(one.__globals__)], one)

    def _own(self, uid: str, function: types.FunctionType) -> None:
        if uid not in self._owners:
            self._owners = {one: owners for one, owners in self._owners.items() if owners}
            self._by_id = {key: one for key, one in self._by_id.items() if one in self._owners}
        self._by_id[id(function.__globals__)] = uid
        self._owners.setdefault(uid, weakref.WeakSet()).add(function)


class Homes:
    """Those of one state that is loaded."""

    def __init__(
        self, namespace: Scope, handmade: HandMade, known: KnownHomes, *, in_place: bool
    ) -> None:
        self._namespace = namespace
        self._handmade = handmade
        self._known = known
        self._in_place = in_place
        self.used: dict[str, Scope] = {}
        """By uid, what the functions of this state run in."""
        self._told: dict[int, tuple[Scope, Scope]] = {}
        self._functions: dict[int, set[str]] = {}
        """By the id of one that was told, uids of what runs in it."""
        self._before: dict[int, tuple[Scope, Scope]] = {}

    def find(self, home: Home, function: str) -> Scope:
        """What the function of this uid, of this home, shall run in. Raises ImportError."""
        if home is None:
            return self._namespace
        if isinstance(home, str):
            return self._handmade.home(home)
        if isinstance(home, dict):
            return home
        uid, told = home
        if not uid:
            return told
        self._functions.setdefault(id(told), set()).add(function)
        live = self._known.get(uid) if self._in_place else None
        return self._use(uid, told, live)

    def can_meet(self, home: Home, live: types.FunctionType) -> bool:
        """False where the living function runs in what cannot take the content of then."""
        told = home[1] if isinstance(home, tuple) and home[0] else {}
        return type(told) is type(live.__globals__) is dict

    def meet(self, home: Home, function: str, live: types.FunctionType) -> None:
        """The living function of this uid runs there already."""
        if isinstance(home, dict):
            home = clock.new_id(), home
        if isinstance(home, tuple) and home[0]:
            self._functions.setdefault(id(home[1]), set()).add(function)
            self._use(*home, live.__globals__)

    def is_living(self, told: Scope) -> bool:
        """True where a living one stands for it."""
        return id(told) in self._told

    def show(self, told: Scope, content: Scope) -> None:
        """Code that runs while values are made finds this in the living one as well, for the
        while."""
        _, live = self._told.get(id(told), (None, None))
        if live is not None:
            self._before.setdefault(id(live), (live, dict(live)))
            live.update(content)

    def put_back(self) -> None:
        """The living ones are as they were before anything was shown."""
        while self._before:
            _, (live, before) = self._before.popitem()
            for name in [name for name in live if name not in before]:
                del live[name]
            live.update(before)

    def take(self, failed: set[str]) -> list[tuple[Scope, Scope]]:
        """Each that was made with the living one that stands for it; held by nothing here then.
        Not those in which functions run that `failed` to load: they may be half told."""
        told, self._told = self._told, {}
        whole = {key for key, uids in self._functions.items() if failed.isdisjoint(uids)}
        taken = [pair for key, pair in told.items() if key in whole]
        for scope in (*(one for one, _ in taken), *self.used.values()):
            if id(scope) in whole:
                _intern(scope)
        return taken

    def let_go(self) -> None:
        """Nothing of what was loaded is held any more."""
        self._namespace = {}
        self.used.clear()
        self._told.clear()

    def _use(self, uid: str, told: Scope, live: Scope | None) -> Scope:
        is_plain = type(live) is dict and type(told) is dict
        if live is None or not is_plain or live is told or live is self._namespace:
            self.used[uid] = told
            return told
        self.used[uid] = live
        self._told[id(told)] = told, live
        return live
