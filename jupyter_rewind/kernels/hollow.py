"""Dicts and sets whose keys answer with code of the notebook: told empty first, and filled last.

Pickle fills a set as soon as its members exist, when they may not have their attributes yet: asked
for its hash, such a member fails, or answers wrongly. So where a pod holds such a container, all
of them stand empty at the head of its stream, and their content at its end; whoever loads it fills
them when everything has its state, the inner ones first.
"""

from __future__ import annotations

import sys
import types
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

_SETS = frozenset((set,))
_DICTS = frozenset((dict, defaultdict, OrderedDict, Counter))
_NESTED = (tuple, frozenset)
_ASKED = ("__hash__", "__eq__")
_HEAP = 1 << 9


class Hollow:
    """Stands for a container before its content."""

    __slots__ = ("container",)

    def __init__(self, container: Any) -> None:
        self.container = container

    def __reduce__(self) -> tuple[Any, ...]:
        kind = type(self.container)
        more = (self.container.default_factory,) if kind is defaultdict else ()
        return kind, more


def is_asked(kind: type) -> bool:
    """True where code that is not Python's own tells the hash of such values, or whether two of
    them are equal."""
    for base in kind.__mro__:
        own, home = vars(base), type.__getattribute__(base, "__module__")
        if isinstance(home, str) and home.partition(".")[0] in sys.stdlib_module_names:
            continue
        if any(isinstance(own.get(name), types.FunctionType) for name in _ASKED):
            return True
    return False


def find_containers(values: Iterable[Any], kinds: frozenset[type]) -> list[Any]:
    """Those of `values` that have keys of these kinds, or tuples that hold such."""
    marks = kinds.union(_NESTED)
    found = []
    for value in values:
        kind = type(value)
        if kind not in _DICTS and kind not in _SETS:
            continue
        if marks.isdisjoint(map(type, value)) or getattr(value, "__dict__", None):
            continue
        if any(_has_one(key, kinds) for key in value):
            found.append(value)
    return found


def content_of(container: Any) -> list[Any]:
    """Its members, or its keys and values in turn, in order."""
    if type(container) in _SETS:
        return list(container)
    # An OrderedDict knows its order apart from the dict that it is.
    items = OrderedDict.items if type(container) is OrderedDict else dict.items
    return [part for pair in items(container) for part in pair]


def fill(container: Any, content: Sequence[Any]) -> bool:
    """The container has the content, entry for entry. False where it has fewer entries than it
    had: two of its keys have become equal, and cannot be told apart."""
    if _put(container, content):
        return True
    keys = content if isinstance(container, set) else content[::2]
    with _each_its_own({type(key) for key in keys}):
        return _put(container, content)


def _put(container: Any, content: Sequence[Any]) -> bool:
    if isinstance(container, set):
        set.clear(container)
        set.update(container, content)
        return len(container) == len(content)
    base = OrderedDict if isinstance(container, OrderedDict) else dict
    base.clear(container)
    for key, value in zip(content[::2], content[1::2], strict=True):
        base.__setitem__(container, key, value)
    return 2 * len(container) == len(content)


@contextmanager
def _each_its_own(kinds: Iterable[type]) -> Iterator[None]:
    """In the block, values of the notebook's classes are equal to nothing but themselves."""
    changed = [kind for kind in kinds if is_asked(kind) and kind.__flags__ & _HEAP]
    before = [(kind, vars(kind).get("__eq__")) for kind in changed]
    try:
        for kind in changed:
            type.__setattr__(kind, "__eq__", lambda one, other: one is other)
        yield
    finally:
        for kind, own in before:
            if own is None:
                type.__delattr__(kind, "__eq__")
            else:
                type.__setattr__(kind, "__eq__", own)


def has_changed_key(container: Any) -> bool:
    """True where a key is not found any more in the container that holds it: it has changed since
    it was put in."""
    return not all(map(container.__contains__, container))


def _has_one(key: Any, kinds: frozenset[type]) -> bool:
    if type(key) in kinds:
        return True
    return type(key) in _NESTED and any(_has_one(part, kinds) for part in key)
