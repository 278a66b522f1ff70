"""What a dictionary of globals holds (see `homes`), told behind the functions that run in it.

Told in a function's arguments it would be made before the function: an object in it of a class of
the same file, before that class has its methods. So it stands empty at the head of the stream, as
`hollow` containers do. When the functions are made it gets what takes no code of theirs to make,
and when no class is left half made, the rest.
"""

from __future__ import annotations

import builtins
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jupyter_rewind.kernels import rebuild
from jupyter_rewind.kernels.functions import Telling, home_of
from jupyter_rewind.kernels.homes import Scope
from jupyter_rewind.kernels.lost import reason_of
from jupyter_rewind.kernels.placeholders import Placeholder
from jupyter_rewind.kernels.refusals import is_refusal

_BARE = frozenset((str, bytes, int, float, complex, bool, type(None), types.BuiltinFunctionType))
_NAMES = frozenset((str, bytes, int, bool, type(None)))


class FirstThere:
    """Stands for the first function that runs in a dictionary, with what it needs there."""

    __slots__ = ("content", "function", "scope")

    def __init__(self, function: Any, scope: Scope, content: tuple[Any, ...]) -> None:
        self.function = function
        self.scope = scope
        self.content = content

    def __reduce__(self) -> tuple[Any, ...]:
        return make_first, (self.function, self.scope, self.content)


class ToldHome:
    """A dictionary as it is now."""

    __slots__ = ("_held", "scope")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._held = [(name, value, _is_bare(value)) for name, value in list(scope.items())]

    def first(self, function: Any, boxed: Callable[[Any], Any]) -> FirstThere:
        content = [(name, boxed(value)) for name, value, is_bare in self._held if is_bare]
        return FirstThere(function, self.scope, tuple(part for pair in content for part in pair))

    def parts(self) -> Iterator[Any]:
        """The dictionary, its names in order, and those of the values that follow one by one: code
        that makes one of them finds those before it."""
        late = [(name, value) for name, value, is_bare in self._held if not is_bare]
        names = tuple(name for name, *_ in self._held)
        yield self.scope, names, tuple(name for name, _ in late)
        yield from (value for _, value in late)


def find_homes(functions: Iterable[Any], writer: Telling) -> dict[int, ToldHome]:
    """By the id of the first function that runs in it, each dictionary that is told so."""
    found: dict[int, ToldHome] = {}
    met: set[int] = set()
    for function in functions:
        home = home_of(function, writer) if type(function) is types.FunctionType else None
        if type(home) is not tuple or not home[0] or id(home[1]) in met:
            continue
        met.add(id(home[1]))
        if _is_plain(home[1]):
            found[id(function)] = ToldHome(home[1])
    return found


def _is_plain(scope: Scope) -> bool:
    if type(scope) is not dict or not _NAMES.issuperset(map(type, scope)):
        return False
    # A function looks for others than Python's own once, when it is made.
    held = scope.get("__builtins__", builtins)
    return held is builtins or held is vars(builtins)


def is_imported(module: types.ModuleType) -> bool:
    """True for a module that stands under its name: it is told by that."""
    name = vars(module).get("__name__")
    return type(name) is str and sys.modules.get(name) is module


def _is_bare(value: Any) -> bool:
    """True for what is made without code of the user's: classes and functions stand already."""
    kind = type(value)
    if kind is types.ModuleType:
        return is_imported(value)
    return kind in _BARE or issubclass(kind, type | types.FunctionType)


# --- what stored pods call while they are loaded: part of their format ----------------------------


def make_first(function: Any, scope: Scope, content: tuple[Any, ...]) -> Any:
    """The function; what it runs in holds the content, names and values in turn."""
    scope.update(zip(content[::2], content[1::2], strict=True))
    _show(scope, scope)
    return function


def home_follows(function: Any, _: None) -> None:
    """A mark: behind the states of the pod's classes and functions, one more dictionary is told."""


class HalfFilledError(Exception):
    """A value does not load, and so do those behind it: `stands` is in their place."""

    def __init__(self, scope: Scope, stands: Placeholder) -> None:
        super().__init__(stands.how)
        self.scope = scope
        self.stands = stands


def fill_home(load: Callable[[], Any]) -> None:
    """What `ToldHome.parts` told is there, in its order. Raises HalfFilledError."""
    scope, names, late = load()
    whole = dict(scope)  # not what code that makes a value writes there
    stands: Placeholder | None = None
    for name in late:
        try:
            value = load() if stands is None else stands
        except BaseException as error:
            if not is_refusal(error):
                raise
            what = f"`{name}` of a file that was run, or a variable after it"
            value = stands = Placeholder("object", what, reason_of(error))
        whole[name] = scope[name] = value
        _show(scope, {name: value})
    scope.clear()
    scope.update((name, whole[name]) for name in names)
    if stands is not None:
        raise HalfFilledError(scope, stands)


def _show(scope: Scope, content: Scope) -> None:
    loading = rebuild.current()
    if loading is not None and loading.staging is not None:
        loading.homes.show(scope, content)
