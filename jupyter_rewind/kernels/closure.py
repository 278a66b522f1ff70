"""Does anyone outside reach these values? A component whose references are all its own is closed.

Every reference to each object that can change is counted from inside the component: from the
variables that name it and from the objects of the component. Where the interpreter counts more,
somebody else holds it (a thread, a module, a frame, C code), and the component is open. The same
for weak references. Where a type hides what it holds, the component is open too: the answer
"closed" is a proof, "open" is not.

Out of reach of any count, and so of this proof: `gc.get_objects`, addresses through ctypes.
"""

from __future__ import annotations

import gc
import itertools
import operator
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import Any

from jupyter_rewind.kernels.kinds import (
    ARRAY,
    LEAF,
    OPEN,
    PLAIN,
    TEXTS,
    WEAK,
    Kinds,
    dict_getter,
    has_own_zone,
    may_have_zone,
)

_CHUNK = 4096
_IMMUTABLE = (tuple, frozenset)
_ZONED = "a time holds a zone that may change"

Binding = tuple[Mapping[Any, Any], Hashable]
"""A mapping and the key under which it holds a value: the namespace and a name."""


def find_opening(
    bindings: Iterable[Binding],
    *,
    held: int = 0,
    harmless: Iterable[Binding] = (),
    check: Callable[[], None] = lambda: None,
    twice: set[type] | None = None,
) -> str:
    """Why the values are not closed, in words; empty if nobody outside can reach them.

    `held` is how many references the caller itself has to the value of each binding besides that;
    `harmless` are other bindings through which nobody writes (IPython's of the last results).
    `check` is called every few thousand objects, and may raise. Where nothing opens them, `twice`
    gets the types of what more than one of their parts, or a part and a binding, refer to.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        walk = _Walk(check)
        walk.begin(bindings, held)
        for mapping, key in harmless:
            if id(mapping.get(key)) in walk.inside:
                walk.inside[id(mapping.get(key))] += 1
        opening = walk.finish()
        if twice is not None:
            twice.update(walk.kinds_met_twice())
        return opening
    except RecursionError:
        return "it is nested too deeply to be counted"
    finally:
        if was_enabled:
            gc.enable()


class _Walk:
    """One count. `inside` has the references that were met, for each object met more than once."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self.inside: Counter[int] = Counter()
        self.shared: dict[int, Any] = {}
        self.opening = ""
        self._level: list[Any] = []
        self._kinds = Kinds()
        self._sole = _references_of_one_in_a_list()
        self._bound: dict[int, int] = {}
        self._weak: dict[int, int] = {}
        self._pointed: dict[int, int] = {}

    def begin(self, bindings: Iterable[Binding], held: int) -> None:
        for mapping, key in bindings:
            value: Any = mapping[key]
            name = id(value)
            if has_own_zone((value,)):
                self.opening = _ZONED
            self._bound[name] = self._bound.get(name, 0) + 1 + held
            if name in self.inside:
                self.inside[name] += 1 + held
            elif self._kinds.tag(type(value)) != LEAF:
                self.inside[name] = 1 + held
                self._add(value)

    def _add(self, value: Any) -> None:
        """An object that is not merely a part of one other: counted again at the end."""
        kind = type(value)
        tag = self._kinds.tag(kind)
        if tag == OPEN or (tag == TEXTS and not _is_text(value)):
            self.opening = f"a {kind.__name__} may share what it holds with others"
            return
        self.shared[id(value)] = value
        self._level.append(value)
        if kind.__weakrefoffset__ or tag == WEAK:
            self._look_for_weak_references(value, tag)

    def _look_for_weak_references(self, value: Any, tag: int) -> None:
        if tag == WEAK:
            target = _target_of(value)
            if target is not None:
                self._pointed[id(target)] = self._pointed.get(id(target), 0) + 1
        count = weakref.getweakrefcount(value)
        if count:
            self._weak[id(value)] = count
            self.shared[id(value)] = value
            self.inside.setdefault(id(value), 1)

    def finish(self) -> str:
        while self._level:
            level, self._level = self._level, []
            for start in range(0, len(level), _CHUNK):
                self._check()
                self._expand(level[start : start + _CHUNK])
                if self.opening:
                    return self.opening
            del level
        return self.opening or self._unexplained()

    def kinds_met_twice(self) -> set[type]:
        bound = self._bound
        return {
            type(value)
            for name, value in self.shared.items()
            if self.inside[name] > max(bound.get(name, 0), 1)
        }

    def _expand(self, chunk: list[Any]) -> None:
        """Count what the objects of `chunk` refer to. No other list of ours may hold it then."""
        found = gc.get_referents(*chunk)
        for kind in set(map(type, chunk)):
            if self._kinds.tag(kind) == ARRAY:
                self._add_arrays([value for value in chunk if type(value) is kind], found)
            elif look := dict_getter(kind):
                _add_dicts([value for value in chunk if type(value) is kind], look, found)
        # One object may refer to millions.
        self._check()
        kinds = set(map(type, found))
        if may_have_zone(kinds) and has_own_zone(found):
            self.opening = _ZONED
            return
        wanted = {kind for kind in kinds if self._kinds.tag(kind) != LEAF}
        if not wanted:
            return
        if len(wanted) < len(kinds):
            # In one line: nothing else of ours holds what was found when it is counted.
            found = list(itertools.compress(found, map(wanted.__contains__, map(type, found))))
        self._check()
        counts = list(map(sys.getrefcount, found))
        self._check()
        if set(counts) == {self._sole} and self._are_simple(found, wanted):
            self._level += found
            return
        alone = list(map(operator.eq, counts, itertools.repeat(self._sole)))
        self._take_single(list(itertools.compress(found, alone)))
        self._take_shared(list(itertools.compress(found, map(operator.not_, alone))))

    def _take_single(self, values: list[Any]) -> None:
        """What one object refers to, and nothing else."""
        for some in _by_kind(values):
            is_new = self.inside.keys().isdisjoint(map(id, some))
            if is_new and self._are_simple(some, (type(some[0]),)):
                self._level += some
            else:
                self._take_shared(some)

    def _take_shared(self, values: list[Any]) -> None:
        names = list(map(id, values))
        fresh = dict(zip(names, values, strict=True))
        for name in fresh.keys() & self.inside.keys():
            del fresh[name]
        self.inside.update(names)
        for some in _by_kind(list(fresh.values())):
            self._check()
            if self._are_simple(some, (type(some[0]),)):
                self.shared.update(zip(map(id, some), some, strict=True))
                self._level += some
            else:
                for value in some:
                    self._add(value)

    def _are_simple(self, values: Collection[Any], kinds: Collection[type]) -> bool:
        """Nothing is to be known of these values but how often they are referred to."""
        if not all(self._kinds.tag(kind) in (PLAIN, ARRAY) for kind in kinds):
            return False
        if not any(kind.__weakrefoffset__ for kind in kinds):
            return True
        return not any(map(weakref.getweakrefcount, values))

    def _add_arrays(self, arrays: list[Any], found: list[Any]) -> None:
        """What arrays hold, which they do not tell the collector."""
        for value in arrays:
            if value.base is not None:
                found.append(value.base)
            elif not value.flags.owndata:
                self.opening = "an array in memory that is not Python's"
            elif value.dtype.kind == "O":
                found.extend(value.ravel(order="K").tolist())
            elif value.dtype.hasobject:
                self.opening = "an array of records that hold objects"

    def _unexplained(self) -> str:
        overhead = _references_of_one_in_a_dict() - 1
        counts = list(map(sys.getrefcount, self.shared.values()))
        told = zip(self.shared.items(), counts, strict=True)
        for number, ((name, value), count) in enumerate(told):
            if not number % _CHUNK:
                self._check()
            if count - overhead != self.inside[name] and not self._is_constant(value):
                return f"a {type(value).__name__} is held by something else too"
        if not self._pointed.keys() <= self.shared.keys():
            return "a weak reference leads out of it"
        for name, count in self._weak.items():
            if self._pointed.get(name, 0) != count:
                kind = type(self.shared[name]).__name__
                return f"a {kind} is weakly referred to by something else"
        return ""

    def _is_constant(self, value: Any) -> bool:
        """Immutable, with nothing in it that could change: whoever else holds it may."""
        if type(value) not in _IMMUTABLE:
            return False
        return all(self._kinds.tag(type(part)) == LEAF or self._is_constant(part) for part in value)


def _by_kind(values: list[Any]) -> list[list[Any]]:
    kinds = set(map(type, values))
    if len(kinds) < 2:
        return [values] if values else []
    return [[value for value in values if type(value) is kind] for kind in kinds]


def _add_dicts(values: list[Any], look: Any, found: list[Any]) -> None:
    """The dicts of instances, which from Python 3.13 on they hold without telling it."""
    told = set(map(id, found))
    found += [value for value in map(look, values) if id(value) not in told]


def _is_text(value: Any) -> bool:
    """Arrow's arrays of text never lie in the memory of an array of numpy; others may."""
    return str(value.type) in ("string", "large_string", "string_view")


def _target_of(reference: Any) -> Any:
    if issubclass(type(reference), weakref.ref):
        return reference()
    return getattr(getattr(reference, "__repr__", None), "__self__", None)


def _references_of_one_in_a_list() -> int:
    """What the interpreter counts of an object with one owner when it stands in a list."""
    owner: list[list[None]] = [[]]
    found = gc.get_referents(owner)
    counts = list(map(sys.getrefcount, found))
    return counts[0]


def _references_of_one_in_a_dict() -> int:
    owner: list[list[None]] = [[]]
    held = {0: owner[0]}
    counts = list(map(sys.getrefcount, held.values()))
    return counts[0]
