"""Another key for a store: every tag in it is made anew, and from one moment on only those count.

A key that has become known lets others forge records and read encrypted replicas. With another key
the store gets another id, too: a process that has the old one open notices that, and what the old
key made is nothing here any more.

Each segment is written anew beside its place, flushed and read back. Then one small file,
`rotating`, says that these are the ones: before it, nothing has happened; after it, whoever opens
the store next finishes what is left, which is a change of names. It refuses to begin while anybody
writes, where locks do not work, and where anything is damaged: a new tag would hide it. The old key
stays where it was, for the replicas that were made with it.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind import clock
from jupyter_rewind.errors import Conflict, Denied, Integrity, RewindError
from jupyter_rewind.model.encoding import Commit, check_format, encode_commit, parse_json, to_json
from jupyter_rewind.model.entry import Entry, Json
from jupyter_rewind.model.ids import StoreId
from jupyter_rewind.store import chunks
from jupyter_rewind.store.collect import upkeep_lock
from jupyter_rewind.store.durable import Files, translate
from jupyter_rewind.store.framing import Kind, Seal, frame, seal_of
from jupyter_rewind.store.indexfile import forget_indexes
from jupyter_rewind.store.layout import (
    KEY_SIZE,
    ROTATED,
    ROTATING,
    Layout,
    key_check,
    key_path,
    make_config,
)
from jupyter_rewind.store.locks import Barrier, is_locked
from jupyter_rewind.store.partial import require_whole
from jupyter_rewind.store.replica.arrival import forget_waiting
from jupyter_rewind.store.replica.turns import PUSHING, taking_turns
from jupyter_rewind.store.segments import Batch, Scan, SegmentReader
from jupyter_rewind.store.shut import is_segment
from jupyter_rewind.store.witness import note_segments

Retell = Callable[[Entry, Layout, Layout], Entry]
"""The entry under the other key: what it says of itself by the old one is said anew."""
Progress = Callable[[int, int], None]
_FORMAT = 2
"""1 where the store is in the clear with the other key, 2 where it is encrypted."""
_WAITING = ".rekeyed-"
_WRITE = 8 << 20


@dataclass(frozen=True, slots=True)
class Rotated:
    """What became of a store: its ids, and where the keys lie."""

    before: StoreId
    after: StoreId
    old_key: Path
    new_key: Path
    segments: int
    bytes: int


def rotate(
    layout: Layout,
    key_folder: Path,
    files: Files,
    retell: Retell,
    progress: Progress | None = None,
    *,
    encrypt: bool | None = None,
    indexes: Iterable[Path] = (),
) -> Rotated:
    """The store has another key and another id, and holds what it held, durably; encrypted or in
    the clear as it was, or as `encrypt` says. `indexes` are where one of it may lie that is not
    beside the segments: where the store is encrypted, none stays.

    Raises Conflict (somebody writes to it, or keeps it up), Unavailable (no locks), Integrity
    (damage: salvage first), Storage: then it is what it was.
    """
    with _alone(layout):
        return _Rotation(layout, key_folder, files, retell, progress, encrypt, tuple(indexes)).run()


@contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    doing = "give another key to"
    barrier = Barrier(layout.barrier)
    try:
        with (
            upkeep_lock(layout, doing),
            taking_turns(layout, "pull", f"A pull into the store at {layout.folder}"),
            taking_turns(layout, PUSHING, f"A push of the store at {layout.folder}"),
            barrier.held(exclusive=True),
        ):
            yield
    finally:
        barrier.close()


class _Rotation:
    """One change of the key."""

    def __init__(
        self,
        layout: Layout,
        key_folder: Path,
        files: Files,
        retell: Retell,
        progress: Progress | None,
        encrypt: bool | None,
        indexes: tuple[Path, ...],
    ) -> None:
        self._old = layout
        self._new = Layout(
            layout.folder,
            StoreId(clock.token(16).hex()),
            clock.token(KEY_SIZE),
            layout.is_encrypted if encrypt is None else encrypt,
        )
        _ = self._new.cipher  # refused here, where nothing can be encrypted
        self._indexes = indexes
        self._key_folder = key_folder
        self._files = files
        self._retell = retell
        self._progress = progress
        self._bytes = 0

    def run(self) -> Rotated:
        layout, files = self._old, self._files
        names = sorted(_ends(layout.segments))
        busy = [name for name in names if is_locked(layout.lock_of(name))]
        if busy:
            raise Conflict(
                f"The store at {layout.folder} is being written by {len(busy)} running servers"
                " or kernels.",
                hint="Nothing was changed. Stop them, and try again.",
                retryable=True,
            )
        require_whole(layout, "The store at {} cannot get another key yet")
        forget_waiting(layout, files)
        forget_undecided(layout, files)
        new_key = key_path(self._key_folder, self._new.store_id)
        try:
            total = sum((layout.segments / name).stat().st_size for name in names)
            for name in names:
                self._reseal(name, total)
            files.rename(files.write_new(new_key, self._new.key), new_key)
            files.sync_folder(self._key_folder)
            files.sync_folder(layout.segments)
            self._decide(names)
        except BaseException:
            with suppress(RewindError, OSError):
                if not (layout.folder / ROTATING).exists():
                    forget_undecided(layout, files)
                    files.remove(new_key)
            raise
        _finish(layout.folder, self._key_folder, files)
        return Rotated(
            layout.store_id, self._new.store_id, key_path(self._key_folder, layout.store_id),
            new_key, len(names), self._bytes,
        )  # fmt: skip

    def _decide(self, names: list[str]) -> None:
        listed: list[Json] = [*names]
        facts: dict[str, Json] = {
            "format": 2 if self._new.is_encrypted else 1, "store": self._new.store_id,
            "segments": listed, "before": self._old.store_id,
            "indexes": [str(path) for path in self._indexes],
            "key_check": key_check(
                self._new.key, self._new.store_id, self._new.is_encrypted
            ),
        }  # fmt: skip
        self._files.replace_file(self._old.folder / ROTATING, to_json(facts))

    # --- one segment ----------------------------------------------------------------------

    def _reseal(self, name: str, total: int) -> None:
        source, target = self._old.segments / name, self._old.segments / (_WAITING + name)
        reading = self._files.open(source)
        writing = self._files.create(target)
        try:
            seal = seal_of(self._old, name)
            reader = SegmentReader(reading, seal, source.stat().st_size)
            scan = reader.scan(0)
            if scan.gaps or not all(batch.whole for batch in scan.batches):
                raise self._damaged(name)
            end = self._write(name, reader, scan, writing, target)
            self._files.sync_data(writing, target)
            self._compare(name, scan, SegmentReader(writing, self._seal(name), end))
        finally:
            self._files.close(reading)
            self._files.close(writing)
        self._bytes += end
        if self._progress is not None:
            self._progress(self._bytes, max(total, self._bytes))

    def _write(
        self, name: str, reader: SegmentReader, scan: Scan, writing: int, target: Path
    ) -> int:
        parts: list[bytes | memoryview] = []
        at = written = 0
        for batch in scan.batches:
            for piece in self._batch(name, reader, batch, at):
                parts.append(piece)
                at += len(piece)
                if at - written > _WRITE:
                    self._files.write_at(writing, parts, written, target)
                    parts, written = [], at
        if parts:
            self._files.write_at(writing, parts, written, target)
        return at

    def _batch(self, name: str, reader: SegmentReader, batch: Batch, start: int) -> Iterator[bytes]:
        seal, at = self._seal(name), start
        proofs: list[bytes] = []
        for one in batch.records:
            if not reader.is_intact(one):
                raise self._damaged(name)
            payload = reader.shown(one)
            head, stored, tag = frame(seal, at, Kind(one.kind), one.codec, one.raw, one.id, payload)
            proofs += (head, tag)
            yield from (head, bytes(stored), tag)
            at += len(head) + len(stored) + len(tag)
        entries = tuple(self._retell(each, self._old, self._new) for each in batch.commit.entries)
        # All that stands before it is on the disk before anybody reads this.
        commit = Commit(
            batch.commit.records, start, seal.batch(proofs), entries, batch.commit.expired
        )
        raw = encode_commit(commit)
        codec, packed = chunks.pack(raw)
        name_of = chunks.digest(raw)
        head, stored, tag = frame(seal, at, Kind.COMMIT, codec, len(raw), name_of, bytes(packed))
        yield from (head, bytes(stored), tag)

    def _compare(self, name: str, before: Scan, reader: SegmentReader) -> None:
        """What was written reads, and says what was said before: a fault stops here."""
        after = reader.scan(0)
        is_same = (
            not after.gaps
            and after.end == reader.size
            and len(after.batches) == len(before.batches)
        )
        for old, new in zip(before.batches, after.batches, strict=False):
            told = tuple(self._retell(each, self._old, self._new) for each in old.commit.entries)
            is_same &= told == new.commit.entries and old.commit.expired == new.commit.expired
            is_same &= [one.id for one in old.records] == [one.id for one in new.records]
            is_same &= all(reader.is_intact(one) for one in new.records)
        if not is_same:
            raise Integrity(
                f"Segment {name} does not read as it was written.",
                hint="Nothing was changed. The disk may be failing.",
            )

    def _seal(self, name: str) -> Seal:
        return seal_of(self._new, name)

    def _damaged(self, name: str) -> Integrity:
        return Integrity(
            f"The store at {self._old.folder} is damaged: segment {name} does not read whole.",
            hint="Nothing was changed. `jupyter rewind salvage` keeps what reads; then try again.",
        )


def finish_rotation(folder: Path, key_folder: Path, files: Files) -> None:
    """A change of the key that was decided and not finished is. Raises Storage, Denied (the new
    key is not here), Unavailable."""
    barrier = Barrier(folder / "locks" / "collect")
    try:
        with barrier.held(exclusive=True):
            _finish(folder, key_folder, files)
    finally:
        barrier.close()


def _finish(folder: Path, key_folder: Path, files: Files) -> None:
    marker, segments = folder / ROTATING, folder / "segments"
    try:
        facts = parse_json(marker.read_bytes())
        check_format(int(facts["format"]), _FORMAT, f"The change of the key at {folder}")
        store, check = StoreId(str(facts["store"])), str(facts["key_check"])
        names = [str(name) for name in facts["segments"]]
        is_encrypted = int(facts["format"]) == _FORMAT
        before, indexes = str(facts.get("before")), [*map(Path, map(str, facts.get("indexes", ())))]
    except FileNotFoundError:
        return  # another process has done it
    except OSError as error:
        raise translate(error, "read", marker) from error
    except (ValueError, TypeError, KeyError) as error:
        raise Integrity(
            f"{marker} does not read: how far the change of the store's key came is not known.",
            hint="Nothing was changed. Put that file back from a copy of the store.",
        ) from error
    key = _read_key(key_path(key_folder, store), store, check, is_encrypted)
    for name in names:
        waiting = segments / f"{_WAITING}{name}"
        if waiting.exists():
            files.rename(waiting, segments / name)
    files.sync_folder(segments)
    with suppress(FileNotFoundError):
        files.remove(folder / "witness")
    # Before the config: an older one that is put back some day shows nothing of what is here.
    files.replace_file(key_folder / f"{before}{ROTATED}", f"{store}\n".encode())
    files.replace_file(folder / "config", make_config(store, key, is_encrypted))
    # Nobody can use those of its former ids any more.
    forget_indexes(indexes, {before, *_former_ids(key_folder, before)})
    if is_encrypted:
        # It names notebooks and labels, in the clear.
        for path in folder.glob("index-*.sqlite*"):
            files.remove(path)
    with suppress(RewindError, OSError):
        note_segments(Layout(folder, store, key, is_encrypted), files, _ends(segments))
    files.remove(marker)
    files.sync_folder(folder)


def _former_ids(key_folder: Path, store: str) -> Iterator[str]:
    """What the store was called before this, as far as changes of its key have said."""
    for mark in key_folder.glob(f"*{ROTATED}"):
        if mark.read_text().strip() == store and mark.stem != store:
            yield mark.stem
            yield from _former_ids(key_folder, mark.stem)


def _ends(segments: Path) -> dict[str, int]:
    """All that stands in a segment that was just rewritten is on the disk."""
    found = {path.name: path.stat() for path in segments.glob("[!.]*")}
    return {name: status.st_size for name, status in found.items() if is_segment(name, status)}


def _read_key(path: Path, store: StoreId, check: str, encrypted: bool) -> bytes:
    try:
        key = path.read_bytes()
    except OSError as error:
        raise Denied(
            f"The key {path}, which the store is just getting, cannot be read: {error.strerror}.",
            code="no_key",
            hint="Nothing is lost. Put the file back where it was.",
        ) from error
    if not hmac.compare_digest(key_check(key, store, encrypted), check):
        raise Integrity(f"{path} is not the key that the store is just getting.")
    return key


def forget_undecided(layout: Layout, files: Files) -> None:
    """What a change of the key left behind that was killed before it was decided is gone. Only who
    holds the lock of upkeep may say so, where no change is decided."""
    for path in sorted(layout.segments.glob(f"{_WAITING}*")):
        files.remove(path)
