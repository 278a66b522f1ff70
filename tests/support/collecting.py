"""What tests of collecting a replica do to machines, and a place where others meddle."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from obstore.store import MemoryStore

from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.store.collect import collect
from jupyter_rewind.store.replica.check import check
from jupyter_rewind.store.replica.cloud import CloudObjects
from jupyter_rewind.store.replica.collecting import (
    CollectedReport,
    collect_replica,
)
from jupyter_rewind.store.replica.objects import Listed, Objects
from tests.support.replicas import Machine
from tests.support.stores import QuickFiles


class Meddled(CloudObjects):
    """A place where something happens just before certain requests."""

    def __init__(self) -> None:
        super().__init__(MemoryStore(), "memory")
        self.before_create: dict[str, Callable[[], object]] = {}
        self.before_delete: Callable[[], object] | None = None

    def create(self, key: str, data: bytes) -> bool:
        part = next((each for each in self.before_create if key.startswith(each)), "")
        if part:
            acts, self.before_create = self.before_create, {}
            acts.pop(part)()
            self.before_create = acts
        return super().create(key, data)

    def delete(self, key: str) -> None:
        act, self.before_delete = self.before_delete, None
        if act is not None:
            act()
        super().delete(key)


def expire(machine: Machine, names: list[EntryId]) -> None:
    """These are gone from the machine, and so is what only they needed."""
    with machine.open() as repository:
        with repository.transaction(exclusive=True) as tx:
            tx.expire(names)
        collect(repository, threshold=0.0)
    for name in names:
        machine.filled.forget(name)


def knows(machine: Machine, other: Machine) -> None:
    """The machine has pulled what the other one saved."""
    mine, theirs = machine.filled, other.filled
    mine.bodies.update(theirs.bodies)
    mine.parts.update(theirs.parts)
    mine.roots.update(theirs.roots)
    mine.links.update(theirs.links)


def shrink(machine: Machine, *, dry_run: bool = False, sealed: bool = False) -> CollectedReport:
    with machine.open() as repository:
        return collect_replica(
            repository, machine.objects, machine.url, dry_run=dry_run, sealed=sealed
        )


def total(objects: Objects) -> int:
    return sum(each.size for each in every(objects))


def every(objects: Objects) -> Iterator[Listed]:
    for prefix in ("packs/", "refs/", "log/", "bases/", "closed/"):
        yield from objects.find(prefix)


def kept(objects: Objects) -> int:
    return sum(each.size for prefix in ("packs/", "refs/") for each in objects.find(prefix))


def is_whole(machine: Machine, unused_bytes: int = 0) -> bool:
    with machine.open() as repository:
        found = check(repository.layout, QuickFiles(), machine.objects, read_share=1.0)
        assert found.ok, found.faults
        assert found.unused_bytes <= unused_bytes
    return True
