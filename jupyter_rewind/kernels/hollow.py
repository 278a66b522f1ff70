"""Dicts and sets whose keys answer with code of the notebook: told empty first, and filled last.

Pickle fills a set as soon as its members exist, when they may not have their attributes yet: asked
for its hash, such a member fails, or answers wrongly. So where a pod holds such a container, all
of them stand empty at the head of its stream, and their content at its end; whoever loads it fills
them when everything has its state, the inner ones first.
"""

from __future__ import annotations

import functools
import sys
import types
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from jupyter_rewind.kernels.attributes import attributes_of, has_attributes
from jupyter_rewind.kernels.nans import is_nan
from jupyter_rewind.kernels.refusals import is_refusal

_SETS = frozenset((set,))
_DICTS = frozenset((dict, defaultdict, OrderedDict, Counter))
_NESTED = (tuple, frozenset)
_ASKED = ("__hash__", "__eq__")
_BUILT = ("__setstate__", "__reduce__", "__reduce_ex__", "__getnewargs__", "__getnewargs_ex__")
_NOT_ASKED = sys.stdlib_module_names | {"jupyter_rewind"}
_HEAP = 1 << 9
T = TypeVar("T")


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
    """True where code that is not Python's or ours tells the hash of such values, or whether two of
    them are equal. What has no hash is no key: most dataclasses, say."""
    return _held_as(kind, "__hash__") is not None and _answers(kind, _ASKED)


def is_built(kind: type) -> bool:
    """True where code that is not Python's or ours makes such values again: it may look into what
    it is given, which must not be empty then."""
    return _answers(kind, _BUILT)


def _held_as(kind: type, name: str) -> Any:
    """What the class or one it is made from holds under the name. Asked for it, a descriptor runs:
    that of a MagicMock makes a new mock and a new class each time."""
    return next(own[name] for own in map(vars, kind.__mro__) if name in own)


def _answers(kind: type, names: Sequence[str]) -> bool:
    for base in kind.__mro__:
        own, home = vars(base), type.__getattribute__(base, "__module__")
        if isinstance(home, str) and home.partition(".")[0] in _NOT_ASKED:
            continue
        if any(isinstance(own.get(name), types.FunctionType) for name in names):
            return True
    return False


def find_containers(met: Sequence[Any], kinds: frozenset[type], with_nan: bool) -> list[Any]:
    """Those of the values that a writer has met that have keys of these kinds, or tuples that hold
    such; with those that hold a NaN, where that is asked for. What was made to be told, and nobody
    else holds, is none of them."""
    marks = kinds.union(_NESTED)
    found = []
    only_met: list[Any] = []
    held = 0
    for value in (only_met, *met):
        kind = type(value)
        if value is only_met:
            # As many as one has that is in the tuple, in `met` and in the writer's memo.
            held = sys.getrefcount(value) + 1
            continue
        if sys.getrefcount(value) <= held:
            continue
        if kind not in _DICTS and kind not in _SETS and kind is not list:
            continue
        if getattr(value, "__dict__", None):
            continue
        if with_nan and _holds_nan(value):
            found.append(value)
        elif kind is list or marks.isdisjoint(map(type, value)):
            continue
        elif any(_has_one(key, kinds) for key in value):
            found.append(value)
    if any(type(one) is dict for one in found):
        # The attributes of an object are copied out of what is told, before it would be filled.
        kinds_met = {kind for kind in set(map(type, met)) if has_attributes(kind)}
        # Asking a partial for its attributes would make some.
        kinds_met.discard(functools.partial)
        own = {id(attributes_of(one)) for one in met if type(one) in kinds_met}
        found = [one for one in found if id(one) not in own]
    return found


def _holds_nan(value: Any) -> bool:
    members = [value, value.values()] if isinstance(value, dict) else [value]
    return any(float in set(map(type, one)) and any(map(is_nan, one)) for one in members)


def members_of(container: Any, boxed: Callable[[Any], Any]) -> list[Any]:
    """Its members, or its keys and values in turn, in order; a NaN in its box."""
    if type(container) in _SETS or type(container) is list:
        return list(map(boxed, container))
    # An OrderedDict knows its order apart from the dict that it is.
    items = OrderedDict.items if type(container) is OrderedDict else dict.items
    return [boxed(part) for pair in items(container) for part in pair]


def fill(container: Any, content: Sequence[Any]) -> bool:
    """The container has the content, entry for entry. False where it has fewer entries than it
    had: two of its keys have become equal, and cannot be told apart."""
    if isinstance(container, list):
        container[:] = content
        return True
    if _put(container, content):
        return True
    keys = content if isinstance(container, set) else content[::2]
    with _each_its_own({type(key) for key in keys}):
        return _put(container, content)


def fill_all(
    waiting: Sequence[tuple[T, Any, Sequence[Any]]],
) -> tuple[list[T], list[tuple[T, BaseException]]]:
    """Containers that belong to somebody get their content; to whom those belong that have fewer
    entries than they had, and those that could not be filled, with the error."""
    fewer: list[T] = []
    failed: list[tuple[T, BaseException]] = []
    is_moving = True
    while waiting and is_moving:
        again, failed, is_moving = [], [], False
        for one in waiting:
            owner, container, content = one
            try:
                if not fill(container, content):
                    fewer.append(owner)
                is_moving = True
            except BaseException as error:
                if not is_refusal(error):
                    raise
                # What its hash depends on may be filled by the next turn.
                again.append(one)
                failed.append((owner, error))
        waiting = again
    return fewer, failed


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
    return type(container) is not list and not all(map(container.__contains__, container))


def _has_one(key: Any, kinds: frozenset[type]) -> bool:
    if type(key) in kinds:
        return True
    return type(key) in _NESTED and any(_has_one(part, kinds) for part in key)
