"""Members of enumerations, also of those that are numbers or text: there is one of each.

Code asks for them with `is`. A member of the notebook's own is found by its name; a combination of
flags, which has none, by its value, and is the one for all that name it.
"""

from __future__ import annotations

import enum
from typing import Any

from jupyter_rewind.kernels import enumerations, rebuild
from jupyter_rewind.kernels.reducers.contract import Context, Reduction
from jupyter_rewind.kernels.reducers.registry import Registry


def register(registry: Registry) -> None:
    # Python's own `__reduce_ex__` of enumerations is no wish of whoever wrote the class.
    registry.add(enum.Enum, reduce_member, subclasses=True, always=True)


def reduce_member(value: Any, _: Context) -> Reduction:
    kind = type(value)
    own = object.__getattribute__(value, "__dict__")
    return find_member, (kind, own.get("_name_"), own["_value_"])


# --- back: part of the format of stored snapshots ------------------------------------------


def find_member(kind: Any, name: str | None, value: Any) -> Any:
    """The member of this name; where there is none, that of this value."""
    found = type.__getattribute__(kind, "_member_map_").get(name)
    if found is not None:
        return found
    loading = rebuild.current()
    aside = None if loading is None else loading.combined.get(id(kind))
    return enumerations.combine(kind, value, aside)
