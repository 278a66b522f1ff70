"""How far behind a replica is: what was committed here and is not there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jupyter_rewind import clock
from jupyter_rewind.errors import NotFound
from jupyter_rewind.store.replica.cut import take_cut
from jupyter_rewind.store.replica.mounts import require_mounted
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.opening import require_store, unseal
from jupyter_rewind.store.replica.pull import missing_here
from jupyter_rewind.store.replica.push import read_known
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.verify import count_absent


@dataclass(frozen=True, slots=True)
class Lag:
    """What was committed here and is not there."""

    behind_bytes: int = 0
    behind_entries: int = 0
    oldest_ns: int | None = None
    """Since when something is not there: when the oldest entry was made, or was committed at the
    earliest; None where all are."""


@dataclass(frozen=True, slots=True)
class Standing:
    """`oldest_ns` is when the oldest entry that is not there was made; None where all are."""

    exists: bool
    behind_bytes: int
    behind_entries: int
    oldest_ns: int | None
    pushed_ns: int | None
    """When this store was last pushed there; None where it never was, as far as is known here."""
    absent_bytes: int = 0
    """Of the store's contents, what lies in replicas alone."""
    ahead_bytes: int = 0
    """What a pull would bring: other machines have pushed it."""


def compare(repository: Repository, objects: Objects, url: str) -> Standing:
    """Raises Conflict (another store's replica), Integrity, Storage."""
    have: dict[str, int] = {}
    pushed_ns = since_ns = ahead = 0
    require_mounted(objects, repository.layout, url)
    try:
        identity = require_store(objects, repository.layout)
        exists = True
    except NotFound:
        exists = False
    else:
        objects = unseal(objects, identity, repository.layout)
        ledger, notes = read_known(repository.layout, objects, url, identity.replica, surely=True)
        have, pushed_ns, since_ns = ledger.sure, notes.pushed_ns, notes.cut_ns
        ends = ledger.ends or ledger.sure
        ahead = sum(ends[name] - here for name, here in missing_here(repository, ends).items())
    lag = measure(repository, have, since_ns)
    return Standing(
        exists, lag.behind_bytes, lag.behind_entries, lag.oldest_ns, pushed_ns or None,
        count_absent(repository), ahead,
    )  # fmt: skip


def measure(repository: Repository, have: Mapping[str, int], since_ns: int = 0) -> Lag:
    """What of the store a replica that has each segment so far, and all that was committed before
    `since_ns`, lacks. Asks no replica."""
    size = count = 0
    oldest: list[int] = []
    for name, end in take_cut(repository).items():
        if end > have.get(name, 0):
            size += end - have.get(name, 0)
            orders = _orders(repository, name, have.get(name, 0), end)
            count += len(orders)
            oldest += [min(orders)] if orders else []
    # Old entries are committed again where they are collected, or taken over from elsewhere.
    since_ns = since_ns if since_ns <= clock.now_ns() else 0
    return Lag(size, count, max(min(oldest), since_ns) if oldest else None)


def _orders(repository: Repository, segment: str, start: int, end: int) -> list[int]:
    """When the entries of these commits were made."""
    if start == 0:
        with repository.index() as index:
            rows = index.rows(
                "SELECT e.ord FROM entry_places p JOIN segments s ON s.num=p.seg"
                " JOIN entries e ON e.id=p.id WHERE s.name=?",
                [segment],
            )
            return [int(order) for (order,) in rows]
    try:
        with repository.reader(segment) as reader:
            batches = reader.scan(start, deep=False).batches
    except NotFound:
        return []
    return [e.order for batch in batches if batch.end <= end for e in batch.commit.entries]
