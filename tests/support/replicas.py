"""Machines that share a store through a replica: each has a folder of its own and the same key."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jupyter_rewind.errors import Unavailable
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.store.replica import bringing, wholeness
from jupyter_rewind.store.replica.objects import Listed, Objects
from jupyter_rewind.store.replica.pull import PullReport, found_store, pull
from jupyter_rewind.store.replica.push import PushReport, push
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.verify import verify
from tests.support.stores import Filled, QuickFiles, fill, noise

URL = "test://replica"


@dataclass
class Machine:
    """One machine's copy of the store."""

    filled: Filled
    objects: Objects
    url: str = URL
    saved: list[EntryId] = field(default_factory=list)

    @property
    def store(self) -> Path:
        return self.filled.folder / "store"

    def open(self) -> Repository:
        return self.filled.open()

    def save(self, count: int = 1) -> list[EntryId]:
        """So many checkpoints, in a segment of their own."""
        with self.open() as repository:
            names = [self.filled.add(repository) for _ in range(count)]
        self.saved += names
        return names

    def push(self, **options: object) -> PushReport:
        with self.open() as repository:
            return push(repository, self.objects, self.url, **options)  # type: ignore[arg-type]

    def pull(self, **options: object) -> PullReport:
        found_store(self.store, self.filled.folder / "keys", self.objects, QuickFiles())
        with self.open() as repository:
            return pull(repository, self.objects, self.url, **options)  # type: ignore[arg-type]


def first_machine(
    folder: Path, objects: Objects, *, segments: int = 1, entries: int = 3
) -> Machine:
    """A machine whose store has some checkpoints."""
    return Machine(fill(folder, segments=segments, entries=entries), objects)


def next_machine(folder: Path, other: Machine) -> Machine:
    """A fresh machine that has been given the key and nothing else."""
    shutil.copytree(other.filled.folder / "keys", folder / "keys")
    return Machine(Filled(folder), other.objects, other.url)


def fresh(tmp_path: Path, line: Line, *, count: int = 3) -> tuple[Machine, Machine]:
    """A machine that has pushed so many contents, and another one that has pulled lazily."""
    first = with_contents(tmp_path / "first", line, count=count)
    second = next_machine(tmp_path / "second", first)
    line.read_bytes = 0
    second.pull(lazy=True)
    return first, second


def lead_through(
    line: Line, monkeypatch: pytest.MonkeyPatch, *, asks_at_once: bool = False
) -> None:
    """Whoever opens a replica by its address goes this way; with `asks_at_once`, one that refused
    is asked again without a rest."""
    monkeypatch.setattr(bringing, "open_replica", lambda url: line)
    monkeypatch.setattr(wholeness, "open_replica", lambda url: line)
    if asks_at_once:
        monkeypatch.setattr(bringing, "_REFUSED_SECONDS", 0.0)


def holds(machine: Machine, *others: Machine) -> bool:
    """True when the machine's store is whole and has, byte for byte, what these machines saved."""
    with machine.open() as repository:
        for other in others:
            for name in other.filled.bodies:
                assert other.filled.reads(repository, name)
        report = verify(repository, read_data=True)
        assert report.ok, report.damages
        assert len(repository.entries()) == sum(len(other.filled.bodies) for other in others)
    return True


def committed_bytes(machine: Machine) -> dict[str, bytes]:
    """The bytes of each segment of the store, up to its last commit."""
    with machine.open() as repository, repository.index() as index:
        ends = {name: end for name, (_, end) in index.segments().items()}
    folder = machine.store / "segments"
    return {name: (folder / name).read_bytes()[:end] for name, end in ends.items()}


@dataclass
class Line:
    """The way to a replica: counts what is read through it, and may be cut or garbled."""

    objects: Objects
    read_bytes: int = 0
    requests: int = 0
    left: int | None = None
    """So many requests are answered yet; None is no end."""
    garbled: tuple[str, ...] = ()
    """What lies under keys that begin so comes with bits turned over."""
    asked: list[str] = field(default_factory=list)
    """The keys that were read."""

    @property
    def place(self) -> str:
        return self.objects.place

    def cut(self) -> None:
        """Nothing is answered any more."""
        self.left = 0

    def mend(self) -> None:
        self.left, self.garbled = None, ()

    def _ask(self) -> None:
        self.requests += 1
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Unavailable("No route to the replica.", retryable=True)

    def _got(self, key: str, data: bytes) -> bytes:
        self.read_bytes += len(data)
        self.asked.append(key)
        if not key.startswith(self.garbled or ("\0",)):
            return data
        other = bytearray(data)
        for at in range(min(len(data) - 1, 200), len(data), 5000):
            other[at] ^= 1
        return bytes(other)

    def create(self, key: str, data: bytes | bytearray) -> bool:
        self._ask()
        return self.objects.create(key, data)

    def get(self, key: str) -> bytes:
        self._ask()
        return self._got(key, self.objects.get(key))

    def get_range(self, key: str, start: int, end: int) -> bytes:
        self._ask()
        return self._got(key, self.objects.get_range(key, start, end))

    def size(self, key: str) -> int | None:
        self._ask()
        return self.objects.size(key)

    def find(self, prefix: str, *, after: str = "") -> Iterator[Listed]:
        self._ask()
        return self.objects.find(prefix, after=after)

    def folders(self, prefix: str) -> list[str]:
        self._ask()
        return self.objects.folders(prefix)

    def delete(self, key: str) -> None:
        self._ask()
        self.objects.delete(key)


def with_contents(folder: Path, objects: Objects, *, count: int = 4) -> Machine:
    """A machine whose checkpoints have contents that are worth leaving in a replica; pushed."""
    machine = first_machine(folder, objects, segments=0)
    for number in range(count):
        with machine.open() as repository:
            own = noise(f"contents {number}", 300_000)
            text = b"%d " % number + b"a row of text; " * 30_000
            machine.filled.add(repository, parts=[own, text, noise("shared by all", 200_000)])
    machine.push()
    return machine
