"""An entry: one small named fact in the store, which keeps the content it names alive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from jupyter_rewind.model.ids import Digest, EntryId

Json: TypeAlias = "bool | int | float | str | list[Json] | Mapping[str, Json] | None"


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact that was committed. All entries of a store stand in one order: `(order, id)`.

    `order` is a hybrid logical clock in nanoseconds: the wall clock, pushed past every entry the
    writer had seen. `keys` are what the entry can be looked up by; `roots` are the chunks and
    nodes that stay as long as the entry does.
    """

    id: EntryId
    kind: str
    order: int
    keys: tuple[str, ...]
    body: Mapping[str, Json]
    roots: tuple[Digest, ...] = ()
