"""Machines that share a store through a replica: each has a folder of its own and the same key."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.pull import PullReport, found_store, pull
from jupyter_rewind.store.replica.push import PushReport, push
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.verify import verify
from tests.support.stores import Filled, QuickFiles, fill

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
