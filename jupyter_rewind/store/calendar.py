"""How much time has passed for a store, as far as upkeep may count on it by itself.

A wall clock can be years ahead for a while: an empty battery, a guest that was suspended, a typing
error. What expires by age would then be gone for good. So from one round of upkeep to the next the
calendar goes on by the wall clock, but by a week at most; where nothing was counted yet, it begins
with the oldest entry. A clock that is ahead for one round makes things a week older, and the next
round with a sound clock takes that back. It refuses to run ahead of the wall clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jupyter_rewind import clock
from jupyter_rewind.store.durable import Files, read_text_or_empty
from jupyter_rewind.store.repository import Repository

_WEEK_NS = 7 * 86_400_000_000_000


@contextmanager
def count_time(repository: Repository, interval_ns: int) -> Iterator[int]:
    """The moment (ns) that a round of upkeep goes by; noted when the block ends well, so that a
    round that is tried again counts no time twice."""
    note = repository.folder / "upkeep-calendar"
    now = clock.now_ns()
    told = read_text_or_empty(note)
    oldest = _oldest(repository, now)
    before = int(told) if told.isdigit() else oldest
    if now < oldest:
        yield before
        return
    # Rounds that are seldom by the user's own wish must not leave the calendar behind for ever.
    moment = min(now, before + max(_WEEK_NS, 2 * interval_ns))
    yield moment
    Files().replace_file(note, str(moment).encode())


def _oldest(repository: Repository, now_ns: int) -> int:
    repository.refresh()
    first = repository.entries(limit=1)
    return first[0].order if first else now_ns
