"""What an enumeration is besides its attributes: what its members hold, and combinations of flags.

Python makes a combination when it is first asked for, and its class has it from then on.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Any

from jupyter_rewind.kernels import living

MEMBER_OWN = frozenset(("_value_", "_name_", "__objclass__", "_sort_order_"))
"""What a member gets when it is made."""


def state_of(made: Any) -> dict[str, Any]:
    """What `set_members` sets."""
    held: dict[str, Any] = dict(made.__members__)
    by_value = vars(made)["_value2member_map_"]
    return {
        "members": {name: _own_of(one) for name, one in held.items()},
        "values": {name: one._value_ for name, one in held.items()},
        "combined": {key: (by_value[key]._value_, _own_of(by_value[key])) for key in _keys(made)},
    }


def all_of(made: Any) -> list[Any]:
    """The members and the combinations that there are."""
    by_value = vars(made)["_value2member_map_"]
    return [*made.__members__.values(), *(by_value[key] for key in _keys(made))]


def set_members(made: Any, state: Mapping[str, Any], found: dict[Any, Any]) -> None:
    """The members, and the combinations that there are, hold what they held. `found` are those that
    `combine` made, and gets these."""
    for name, attributes in state.get("members", {}).items():
        _set_own(made.__members__[name], attributes)
    living.set_values(made, state.get("values", {}))
    if "combined" in state:
        _set_combined(made, state["combined"], found)
    else:  # an earlier version told it
        by_value = vars(made).get("_value2member_map_", {})
        by_value.update({value: one for value, one in found.items() if value not in by_value})


def combine(kind: Any, value: Any, aside: dict[Any, Any] | None) -> Any:
    """The combination of this value. With `aside`, where the class has none yet: one that stands
    there, for the living class is not changed while a state is built."""
    by_value = vars(kind).get("_value2member_map_", {})
    if aside is None or value in by_value:
        return kind(value)
    if value not in aside:
        before = dict(by_value)
        try:
            aside[value] = kind(value)
        finally:
            by_value.clear()
            by_value.update(before)
    return aside[value]


def _keys(made: Any) -> Iterator[Any]:
    """Under what the class finds its combinations: one may have a negative number as well."""
    if issubclass(made, enum.Flag) and made._missing_.__func__ is _MISSING:
        named = set(map(id, made.__members__.values()))
        by_value = vars(made)["_value2member_map_"]
        yield from [key for key, one in by_value.items() if id(one) not in named]


def _set_combined(made: Any, combined: Mapping[Any, Any], found: dict[Any, Any]) -> None:
    by_value = vars(made)["_value2member_map_"]
    for key in _keys(made):
        if key not in combined:
            del by_value[key]
    for key, (value, attributes) in combined.items():
        if key not in by_value:
            one = found[value] if value in found else made(value)
            by_value.setdefault(key, one)
        one = by_value[key]
        found.setdefault(value, one)
        _set_own(one, attributes)


def _own_of(member: Any) -> dict[str, Any]:
    return {name: one for name, one in vars(member).items() if name not in MEMBER_OWN}


def _set_own(member: Any, attributes: Mapping[str, Any]) -> None:
    own = vars(member)
    for name in [name for name in own if name not in attributes and name not in MEMBER_OWN]:
        del own[name]
    own.update(attributes)


_MISSING: Any = vars(enum.Flag)["_missing_"].__func__
