"""What the variables of a kernel hold, as short words that can be compared between processes.

Sharing counts: a list that two variables share is told once, and named the second time. Functions
of the notebook must see its variables. Nothing of a user's is called but its `repr`, where it has
one of its own.
"""

from __future__ import annotations

import hashlib
import sys
import types
from collections.abc import Iterable, Mapping
from typing import Any

HIDDEN = {"In", "Out", "exit", "quit", "open", "get_ipython"}
_MANY = 10_000
_PLAIN = (int, float, complex, str, bytes, bool, type(None), range, slice, types.EllipsisType)


def user_variables(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """What the user's cells made; modules and what begins with an underscore apart."""
    return {
        name: value
        for name, value in list(namespace.items())
        if not name.startswith("_")
        and name not in HIDDEN
        and not isinstance(value, types.ModuleType)
    }


def describe_all(namespace: dict[str, Any]) -> dict[str, str]:
    """A digest for each variable."""
    teller = Teller(namespace)
    return {
        name: teller.digest(name, value)
        for name, value in sorted(user_variables(namespace).items())
    }


class Teller:
    """Tells values, each object once."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self._known: dict[int, str] = {}
        """Where each object was met first: under which name, and as the how manieth there."""
        self._held: list[Any] = []
        self._hash: Any = None
        self._name = ""
        self._met = 0

    def digest(self, name: str, value: Any) -> str:
        self._hash = hashlib.blake2b(digest_size=12)
        self._name, self._met = name, 0
        self.tell(value)
        return str(self._hash.hexdigest())

    def tell(self, value: Any) -> None:
        if isinstance(value, _PLAIN):
            self._say(type(value).__name__, repr(value))
        elif isinstance(value, types.FunctionType):
            self._function(value)
        elif isinstance(value, type | types.BuiltinFunctionType):
            self._say("named", value.__module__ or "", value.__qualname__)
        elif not self._is_known(value):
            self._new(value)

    def _new(self, value: Any) -> None:
        kind = type(value)
        self._say(kind.__qualname__)
        if kind in (list, tuple) or (isinstance(value, tuple | list)):
            self._items(value)
        elif isinstance(value, dict):
            self._items([part for pair in value.items() for part in pair])
        elif isinstance(value, set | frozenset):
            self._say(*sorted(map(repr, value)))
        elif not self._library(value):
            self._object(value)

    def _items(self, parts: Iterable[Any]) -> None:
        parts = list(parts)
        self._say(str(len(parts)))
        if len(parts) > _MANY:
            # A million Python calls a second are not enough for these.
            self._say(repr(parts))
            return
        for part in parts:
            self.tell(part)

    def _function(self, value: types.FunctionType) -> None:
        code = value.__code__
        self._say(value.__qualname__, code.co_code.hex(), repr(value.__defaults__))
        if value.__module__ == "__main__":
            self._say(str(value.__globals__ is self._namespace))

    def _library(self, value: Any) -> bool:
        numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
        if numpy is not None and isinstance(value, numpy.ndarray):
            return self._array(numpy, value)
        if pandas is not None and isinstance(value, pandas.DataFrame):
            self._say(repr(list(value.columns)), repr(list(value.dtypes)))
            for number in range(value.shape[1]):
                self._column(pandas, value.iloc[:, number])
            self._column(pandas, value.index)
            return True
        if pandas is not None and isinstance(value, pandas.Series | pandas.Index):
            self._say(repr(value.dtype), repr(value.name))
            self._column(pandas, value)
            return True
        return bool(numpy is not None and isinstance(value, numpy.generic)) and not self._say(
            repr(value)
        )

    def _column(self, pandas: Any, values: Any) -> None:
        try:
            self._hash.update(pandas.util.hash_array(values.to_numpy()).tobytes())
        except TypeError:
            self._say(repr(list(values)))

    def _array(self, numpy: Any, value: Any) -> bool:
        self._say(repr(value.dtype), repr(value.shape))
        owner = value
        while isinstance(owner.base, numpy.ndarray):
            owner = owner.base
        if owner is not value and id(owner) in self._known:
            # It shares its memory with an array that was told before.
            self._say("of", self._known[id(owner)])
        if value.dtype.hasobject:
            self._items(value.ravel().tolist())
        else:
            self._hash.update(value.tobytes())
        return True

    def _object(self, value: Any) -> None:
        state = getattr(value, "__dict__", None)
        home = type(value).__module__.partition(".")[0]
        if home == "matplotlib":
            return
        if isinstance(state, dict) and state:
            self._items([part for pair in sorted(state.items()) for part in pair])
        elif type(value).__repr__ is not object.__repr__:
            words = repr(value)
            self._say(words if " at 0x" not in words else type(value).__name__)

    def _is_known(self, value: Any) -> bool:
        place = self._known.get(id(value))
        if place is not None:
            self._say("again", place)
            return True
        if not isinstance(value, tuple | frozenset):
            self._met += 1
            self._known[id(value)] = f"{self._name} {self._met}"
            self._held.append(value)
        return False

    def _say(self, *words: str) -> None:
        for word in words:
            self._hash.update(word.encode("utf-8", "surrogatepass") + b"\0")
