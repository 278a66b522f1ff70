"""How much a store holds, how much of that is shared, and what each group of entries takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from jupyter_rewind.model.ids import Digest
from jupyter_rewind.store.framing import OVERHEAD, Kind
from jupyter_rewind.store.plan import is_busy
from jupyter_rewind.store.reach import Reach, entry_roots
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.verify import count_absent, segment_sizes

G = TypeVar("G")
_ASK = 500


@dataclass(frozen=True, slots=True)
class SegmentStats:
    """One segment: bytes on disk without room that a writer holds ready, its records, and whether
    somebody writes it now."""

    name: str
    bytes: int
    chunks: int
    busy: bool


@dataclass(frozen=True, slots=True)
class KindStats:
    """The distinct content of one kind ("chunk", "node"): before and after packing."""

    kind: str
    count: int
    raw_bytes: int
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class StoreStats:
    """The store as a whole. `kept_bytes` is what all entries would take if nothing were shared
    and nothing packed; the sharing ratio compares it with the disk."""

    bytes: int
    entries: int
    raw_bytes: int
    stored_bytes: int
    kept_bytes: int
    kinds: tuple[KindStats, ...]
    segments: tuple[SegmentStats, ...]
    absent_bytes: int = 0
    """Stored bytes that lie in a replica alone."""

    @property
    def sharing_ratio(self) -> float:
        """How many times over the content would be stored without sharing; 1 in an empty store."""
        return self.kept_bytes / self.raw_bytes if self.raw_bytes else 1.0

    @property
    def packing_ratio(self) -> float:
        """Raw bytes for each stored byte."""
        return self.raw_bytes / self.stored_bytes if self.stored_bytes else 1.0


@dataclass(frozen=True, slots=True)
class GroupSize:
    """Stored bytes that only this group reaches, those it shares with others, and its raw size
    without sharing inside of it."""

    unique_bytes: int
    shared_bytes: int
    raw_bytes: int


def stats(repository: Repository) -> StoreStats:
    """What the store holds. Reads every node once."""
    repository.refresh()
    sizes = segment_sizes(repository)
    with repository.index() as index:
        _, _, entries = index.counts()
        known = index.segments()
        numbers = {num: name for name, (num, _) in known.items()}
        counts = {
            numbers[num]: count
            for num, count in index.rows("SELECT seg, count(*) FROM chunks GROUP BY seg")
        }
        kinds = tuple(
            KindStats(Kind(kind).name.lower(), count, raw, stored + OVERHEAD * count)
            for kind, count, raw, stored in index.rows(
                "SELECT kind, count(*), sum(raw), sum(stored) FROM (SELECT max(kind) AS kind,"
                " min(raw) AS raw, min(stored) AS stored FROM chunks GROUP BY digest)"
                " GROUP BY kind ORDER BY kind"
            )
        )
    busy = {name for name in sizes if is_busy(repository, name)}
    for name in busy & known.keys():
        # Behind the last commit there is room held ready, which goes when the writer ends.
        sizes[name] = min(sizes[name], known[name][1])
    segments = tuple(
        SegmentStats(name, size, counts.get(name, 0), name in busy) for name, size in sizes.items()
    )
    return StoreStats(
        sum(sizes.values()),
        entries,
        sum(kind.raw_bytes for kind in kinds),
        sum(kind.stored_bytes for kind in kinds),
        _kept_bytes(repository),
        kinds,
        segments,
        count_absent(repository),
    )


def group_sizes(repository: Repository, groups: Mapping[G, Iterable[Digest]]) -> dict[G, GroupSize]:
    """What each group takes, given the roots of its entries."""
    owner: dict[Digest, int] = {}
    reached: list[tuple[G, set[Digest], int]] = []
    for number, (group, roots) in enumerate(groups.items()):
        named = list(roots)
        reach = Reach(repository)
        reach.follow(named)
        for digest in reach.live:
            owner[digest] = number if owner.setdefault(digest, number) == number else -1
        reached.append((group, reach.live, _unshared(repository, named)))
    found = {}
    for number, (group, live, raw) in enumerate(reached):
        stored = _sizes(repository, live, "min(stored)", OVERHEAD)
        unique = sum(size for digest, size in stored.items() if owner[digest] == number)
        found[group] = GroupSize(unique, sum(stored.values()) - unique, raw)
    return found


def _kept_bytes(repository: Repository) -> int:
    return _unshared(repository, (root for _, roots in entry_roots(repository) for root in roots))


def _unshared(repository: Repository, roots: Iterable[Digest]) -> int:
    """Raw bytes below `roots`, counted as often as they are named."""
    named = list(roots)
    reach = Reach(repository)
    reach.follow(named)
    raw = _sizes(repository, reach.live, "max(raw)", 0)
    below: dict[Digest, int] = {}

    def measure(top: Digest) -> int:
        wait = [top]
        while wait:
            digest = wait[-1]
            if digest in below:
                wait.pop()
                continue
            links = reach.links(digest) if digest in reach.nodes else ()
            open_nodes = [link for link in links if link in reach.nodes and link not in below]
            if open_nodes:
                wait += open_nodes
                continue
            below[digest] = raw.get(digest, 0) + sum(
                below[link] if link in below else raw.get(link, 0) for link in links
            )
            wait.pop()
        return below[top]

    return sum(measure(root) if root in reach.nodes else raw.get(root, 0) for root in named)


def _sizes(
    repository: Repository, digests: Iterable[Digest], what: str, each: int
) -> dict[Digest, int]:
    wanted = list(digests)
    found: dict[Digest, int] = {}
    for at in range(0, len(wanted), _ASK):
        some = wanted[at : at + _ASK]
        with repository.index() as index:
            rows = index.rows(
                f"SELECT digest, {what} FROM chunks WHERE digest IN"
                f" ({','.join('?' * len(some))}) GROUP BY digest",
                some,
            )
            found.update((Digest(digest), size + each) for digest, size in rows)
    return found
