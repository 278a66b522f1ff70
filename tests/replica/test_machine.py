"""All that two machines with one replica may do, in any order, against plain dicts.

Each saves, collects, pushes and pulls, and collects the replica; some of that is stopped in the
middle, and some collecting has another machine at work between two of its requests. The oracle
knows who made what, who has expired what, and what was pushed when: it never asks the code.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from obstore.store import MemoryStore

from jupyter_rewind.errors import Conflict, NotFound
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.store.collect import collect
from jupyter_rewind.store.replica import gathering
from jupyter_rewind.store.replica.check import check
from jupyter_rewind.store.replica.cloud import CloudObjects
from jupyter_rewind.store.replica.collecting import collect_replica
from jupyter_rewind.store.replica.objects import Listed, Objects
from jupyter_rewind.store.replica.pull import found_store, pull
from jupyter_rewind.store.replica.push import push
from jupyter_rewind.store.replica.turns import BUSY
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.verify import verify
from tests.support.stores import QuickFiles, noise

URL = "test://replica"
MACHINES = 2


class Stopped(BaseException):
    """The process ends here."""


class Fragile:
    """A place whose user is killed before, or after, the request with this number."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.left: int | None = None
        self.others: dict[int, Callable[[], None]] = {}
        """What happens elsewhere before the request with this number."""
        self.place = objects.place

    def _step(self) -> None:
        if self.others:
            now, self.others = self.others, {}
            if (act := now.pop(0, None)) is not None:
                left, self.left = self.left, None
                act()
                self.left = left
            self.others = {at - 1: each for at, each in now.items()}
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Stopped

    def create(self, key: str, data: bytes) -> bool:
        self._step()
        made = self._objects.create(key, data)
        self._step()
        return made

    def get(self, key: str) -> bytes:
        self._step()
        return self._objects.get(key)

    def get_range(self, key: str, start: int, end: int) -> bytes:
        return self._objects.get_range(key, start, end)

    def size(self, key: str) -> int | None:
        self._step()
        return self._objects.size(key)

    def find(self, prefix: str, *, after: str = "") -> Iterator[Listed]:
        self._step()
        return self._objects.find(prefix, after=after)

    def folders(self, prefix: str) -> list[str]:
        self._step()
        return self._objects.folders(prefix)

    def delete(self, key: str) -> None:
        self._step()
        self._objects.delete(key)
        self._step()


@dataclass
class Oracle:
    """What one machine must have. What was expired on any of them may come back from another one,
    so nobody must have it."""

    must: set[EntryId] = field(default_factory=set)


class SharedReplica(RuleBasedStateMachine):
    """Machines that share a store through one replica."""

    @initialize(sealed=st.booleans())
    def begin(self, sealed: bool) -> None:
        self.sealed = sealed
        self.every, gathering.EVERY = gathering.EVERY, 4
        self.folder = Path(tempfile.mkdtemp(prefix="rewind-replica-", dir=_memory()))
        self.objects = Fragile(CloudObjects(MemoryStore(), "memory"))
        self.contents: dict[EntryId, bytes] = {}
        self.oracles = [Oracle() for _ in range(MACHINES)]
        self.there: set[EntryId] = set()
        """What is in the replica for sure."""
        self.gone: set[EntryId] = set()
        """Expired on some machine."""
        self.count = 0
        with self.open(0) as repository:
            self.add(repository, 0, "begin")
        self.push(0, None)
        for number in range(1, MACHINES):
            self.pull(number, None)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            gathering.EVERY = self.every
            shutil.rmtree(self.folder)

    def open(self, number: int) -> Repository:
        return Repository.open(
            self.folder / str(number), key_folder=self.folder / "keys", files=QuickFiles(),
            create=number == 0,
        )  # fmt: skip

    def add(self, repository: Repository, number: int, seed: str) -> None:
        self.count += 1
        data = noise(seed, 300) + b"%d" % self.count
        shared = noise(seed, 400)
        with repository.transaction() as tx:
            names = [*tx.put(data), *tx.put(shared)]
            latest = repository.entries()[-1:]
            base = latest[0].roots[0] if latest else None
            node = tx.put_node(noise("body", 2000) + data, names, base=base)
            entry = tx.add("checkpoint", keys=["k"], body={"n": self.count}, roots=[node])
        self.contents[entry.id] = data + shared
        self.oracles[number].must.add(entry.id)

    @rule(number=st.integers(0, MACHINES - 1), seed=st.sampled_from("ab"), more=st.integers(1, 3))
    def save(self, number: int, seed: str, more: int) -> None:
        with self.open(number) as repository:
            for _ in range(more):
                self.add(repository, number, seed)

    @rule(number=st.integers(0, MACHINES - 1), keep=st.integers(0, 3))
    def expire_and_collect(self, number: int, keep: int) -> None:
        """Of every four checkpoints so many stay."""
        oracle = self.oracles[number]
        mine = [name for name in self.contents if name in oracle.must]
        picked = {name for at, name in enumerate(mine) if at % 4 >= keep}
        with self.open(number) as repository:
            with repository.transaction(exclusive=True) as tx:
                tx.expire(picked)
            collect(repository, threshold=0.0)
        oracle.must -= picked
        self.gone |= picked

    @rule(
        number=st.integers(0, MACHINES - 1),
        seed=st.sampled_from("ab"),
        stop=st.none() | st.integers(0, 6),
    )
    def trade(self, number: int, seed: str, stop: int | None) -> None:
        """One saves and pushes, perhaps killed meanwhile; saves and pushes again; another pulls."""
        self.save(number, seed, 1)
        self.push(number, stop)
        self.save(number, seed, 1)
        self.push(number, None)
        self.pull((number + 1) % MACHINES, None)

    @rule(number=st.integers(0, MACHINES - 1), stop=st.none() | st.integers(0, 6))
    def push(self, number: int, stop: int | None) -> None:
        self.objects.left = stop
        try:
            with self.open(number) as repository:
                push(repository, self.objects, URL, sealed=self.sealed)
        except Stopped:
            return
        finally:
            self.objects.left = None
        self.there |= self.oracles[number].must

    @rule(number=st.integers(0, MACHINES - 1), stop=st.none() | st.integers(0, 6))
    def pull(self, number: int, stop: int | None) -> None:
        self.objects.left = stop
        try:
            place = self.folder / str(number)
            found_store(place, self.folder / "keys", self.objects, QuickFiles())
            with self.open(number) as repository:
                pull(repository, self.objects, URL)
        except Stopped:
            return
        finally:
            self.objects.left = None
        # What somebody has expired may be gone here, too, and may not.
        self.oracles[number].must |= self.there - self.gone
        self.oracles[number].must -= self.gone

    @rule(
        number=st.integers(0, MACHINES - 1),
        keep=st.integers(0, 3),
        stop=st.none() | st.integers(0, 80),
    )
    def collect_there(self, number: int, keep: int, stop: int | None) -> None:
        """One machine makes garbage of what it has and takes it from the replica; perhaps it is
        killed meanwhile."""
        self.expire_and_collect(number, keep)
        self.shrink(number, stop, {})

    @rule(
        number=st.integers(0, MACHINES - 1),
        keep=st.integers(0, 3),
        stop=st.none() | st.integers(0, 80),
        acts=st.dictionaries(
            st.integers(0, 60),
            st.sampled_from(["save", "push", "pull", "trade", "collect", "fresh"]),
            min_size=1,
            max_size=4,
        ),
    )
    def collect_there_while_others_work(
        self, number: int, keep: int, stop: int | None, acts: dict[int, str]
    ) -> None:
        """The next machine saves, pushes, pulls, and collects, too, between two requests."""
        self.expire_and_collect(number, keep)
        other = (number + 1) % MACHINES
        what: dict[str, Callable[[], None]] = {
            "save": lambda: self.save(other, "a", 1),
            "push": lambda: self.push(other, None),
            "pull": lambda: self.pull(other, None),
            "trade": lambda: (self.save(other, "b", 1), self.push(other, None))[1],
            "collect": lambda: (self.expire_and_collect(other, 2), self.shrink(other, None, {}))[1],
            "fresh": self.a_fresh_machine,
        }
        self.shrink(number, stop, {at: what[name] for at, name in acts.items()})

    def shrink(self, number: int, stop: int | None, others: dict[int, Callable[[], None]]) -> None:
        before = set(self.there)
        mine = self.objects
        mine.left, mine.others = stop, others
        try:
            with self.open(number) as repository:
                collect_replica(repository, mine, URL, sealed=self.sealed)
        except Stopped:
            return
        except (Conflict, NotFound) as error:
            # Another machine began later; or there is no store, or no replica, here yet.
            assert isinstance(error, NotFound) or error.code == BUSY
            return
        finally:
            mine.left, mine.others = None, {}
            # It may have pulled before it was killed.
            self.oracles[number].must -= self.gone
        self.there |= self.oracles[number].must
        self.oracles[number].must |= before - self.gone

    @precondition(lambda self: hasattr(self, "folder"))
    @invariant()
    def every_machine_has_what_it_must(self) -> None:
        """Byte for byte, and nothing that nobody made."""
        for number in range(MACHINES):
            try:
                with self.open(number) as repository:
                    self.look(repository, self.oracles[number].must)
            except NotFound:
                assert number and not self.oracles[number].must

    def look(self, repository: Repository, must: set[EntryId]) -> None:
        repository.refresh()
        entries = repository.entries()
        names = [entry.id for entry in entries]
        assert len(names) == len(set(names))
        assert not must - set(names) and set(names) <= self.contents.keys()
        for entry in entries:
            links = repository.get_node(entry.roots[0]).links
            assert repository.get_blob(links) == self.contents[entry.id]

    @rule()
    def a_fresh_machine(self) -> None:
        """It gets all that was pushed, and what it gets is whole."""
        place = Path(tempfile.mkdtemp(dir=self.folder)) / "store"
        found_store(place, self.folder / "keys", self.objects, QuickFiles())
        keys = self.folder / "keys"
        with Repository.open(place, key_folder=keys, files=QuickFiles()) as repository:
            pull(repository, self.objects, URL)
            self.look(repository, self.there - self.gone)
            report = verify(repository, read_data=True)
            assert report.ok, report.damages
            found = check(repository.layout, QuickFiles(), self.objects, read_share=1.0)
            assert found.ok, found.faults
        shutil.rmtree(place.parent)


def _memory() -> Path | None:
    place = Path("/dev/shm")
    return place if place.is_dir() else None


def machine_settings(examples: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=12,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


class MoreOfSharedReplica(SharedReplica):
    """The same for longer."""


SharedReplica.TestCase.settings = machine_settings(15)
MoreOfSharedReplica.TestCase.settings = machine_settings(60)
TestSharedReplica = pytest.mark.slow(pytest.mark.timeout(900)(SharedReplica.TestCase))
TestMoreOfSharedReplica = pytest.mark.long(pytest.mark.timeout(3600)(MoreOfSharedReplica.TestCase))
