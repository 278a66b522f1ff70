"""Stores for the tests of upkeep: filled in a known way, and damaged in a known way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jupyter_rewind.errors import Denied, Storage
from jupyter_rewind.model.ids import Digest, EntryId
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.framing import Kind, Record
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.segments import SegmentReader


class QuickFiles(Files):
    """The real steps without waiting for the disk; these tests kill no machine."""

    def sync_data(self, descriptor: int, path: Path) -> None:
        pass

    def sync_folder(self, path: Path) -> None:
        pass


def refuse_to_open(
    shut: Path, monkeypatch: pytest.MonkeyPatch, *, kind: type[Storage] = Denied
) -> None:
    """This user may not read that file, also where root runs the tests."""
    opening = Files.open

    def open_file(files: Files, path: Path) -> int:
        if path == shut:
            why = "permission denied" if kind is Denied else "input/output error"
            raise kind(f"Could not open {path}: {why}.")
        return opening(files, path)

    monkeypatch.setattr(Files, "open", open_file)


def noise(seed: str, size: int) -> bytes:
    """Bytes that do not compress, the same for the same seed."""
    return hashlib.shake_128(seed.encode()).digest(size)


@dataclass
class Filled:
    """What was put into a store, told by the test alone."""

    folder: Path
    bodies: dict[EntryId, bytes] = field(default_factory=dict)
    parts: dict[EntryId, list[bytes]] = field(default_factory=dict)
    roots: dict[EntryId, Digest] = field(default_factory=dict)
    links: dict[EntryId, tuple[Digest, ...]] = field(default_factory=dict)
    _manifest: bytes = noise("manifest", 4000)
    _base: Digest | None = None
    _count: int = 0

    def open(self, **options: object) -> Repository:
        return Repository.open(
            self.folder / "store", key_folder=self.folder / "keys", files=QuickFiles(), **options
        )  # type: ignore[arg-type]

    def add(self, repository: Repository, *, parts: Iterable[bytes] | None = None) -> EntryId:
        """One entry whose node names two chunks, one of them shared with every fourth entry."""
        number = self._count
        self._count += 1
        mine = [noise(f"part {number}", 1500), noise(f"shared {number // 4}", 900)]
        mine = list(parts) if parts is not None else mine
        where = 37 * number % 3000
        self._manifest = self._manifest[:where] + b"<%06d>" % number + self._manifest[where + 8 :]
        with repository.transaction() as tx:
            names = tuple(name for part in mine for name in tx.put(part))
            node = tx.put_node(self._manifest, names, base=self._base if number % 8 else None)
            entry = tx.add("checkpoint", keys=["history:h"], body={"n": number}, roots=[node])
        self._base = node
        self.bodies[entry.id] = self._manifest
        self.parts[entry.id] = mine
        self.roots[entry.id] = node
        self.links[entry.id] = names
        return entry.id

    def forget(self, name: EntryId) -> None:
        """The entry has expired: it is not to be found any more."""
        for known in (self.bodies, self.parts, self.roots, self.links):
            del known[name]

    def reads(self, repository: Repository, name: EntryId) -> bool:
        """True when the entry and everything under it are byte for byte what was put."""
        entry = repository.entry(name)
        node = repository.get_node(entry.roots[0])
        assert node.links == self.links[name]
        assert node.body == self.bodies[name]
        assert repository.get_blob(node.links) == b"".join(self.parts[name])
        return True


def fill(folder: Path, segments: int = 3, entries: int = 8) -> Filled:
    """A store of closed segments with as many entries in each."""
    filled = Filled(folder)
    with filled.open() as repository:
        for _ in range(segments):
            for _ in range(entries):
                filled.add(repository)
            repository.end_segment()
    return filled


def segment_files(filled: Filled) -> list[Path]:
    return sorted((filled.folder / "store" / "segments").iterdir())


def records(repository: Repository, segment: str) -> list[Record]:
    """Every record of a whole segment, in order, commits too."""
    with repository.reader(segment) as reader:
        return list(SegmentReader.intact(reader))


def entry_segments(repository: Repository) -> dict[EntryId, str]:
    """The segment in which each entry's record stands."""
    with repository.index() as index:
        rows = index.rows("SELECT p.id, s.name FROM entry_places p JOIN segments s ON s.num=p.seg")
        return {EntryId(name): segment for name, segment in rows}


def is_commit(record: Record) -> bool:
    return record.kind == Kind.COMMIT


class Stopped(BaseException):
    """The process ends here, as far as the store can tell."""


class StoppingFiles(QuickFiles):
    """Stops at the step with this number, before it is done."""

    def __init__(self, last: int) -> None:
        self.left = last

    def _step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Stopped

    def create(self, path: Path, mode: int = 0o600) -> int:
        self._step()
        return super().create(path, mode)

    def write_at(
        self, descriptor: int, parts: list[bytes | memoryview], offset: int, path: Path
    ) -> int:
        self._step()
        return super().write_at(descriptor, parts, offset, path)

    def sync_data(self, descriptor: int, path: Path) -> None:
        self._step()

    def rename(self, source: Path, target: Path) -> None:
        self._step()
        super().rename(source, target)

    def remove(self, path: Path) -> None:
        self._step()
        super().remove(path)
