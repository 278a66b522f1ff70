"""What the index knew of bytes that no longer read: where they stood, and which entries they held.

Kept beside the index and thrown away with it. It lets verify and salvage name a loss that left
no other mark, and it keeps nobody from storing the same content again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from jupyter_rewind.model.ids import Digest, EntryId


class Evidence:
    """The losses known to one index. For use inside `Index.writing` where it changes something."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self._base = base

    def bury_segment(self, number: int, name: str) -> None:
        """The segment's file is gone and nobody took it away on purpose. Its chunks are no longer
        found; its entries still are, for an entry that vanished in silence would be a lie."""
        self._base.execute(
            "INSERT OR IGNORE INTO lost_chunks SELECT c.digest, ?2, c.at, c.stored FROM chunks c"
            " WHERE c.seg=?1 AND NOT EXISTS"
            " (SELECT 1 FROM chunks d WHERE d.digest=c.digest AND d.seg<>?1)",
            [number, name],
        )
        self._base.execute(
            "INSERT OR IGNORE INTO lost_entries SELECT p.id, ?2 FROM entry_places p"
            " JOIN entries e ON e.id=p.id WHERE p.seg=?1 AND NOT EXISTS"
            " (SELECT 1 FROM entry_places q WHERE q.id=p.id AND q.seg<>?1)",
            [number, name],
        )
        for table in ("chunks", "entry_places", "expired", "gaps"):
            self._base.execute(f"DELETE FROM {table} WHERE seg=?", [number])
        self._base.execute("DELETE FROM segments WHERE num=?", [number])

    def bury_chunks(self, number: int, name: str, offsets: Iterable[int]) -> None:
        """The chunks at these offsets of the segment do not read; they are not found there."""
        places = [(number, name, at) for at in offsets]
        self._base.executemany(
            "INSERT OR IGNORE INTO lost_chunks SELECT digest, ?2, at, stored FROM chunks"
            " WHERE seg=?1 AND at=?3",
            places,
        )
        self._base.executemany("DELETE FROM chunks WHERE seg=?1 AND ?2<>'' AND at=?3", places)

    def bury_entries(self, number: int, name: str, ids: Iterable[EntryId]) -> None:
        """The segment does not hold the records of these entries any more."""
        rows = [(number, name, each) for each in ids]
        self._base.executemany("INSERT OR IGNORE INTO lost_entries VALUES(?3, ?2)", rows)
        self._base.executemany("DELETE FROM entry_places WHERE seg=?1 AND ?2<>'' AND id=?3", rows)

    def forgive_segment(self, number: int, name: str) -> None:
        """The segment's file is back: what a scan found where it stood is lost no more."""
        self._base.execute(
            "DELETE FROM lost_chunks WHERE segment=?2 AND EXISTS (SELECT 1 FROM chunks c WHERE"
            " c.digest=lost_chunks.digest AND c.seg=?1 AND c.at=lost_chunks.at)",
            [number, name],
        )
        self._base.execute(
            "DELETE FROM lost_entries WHERE segment=?2 AND EXISTS (SELECT 1 FROM entry_places p"
            " WHERE p.id=lost_entries.id AND p.seg=?1)",
            [number, name],
        )

    def forgive(self) -> None:
        """What stands somewhere again, or has expired, counts as lost no more."""
        self._base.execute(
            "DELETE FROM lost_chunks WHERE EXISTS"
            " (SELECT 1 FROM chunks c WHERE c.digest=lost_chunks.digest)"
        )
        self._base.execute(
            "DELETE FROM lost_entries WHERE EXISTS"
            " (SELECT 1 FROM entry_places p WHERE p.id=lost_entries.id)"
            " OR NOT EXISTS (SELECT 1 FROM entries e WHERE e.id=lost_entries.id)"
        )

    def drop_chunks(self, keep: Sequence[Digest]) -> None:
        """Only `keep` still count as lost: nothing needs the others."""
        self._base.execute("CREATE TEMP TABLE IF NOT EXISTS kept(digest BLOB PRIMARY KEY)")
        self._base.execute("DELETE FROM kept")
        self._base.executemany("INSERT OR IGNORE INTO kept VALUES(?)", ([each] for each in keep))
        self._base.execute("DELETE FROM lost_chunks WHERE digest NOT IN (SELECT digest FROM kept)")

    def chunks(self) -> Iterator[tuple[Digest, str, int, int]]:
        """Digest, segment, offset and stored size of each chunk that was lost."""
        rows = self._base.execute(
            "SELECT digest, segment, at, stored FROM lost_chunks ORDER BY segment, at"
        )
        return ((Digest(digest), name, at, stored) for digest, name, at, stored in rows)

    def places(self, digest: Digest) -> list[tuple[str, int]]:
        """Segment and offset where this content stood before it was lost."""
        return self._base.execute(
            "SELECT segment, at FROM lost_chunks WHERE digest=?", [digest]
        ).fetchall()

    def entries(self) -> list[tuple[EntryId, str]]:
        """Entries whose record is lost, though the index still tells what it said."""
        rows = self._base.execute("SELECT id, segment FROM lost_entries ORDER BY segment, id")
        return [(EntryId(name), segment) for name, segment in rows]
