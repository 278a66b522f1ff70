"""An entry: one small named fact in the store, which keeps the content it names alive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from jupyter_rewind.errors import Unavailable
from jupyter_rewind.model.ids import Digest, EntryId

Json: TypeAlias = "bool | int | float | str | list[Json] | Mapping[str, Json] | None"

LAST_ORDER = (1 << 63) - 1
"""Behind it, in April 2262, no index can put an entry."""
# The year 2200. What is written then leaves room behind it.
_LAST_CLOCK_NS = 7_258_118_400 * 1_000_000_000


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


def order_behind(last: int, now_ns: int) -> int:
    """A place in the order behind `last`, at `now_ns` or later. Raises Unavailable by a clock that
    cannot be right: nobody would get such an entry into an order with others."""
    if now_ns >= _LAST_CLOCK_NS:
        year = 1970 + now_ns // 31_556_952_000_000_000
        raise Unavailable(
            f"Nothing is kept: the clock of this machine says that it is the year {year}.",
            hint="What was kept before is whole. Set the clock, and try again.",
        )
    return max(now_ns, last + 1)
