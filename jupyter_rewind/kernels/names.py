"""The names of a namespace themselves: their order, and those that are no text.

`globals()` shows variables in the order in which they were bound first, and takes any key. Both
come back: the order as a list beside the variables, what has no name in Python with its key.
"""

from __future__ import annotations

import operator
import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

ORDER = "e:names"
"""The root that holds the order."""
OUTPUTS = "e:outputs"
"""The root that holds the keys of `Out` in order, where they are not numbers that rise."""
ODD = "n:"
"""What the root of a key that is no text begins with."""
_RESULT = re.compile(r"o:|v:_(?:_{0,2}|\d+)\Z")
_ODD_KINDS = frozenset((int, float, complex, bool, bytes, type(None), tuple, frozenset))


def is_result_key(key: str) -> bool:
    """True for the root of an entry of `Out`, and for those of the names that IPython gives to what
    cells were worth."""
    return _RESULT.match(key) is not None


class NameOrder:
    """The names of the variables, in order: the same list for as long as they are the same."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._kept = self.names
        self._seen = 0

    def read(
        self, names: Sequence[Any], is_new: bool, is_variable: Callable[[Any], bool]
    ) -> list[str]:
        """The variables among `names`, which are those of the last time with some behind them
        unless `is_new`."""
        is_new = is_new or len(names) < self._seen
        if is_new:
            self._seen = 0
        if is_new or self._seen != len(names):
            before = self.names if self._seen else []
            found = [plain(name) for name in names[self._seen :] if is_variable(name)]
            if [*before, *found] != self.names:
                self.names = [*before, *found]
            self._seen = len(names)
        return self.names

    def settle(self) -> None:
        """What was read last is in a state; it is told apart by identity, so it is held."""
        self._kept = self.names


def plain(name: Any) -> str:
    """The text of a name, whatever a subclass of text would say."""
    return str.__getitem__(name, slice(None))


def odd_names(namespace: Mapping[Any, Any]) -> dict[str, tuple[Any, Any]]:
    """Keys that are no text, each with its value, by root."""
    return {
        ODD + repr(name): (name, value)
        for name, value in list(namespace.items())
        if not isinstance(name, str) and _is_plain(name)
    }


def _is_plain(name: Any) -> bool:
    kind = type(name)
    if kind in (tuple, frozenset):
        return all(type(part) is str or _is_plain(part) for part in name)
    return kind in _ODD_KINDS


def set_odd_names(
    namespace: dict[Any, Any], keys: Iterable[str], values: Mapping[str, Any]
) -> None:
    """The namespace has just these odd keys; `values` holds those that were made anew."""
    wanted = {key for key in keys if key.startswith(ODD)}
    for key, (name, _) in odd_names(namespace).items():
        if key not in wanted:
            del namespace[name]
    for key in wanted:
        made = values.get(key)
        if type(made) is tuple and len(made) == 2:
            namespace[made[0]] = made[1]


def order_of_outputs(outputs: Mapping[Any, Any]) -> list[Any] | None:
    """The keys of `Out`; None where they are numbers that rise, as IPython sets them."""
    keys = list(outputs)
    if all(map(_is_number, keys)) and all(map(operator.lt, keys, keys[1:])):
        return None
    return keys if all(type(key) is str or _is_plain(key) for key in keys) else None


def put_outputs(outputs: dict[Any, Any], wanted: Mapping[str, Any], order: Any) -> None:
    """`Out` has these entries, by the text of their keys, in this order; by number without one."""
    keys = {str(key): key for key in order} if type(order) is list else {}
    numbers = sorted(int(key) for key in wanted if key not in keys and key.isdecimal())
    keys |= {str(number): number for number in numbers}
    keys |= {key: key for key in wanted if key not in keys}
    outputs.clear()
    outputs.update({key: wanted[text] for text, key in keys.items() if text in wanted})


def _is_number(key: Any) -> bool:
    return type(key) is int and key >= 0


def put_in_order(namespace: dict[Any, Any], order: Any) -> None:
    """The variables stand in this order, behind all other names; nothing where they do already."""
    if type(order) is not list:
        return
    wanted = [name for name in order if name in namespace]
    known: Collection[str] = frozenset(wanted)
    if [name for name in namespace if name in known] == wanted:
        return
    # In one go: no other thread finds a name missing.
    deque(map(namespace.__setitem__, wanted, map(namespace.pop, wanted)), 0)
