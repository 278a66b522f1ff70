"""What one machine pushes, another one pulls, byte for byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from jupyter_rewind import clock
from jupyter_rewind.errors import Conflict, Denied, Integrity, InvalidInput, NotFound
from jupyter_rewind.store.collect import collect
from jupyter_rewind.store.replica.cloud import CloudObjects
from jupyter_rewind.store.replica.folder import FolderObjects
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.pull import found_store
from jupyter_rewind.store.replica.standing import compare
from jupyter_rewind.store.rotation import rotate
from tests.support.replicas import committed_bytes, first_machine, holds, next_machine
from tests.support.stores import QuickFiles, noise


@pytest.fixture
def memory() -> Objects:
    return CloudObjects(MemoryStore(), "memory")


def test_a_fresh_machine_has_everything_again(tmp_path: Path, objects: Objects) -> None:
    """With the key and the address, all checkpoints are back, and every segment is the same."""
    first = first_machine(tmp_path / "a", objects, segments=3, entries=5)
    report = first.push()
    assert (report.segments, report.entries) == (3, 15)
    second = next_machine(tmp_path / "b", first)
    brought = second.pull()
    assert (brought.segments, brought.entries) == (3, 15)
    assert holds(second, first)
    assert committed_bytes(second) == committed_bytes(first)


def test_a_second_pull_brings_only_what_is_new(tmp_path: Path, memory: Objects) -> None:
    """Nothing twice; a segment that has grown meanwhile grows here, too."""
    first = first_machine(tmp_path / "a", memory)
    with first.open() as repository:
        first.filled.add(repository)
        first.push()
        second = next_machine(tmp_path / "b", first)
        second.pull()
        assert second.pull().segments == 0
        first.filled.add(repository)
        assert first.push().entries == 1
        assert second.pull().entries == 1
        assert holds(second, first)


def test_a_small_commit_is_one_put(tmp_path: Path, memory: Objects) -> None:
    """The bytes travel in the object that names them; a push without news makes none."""
    first = first_machine(tmp_path / "a", memory)
    assert first.push().objects == 1
    first.save()
    report = first.push()
    assert (report.objects, report.entries) == (1, 1)
    assert first.push().objects == 0


def test_large_content_goes_in_packs(tmp_path: Path, memory: Objects) -> None:
    """Nothing larger than 8 MB is sent at once, nor held in memory as a whole."""
    first = first_machine(tmp_path / "a", memory)
    large = noise("large", 20 << 20)
    with first.open() as repository:
        first.filled.add(repository, parts=[large[:100], large])
    first.save(4)
    report = first.push()
    sizes = [each.size for each in memory.find("packs/")]
    assert max(sizes) <= 8 << 20 and sum(sizes) == report.bytes
    second = next_machine(tmp_path / "b", first)
    second.pull()
    assert committed_bytes(second) == committed_bytes(first)


def test_two_machines_share_one_replica(tmp_path: Path, objects: Objects) -> None:
    """Both go on from the same state, and each gets what the other has made; nothing doubles."""
    first = first_machine(tmp_path / "a", objects)
    first.push()
    second = next_machine(tmp_path / "b", first)
    second.pull()
    first.save(2)
    second.save(3)
    first.push()
    assert second.push().entries == 3
    assert first.pull().entries == 3
    assert second.pull().entries == 2
    assert holds(first, first, second)
    assert holds(second, first, second)
    assert first.push().bytes == second.push().bytes == 0
    third = next_machine(tmp_path / "c", first)
    third.pull()
    assert holds(third, first, second)


def test_a_copied_home_does_not_lose_a_commit(tmp_path: Path, memory: Objects) -> None:
    """Two machines that took over the same notes push to the same branch: both arrive."""
    first = first_machine(tmp_path / "a", memory)
    first.push()
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    second = next_machine(tmp_path / "c", first)
    second.filled.folder = tmp_path / "b"
    first.save(2)
    second.save(2)
    first.push()
    second.push()
    third = next_machine(tmp_path / "d", first)
    third.pull()
    assert holds(third, first, second)


def test_what_is_collected_here_stays_there(tmp_path: Path, memory: Objects) -> None:
    """Collecting on one machine takes nothing from another that builds on it; a pull brings back
    what was collected where that is needed, and only there."""
    first = first_machine(tmp_path / "a", memory, segments=2, entries=4)
    first.push()
    second = next_machine(tmp_path / "b", first)
    second.pull()
    gone = list(first.filled.bodies)[:4]
    with first.open() as repository:
        with repository.transaction(exclusive=True) as tx:
            tx.expire(gone)
        assert collect(repository).segments_removed
    assert first.pull().segments == 0
    first.push()
    with second.open() as repository, repository.transaction() as tx:
        tx.add("checkpoint", keys=["history:h"], body={}, roots=tx.put(b"builds on nothing"))
    second.push()
    assert first.pull().segments == 1
    # Names content of what the first machine has collected.
    with second.open() as repository:
        names = next(iter(first.filled.links.values()))
        with repository.transaction() as tx:
            node = tx.put_node(b"built on it", names)
            made = tx.add("checkpoint", keys=["history:h"], body={}, roots=[node])
    second.push()
    assert first.pull().segments == 2
    with first.open() as repository:
        node_there = repository.get_node(repository.entry(made.id).roots[0])
        assert repository.get_blob(node_there.links)
    third = next_machine(tmp_path / "c", first)
    third.pull()
    with third.open() as repository:
        assert repository.get_node(repository.entry(made.id).roots[0]).body == b"built on it"


def test_another_stores_replica_is_refused(tmp_path: Path, memory: Objects) -> None:
    """Two stores never mix in one place."""
    first_machine(tmp_path / "a", memory).push()
    other = first_machine(tmp_path / "b", memory)
    with pytest.raises(Conflict, match="another store"):
        other.push()
    with pytest.raises(Conflict, match="another store"):
        other.pull()


def test_without_the_key_nothing_is_pulled(tmp_path: Path, memory: Objects) -> None:
    """The message says where the key goes; no store is begun."""
    first_machine(tmp_path / "a", memory).push()
    with pytest.raises(Denied, match="key of the store") as caught:
        found_store(tmp_path / "b", tmp_path / "keys", memory, QuickFiles())
    assert caught.value.code == "no_key" and str(tmp_path / "keys") in caught.value.hint
    assert not (tmp_path / "b").exists()


def test_nothing_is_pulled_into_a_store_that_would_hold_its_own_key(
    tmp_path: Path, memory: Objects
) -> None:
    """As where a store is made: each copy of it would carry what opens it. Nothing is made."""
    first = first_machine(tmp_path / "a", memory)
    first.push()
    store = tmp_path / "b" / "store"
    shutil.copytree(first.filled.folder / "keys", store / "keys")
    with pytest.raises(InvalidInput, match="inside the store"):
        found_store(store, store / "keys", memory, QuickFiles())
    assert [path.name for path in store.iterdir()] == ["keys"]


def test_no_replica_is_not_an_empty_one(tmp_path: Path, memory: Objects) -> None:
    """A pull from nowhere says so."""
    first = first_machine(tmp_path / "a", memory)
    with pytest.raises(NotFound, match="no replica"):
        first.pull()


def test_damage_here_is_not_pushed(tmp_path: Path, memory: Objects) -> None:
    """A store that does not read is told, and the replica stays whole."""
    first = first_machine(tmp_path / "a", memory, segments=2)
    segment = sorted((first.store / "segments").iterdir())[0]
    data = bytearray(segment.read_bytes())
    data[100] ^= 255
    segment.write_bytes(data)
    with pytest.raises(Integrity, match=segment.name):
        first.push()
    assert list(memory.find("refs/")) == []


def test_large_damage_here_is_not_pushed(tmp_path: Path, memory: Objects) -> None:
    """What is sent while it is still being compared counts for nothing where one bit of it is not
    what was written."""
    machine = first_machine(tmp_path / "a", memory, segments=0)
    with machine.open() as repository:
        for number in range(3):
            machine.filled.add(repository, parts=[noise(f"much {number}", 2_000_000)])
    [segment] = (machine.store / "segments").iterdir()
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    with pytest.raises(Integrity, match="Nothing was pushed"):
        machine.push()
    assert not memory.folders("refs/")
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    machine.push()
    other = next_machine(tmp_path / "b", machine)
    other.pull()
    assert holds(other, machine)


def test_a_killed_show_is_finished_at_the_next_open(tmp_path: Path, memory: Objects) -> None:
    """What a pull had brought and checked is not lost when it is killed at its last step."""
    first = first_machine(tmp_path / "a", memory, segments=3)
    first.push()
    second = next_machine(tmp_path / "b", first)

    class Killed(BaseException):
        pass

    class Files(QuickFiles):
        left = 2

        def rename(self, source: Path, target: Path) -> None:
            if target.parent.name == "segments" and not target.name.startswith("."):
                self.left -= 1
                if self.left < 0:
                    raise Killed
            super().rename(source, target)

    from jupyter_rewind.store.replica.pull import pull
    from jupyter_rewind.store.repository import Repository

    keys = second.filled.folder / "keys"
    found_store(second.store, keys, memory, QuickFiles())
    with (
        pytest.raises(Killed),
        Repository.open(second.store, key_folder=keys, files=Files()) as repository,
    ):
        pull(repository, memory, second.url)
    assert holds(second, first)


def test_a_push_sends_what_it_has_checked(tmp_path: Path) -> None:
    """The key is not changed while a push is under way: the replica would get bytes of the new key
    under the word of the old one, and nobody could pull it again."""
    place = tmp_path / "replica"
    place.mkdir()
    machine = first_machine(tmp_path / "a", FolderObjects(place, QuickFiles()))
    with machine.open() as repository:
        machine.filled.add(repository, parts=[noise("much", 2_000_000)])
        layout = repository.layout
    refused: list[Conflict] = []

    class Meanwhile(FolderObjects):
        def create(self, key: str, data: bytes | bytearray) -> bool:
            if key.startswith("packs/") and not refused:
                with pytest.raises(Conflict) as caught:
                    rotate(layout, tmp_path / "a/keys", QuickFiles(), lambda entry, *_: entry)
                refused.append(caught.value)
            return super().create(key, data)

    machine.objects = Meanwhile(place, QuickFiles())
    machine.push()
    assert "push" in refused[0].message and refused[0].retryable
    other = next_machine(tmp_path / "b", machine)
    other.pull()
    assert holds(other, machine)
    rotate(layout, tmp_path / "a/keys", QuickFiles(), lambda entry, *_: entry)


def test_what_was_moved_by_a_collect_is_not_years_behind(tmp_path: Path, memory: Objects) -> None:
    """Old checkpoints that are written anew here are in the replica already: it is behind since
    the last push at most."""
    years = 2 * 366 * 86_400
    hands = clock.FakeClock(clock.now_ns() - years * 10**9, seed=78)
    with clock.use(hands):
        machine = first_machine(tmp_path / "a", memory, segments=1, entries=6)
        hands.advance(years)
        machine.push()
        hands.advance(60)
        with machine.open() as repository:
            with repository.transaction(exclusive=True) as tx:
                tx.expire([next(iter(machine.filled.bodies))])
            collect(repository, threshold=0.0)
            found = compare(repository, machine.objects, machine.url)
    assert found.behind_bytes and found.oldest_ns is not None
    assert hands.time_ns - found.oldest_ns <= 61 * 10**9
