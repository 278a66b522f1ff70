"""Digest -> segment and offset, and entries by key: SQLite, rebuilt from the segments at will.

Nothing here is the truth. Losing the file costs a second of scanning; after a crash of the
machine it is thrown away unread, for it may name bytes that never reached the disk. A file that
cannot be written (read-only, full, locked away) is replaced by one in memory (`indexfile`).
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from jupyter_rewind import clock
from jupyter_rewind.model.encoding import DIGEST_SIZE, dump_json, parse_json, split_digests
from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.ids import Digest, EntryId
from jupyter_rewind.store.evidence import Evidence
from jupyter_rewind.store.framing import Record
from jupyter_rewind.store.indexfile import ENDS, open_base
from jupyter_rewind.store.schema import TABLES
from jupyter_rewind.store.segments import Batch, Gap

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one copy of a chunk stands."""

    segment: str
    record: Record
    synced: bool
    """False while only its writer knows whether it reached the disk."""


class Index:
    """What the segments hold, ready to be asked. Not thread-safe: the repository holds a lock."""

    def __init__(self, path: Path | None, store_id: str, place: str = "") -> None:
        """`place` tells the store from its copies, where these would use the same file."""
        self._path = path
        self._store_id = store_id
        self._place = place
        self._pid = clock.process()
        self._inherited: list[sqlite3.Connection] = []
        self._base = self._connect()

    @property
    def in_memory(self) -> bool:
        """True when the index could not be kept in a file and ends with this process."""
        return self._path is None

    @property
    def path(self) -> Path | None:
        """Where the index lies; None in memory."""
        return self._path

    @property
    def evidence(self) -> Evidence:
        """What was found here once and reads no more."""
        return Evidence(self._base)

    def rows(self, text: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """Rows of a question that only upkeep asks."""
        return iter(self._base.execute(text, list(values)))

    def close(self) -> None:
        self._base.close()

    def after_fork(self) -> None:
        """A child process must not touch its parent's connection: it gets one of its own."""
        if clock.process() != self._pid:
            self._pid = clock.process()
            # To close it here would run SQLite's clean-up against the parent's file.
            self._inherited.append(self._base)
            self._base = self._connect()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction; when the file fails, everything moves into memory and is rebuilt."""
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._base.in_transaction:
                self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")

    def retreat_to_memory(self, why: str) -> None:
        """An empty index in memory takes over; the next refresh fills it."""
        log.warning("the index %s cannot be used (%s); working from memory", self._path, why)
        self._path = None
        self._base.close()
        self._base = self._connect()

    def clear(self) -> None:
        """Forgets everything; the next refresh reads all segments."""
        with self.writing():
            for table in TABLES:
                self._base.execute(f"DELETE FROM {table}")

    # --- what was scanned ---------------------------------------------------------------

    def segments(self) -> dict[str, tuple[int, int]]:
        """Name -> (its number here, the offset up to which it was read)."""
        rows = self._base.execute("SELECT name, num, scanned FROM segments")
        return {name: (num, scanned) for name, num, scanned in rows}

    def synced_ends(self) -> dict[str, int]:
        """How far each segment is known to be on the disk, those seen before a reboot too."""
        return dict(self._base.execute(ENDS))

    def forget_remembered(self) -> None:
        """What was seen before a reboot stands in the store's own witness now."""
        self._base.execute("DELETE FROM remembered")

    def add_segment(self, name: str) -> int:
        """The number of a segment that is new here (or is not any more, to another process)."""
        self._base.execute(
            "INSERT OR IGNORE INTO segments(name,scanned,synced) VALUES(?,0,0)", [name]
        )
        row = self._base.execute("SELECT num FROM segments WHERE name=?", [name]).fetchone()
        return int(row[0])

    def scanned(self, number: int) -> int:
        row = self._base.execute("SELECT scanned FROM segments WHERE num=?", [number]).fetchone()
        return int(row[0]) if row else 0

    def add_gaps(self, number: int, gaps: Sequence[Gap]) -> None:
        """The damage that a scan met is remembered, so that nobody takes it for absence."""
        self._base.executemany(
            "INSERT OR REPLACE INTO gaps VALUES(?,?,?,?)",
            ((number, gap.offset, gap.length, gap.what) for gap in gaps),
        )

    def gaps(self) -> list[tuple[str, Gap]]:
        """The damage known so far: segment and place."""
        rows = self._base.execute(
            "SELECT s.name, g.at, g.length, g.what FROM gaps g JOIN segments s ON s.num=g.seg"
            " ORDER BY s.name, g.at"
        )
        return [(name, Gap(at, length, what)) for name, at, length, what in rows]

    def add_batches(self, number: int, batches: Sequence[Batch], end: int, synced: int = 0) -> None:
        """What `batches` hold can be found; the segment counts as read up to `end`.

        `synced` is how far the caller itself knows the segment to be on the disk.
        """
        rows = [
            (record.id, number, record.offset, record.kind, record.codec, record.stored, record.raw)
            for batch in batches
            for record in batch.records
        ]
        # In the order of the table: random digests would touch a page each.
        rows.sort(key=itemgetter(0))
        self._base.executemany("INSERT OR IGNORE INTO chunks VALUES(?,?,?,?,?,?,?)", rows)
        for batch in batches:
            synced = max(synced, batch.commit.synced)
            for entry in batch.commit.entries:
                self._add_entry(entry, number)
            self._expire(batch.commit.expired, number)
        self._base.execute(
            "UPDATE segments SET scanned=max(scanned,?), synced=max(synced,?) WHERE num=?",
            [end, synced, number],
        )

    def drop_segment(self, number: int) -> None:
        """Nothing is found in this segment any more."""
        self._base.execute("DELETE FROM chunks WHERE seg=?", [number])
        self._base.execute(
            "DELETE FROM entry_keys WHERE id IN (SELECT id FROM entry_places WHERE seg=?1"
            " AND id NOT IN (SELECT id FROM entry_places WHERE seg<>?1))",
            [number],
        )
        self._base.execute(
            "DELETE FROM entries WHERE id IN (SELECT id FROM entry_places WHERE seg=?1"
            " AND id NOT IN (SELECT id FROM entry_places WHERE seg<>?1))",
            [number],
        )
        self._base.execute("DELETE FROM entry_places WHERE seg=?", [number])
        self._base.execute("DELETE FROM expired WHERE seg=?", [number])
        self._base.execute("DELETE FROM gaps WHERE seg=?", [number])
        self._base.execute("DELETE FROM segments WHERE num=?", [number])

    def _add_entry(self, entry: Entry, number: int) -> None:
        self._base.execute("INSERT OR IGNORE INTO entry_places VALUES(?,?)", [entry.id, number])
        if self._base.execute("SELECT 1 FROM expired WHERE id=?", [entry.id]).fetchone():
            return
        self._base.execute(
            "INSERT OR IGNORE INTO entries VALUES(?,?,?,?,?,?)",
            [entry.id, entry.kind, entry.order, dump_json(entry.keys), dump_json(entry.body),
             b"".join(entry.roots)],
        )  # fmt: skip
        self._base.executemany(
            "INSERT OR IGNORE INTO entry_keys VALUES(?,?,?,?)",
            ((key, entry.order, entry.id, entry.kind) for key in entry.keys),
        )

    def _expire(self, names: Iterable[EntryId], number: int) -> None:
        for name in names:
            self._base.execute("INSERT OR IGNORE INTO expired VALUES(?,?)", [name, number])
            self._base.execute("DELETE FROM entries WHERE id=?", [name])
            self._base.execute("DELETE FROM entry_keys WHERE id=?", [name])

    # --- questions ----------------------------------------------------------------------

    def places(self, digest: Digest) -> list[Place]:
        """Every copy of the chunk `digest`."""
        rows = self._base.execute(
            "SELECT s.name, s.synced, c.at, c.kind, c.codec, c.stored, c.raw FROM chunks c"
            " JOIN segments s ON s.num=c.seg WHERE c.digest=?",
            [digest],
        )
        return [
            Place(name, Record(at, kind, codec, stored, raw, digest), at < synced)
            for name, synced, at, kind, codec, stored, raw in rows
        ]

    def first_places(self, digests: Sequence[Digest]) -> dict[Digest, Place]:
        """One copy of each of the chunks that are stored."""
        found: dict[Digest, Place] = {}
        for at in range(0, len(digests), 500):
            some = digests[at : at + 500]
            rows = self._base.execute(
                "SELECT c.digest, s.name, s.synced, c.at, c.kind, c.codec, c.stored, c.raw"
                " FROM chunks c JOIN segments s ON s.num=c.seg"
                f" WHERE c.digest IN ({','.join('?' * len(some))})",
                some,
            )
            for name, segment, synced, offset, kind, codec, stored, raw in rows:
                record = Record(offset, kind, codec, stored, raw, Digest(name))
                found.setdefault(record.id, Place(segment, record, offset < synced))
        return found

    def known(self, digests: Sequence[Digest]) -> dict[Digest, str]:
        """Those of `digests` that are stored: "" when surely on the disk, else their segment."""
        found: dict[Digest, str] = {}
        for at in range(0, len(digests), 500):
            some = digests[at : at + 500]
            rows = self._base.execute(
                "SELECT c.digest, s.name, c.at<s.synced FROM chunks c JOIN segments s"
                f" ON s.num=c.seg WHERE c.digest IN ({','.join('?' * len(some))})",
                some,
            )
            for name, segment, synced in rows:
                if synced or Digest(name) not in found:
                    found[Digest(name)] = "" if synced else segment
        return found

    def last_order(self) -> int:
        """The greatest order of any entry, expired ones aside; 0 in an empty store."""
        row = self._base.execute("SELECT max(ord) FROM entries").fetchone()
        return int(row[0] or 0)

    def entry(self, name: EntryId) -> Entry | None:
        rows = self._base.execute(f"{_SELECT} WHERE e.id=?", [name])
        return next(map(_entry, rows), None)

    def entries(
        self,
        *,
        kinds: Sequence[str] = (),
        key: str | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> list[Entry]:
        """Entries in order, of these kinds and with this key where given."""
        source, where, values = "entries e", [], []
        prefix = "e"
        if key is not None:
            source = "entry_keys k JOIN entries e ON e.id=k.id"
            prefix = "k"
            where.append("k.key=?")
            values.append(key)
        if kinds:
            where.append(f"{prefix}.kind IN ({','.join('?' * len(kinds))})")
            values.extend(kinds)
        way = "DESC" if newest_first else "ASC"
        text = f"SELECT e.id, e.kind, e.ord, e.keys, e.body, e.roots FROM {source}"
        text += f" WHERE {' AND '.join(where)}" if where else ""
        text += f" ORDER BY {prefix}.ord {way}, {prefix}.id {way}"
        text += f" LIMIT {int(limit)}" if limit is not None else ""
        return [_entry(row) for row in self._base.execute(text, values)]

    def count(self, kind: str, key: str) -> int:
        row = self._base.execute(
            "SELECT count(*) FROM entry_keys WHERE key=? AND kind=?", [key, kind]
        ).fetchone()
        return int(row[0])

    def entry_ids(self, prefix: str, kind: str) -> list[EntryId]:
        rows = self._base.execute(
            "SELECT id FROM entries WHERE id>=? AND id<? AND kind=? ORDER BY id",
            [prefix, prefix + "\U0010ffff", kind],
        )
        return [EntryId(name) for (name,) in rows]

    def keys(self, prefix: str) -> list[str]:
        # The last character there is may stand in a key, too, but not so often.
        rows = self._base.execute(
            "SELECT DISTINCT key FROM entry_keys WHERE key>=? AND key<? ORDER BY key",
            [prefix, prefix + "\U0010ffff" * 256],
        )
        return [key for (key,) in rows]

    def entry_places(self, number: int) -> list[EntryId]:
        """Ids of all entries whose records stand in this segment, expired ones too."""
        rows = self._base.execute("SELECT id FROM entry_places WHERE seg=?", [number])
        return [EntryId(name) for (name,) in rows]

    def expired_marks(self, number: int | None = None) -> set[EntryId]:
        """Ids that were expired by a record of this segment, or of any."""
        text = "SELECT DISTINCT id FROM expired"
        rows = self._base.execute(
            text if number is None else f"{text} WHERE seg=?", [] if number is None else [number]
        )
        return {EntryId(name) for (name,) in rows}

    def has_place(self, name: EntryId) -> bool:
        """True while some segment still holds the record of this entry."""
        row = self._base.execute("SELECT 1 FROM entry_places WHERE id=? LIMIT 1", [name])
        return row.fetchone() is not None

    def counts(self) -> tuple[int, int, int]:
        """How many segments, distinct chunks and entries there are."""
        row = self._base.execute(
            "SELECT (SELECT count(*) FROM segments), (SELECT count(DISTINCT digest) FROM chunks),"
            " (SELECT count(*) FROM entries)"
        ).fetchone()
        return int(row[0]), int(row[1]), int(row[2])

    def _connect(self) -> sqlite3.Connection:
        base, self._path = open_base(self._path, self._store_id, self._place)
        return base


_SELECT = "SELECT e.id, e.kind, e.ord, e.keys, e.body, e.roots FROM entries e"


def _entry(row: tuple[str, str, int, str, str, bytes]) -> Entry:
    name, kind, order, keys, body, roots = row
    try:
        digests = split_digests(roots, len(roots) // DIGEST_SIZE)
        return Entry(EntryId(name), kind, order, tuple(parse_json(keys)), parse_json(body), digests)
    except (ValueError, TypeError) as error:
        raise sqlite3.DatabaseError(f"a row of the index does not read: {error}") from error
