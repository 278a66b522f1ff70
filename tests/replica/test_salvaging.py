"""A replica that is damaged, and no machine has the store any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_rewind.errors import Integrity
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.store.collect import collect
from jupyter_rewind.store.replica.collecting import collect_replica
from jupyter_rewind.store.replica.folder import FolderObjects
from jupyter_rewind.store.replica.push import push
from jupyter_rewind.store.replica.salvaging import TakenReport, take_what_reads
from jupyter_rewind.store.salvage import salvage
from jupyter_rewind.store.verify import verify
from tests.support.replicas import Machine, first_machine, next_machine
from tests.support.stores import QuickFiles, noise

LARGE = 3


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "replica"
    folder.mkdir()
    return folder


@pytest.fixture(params=[False, True], ids=["plain", "sealed"])
def sealed(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def first(tmp_path: Path, place: Path) -> Machine:
    return first_machine(tmp_path / "a", FolderObjects(place, QuickFiles()), segments=0)


@pytest.fixture
def saved(first: Machine, sealed: bool) -> list[EntryId]:
    """Five checkpoints, each of which was pushed by itself; one fills a pack."""
    names = []
    for number in range(5):
        size = 40 if number == LARGE else 1
        with first.open() as repository:
            with repository.transaction() as tx:
                links = [
                    name
                    for part in range(size)
                    for name in tx.put(noise(f"{number} {part}", 60_000))
                ]
                node = tx.put_node(b"%d" % number, links)
                names.append(tx.add("checkpoint", keys=["history:h"], body={}, roots=[node]).id)
            push(repository, first.objects, first.url, sealed=sealed)
    return names


def take(folder: Path, first: Machine) -> tuple[Machine, TakenReport]:
    """What a fresh machine has after a salvage of its store."""
    second = next_machine(folder, first)
    with pytest.raises(Integrity):
        second.pull()
    with second.open() as repository:
        report = take_what_reads(repository, second.objects)
    salvage(second.store, second.filled.folder / "keys", files=QuickFiles())
    return second, report


def reading(machine: Machine, saved: list[EntryId]) -> list[int]:
    """The checkpoints that read whole, by their numbers; all others are known to be lost."""
    with machine.open() as repository:
        report = verify(repository, read_data=True)
        assert all(each.salvaged for each in report.damages)
        there = {entry.id for entry in repository.entries()} - {*report.known_losses}
        found = [number for number, name in enumerate(saved) if name in there]
        for number in found:
            node = repository.get_node(repository.entry(saved[number]).roots[0])
            assert node.body == b"%d" % number
            assert repository.get_blob(node.links).startswith(noise(f"{number} 0", 60_000))
        return found


def files_of(place: Path, prefix: str) -> list[Path]:
    return sorted(path for path in (place / prefix).rglob("*") if path.is_file())


def spoil(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("number", [0, 2, LARGE])
@pytest.mark.parametrize("way", ["gone", "spoiled"])
def test_one_lost_push_costs_itself_alone(
    number: int, way: str, tmp_path: Path, place: Path, first: Machine, saved: list[EntryId]
) -> None:
    """A pull refuses all of it; so, all else comes, and what was lost is named."""
    path = files_of(place, "refs")[number]
    if way == "gone":
        path.unlink()
    else:
        spoil(path, -40)
    second, report = take(tmp_path / "b", first)
    assert [each.key for each in report.faults] == [str(path.relative_to(place))]
    assert reading(second, saved) == [each for each in range(5) if each != number]


def test_a_pack_that_is_gone_or_damaged_costs_what_was_in_it(
    tmp_path: Path, place: Path, first: Machine, saved: list[EntryId], sealed: bool
) -> None:
    """In a replica in the clear a damaged pack is read all the same: its tags tell what fits."""
    path = max(files_of(place, "packs"), key=lambda each: each.stat().st_size)
    others = [each for each in range(5) if each != LARGE]
    spoil(path, 1_000_000)
    for outline in files_of(place, "outlines"):
        outline.unlink()
    second, report = take(tmp_path / "b", first)
    assert reading(second, saved) == others and not report.ok
    assert bool(report.missing_bytes) == sealed
    path.unlink()
    third, report = take(tmp_path / "c", first)
    assert reading(third, saved) == others and report.missing_bytes > 1_000_000


def test_what_was_collected_there_is_no_loss(
    tmp_path: Path, place: Path, first: Machine, saved: list[EntryId], sealed: bool
) -> None:
    """Of a replica that was collected all comes, but for what is damaged; what is here stays."""
    with first.open() as repository:
        with repository.transaction(exclusive=True) as tx:
            tx.expire(saved[:1])
        collect(repository, threshold=0.0)
        collect_replica(repository, first.objects, first.url, sealed=sealed)
    second = next_machine(tmp_path / "b", first)
    second.pull()
    with second.open() as repository:
        assert take_what_reads(repository, second.objects).segments == 0
    first.save()
    first.push()
    first.save()
    first.push()
    files_of(place, "refs")[-2].unlink()
    third, report = take(tmp_path / "c", first)
    assert len(report.faults) == 1
    assert reading(third, saved) == [1, 2, 3, 4]
