"""A replica that is damaged, and no machine has the store any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_rewind.errors import Integrity, RewindError, Unavailable
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.store.collect import collect
from jupyter_rewind.store.replica.check import check
from jupyter_rewind.store.replica.collecting import collect_replica
from jupyter_rewind.store.replica.folder import FolderObjects
from jupyter_rewind.store.replica.notes import read_notes
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.pull import found_store
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
    report = take_from(second, second.objects)
    salvage(second.store, second.filled.folder / "keys", files=QuickFiles())
    return second, report


def take_from(machine: Machine, objects: Objects) -> TakenReport:
    with machine.open() as repository:
        [report] = take_what_reads(repository, [objects])
    assert isinstance(report, TakenReport)
    return report


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
    assert take_from(second, second.objects).segments == 0
    first.save()
    first.push()
    first.save()
    first.push()
    files_of(place, "refs")[-2].unlink()
    third, report = take(tmp_path / "c", first)
    assert len(report.faults) == 1
    assert reading(third, saved) == [1, 2, 3, 4]


@pytest.fixture
def other(tmp_path: Path) -> Path:
    folder = tmp_path / "other"
    folder.mkdir()
    return folder


@pytest.fixture
def grown(first: Machine, other: Path) -> list[EntryId]:
    """Five checkpoints in one segment, each pushed by itself to two replicas; one fills a pack."""
    names = []
    second = FolderObjects(other, QuickFiles())
    with first.open() as repository:
        for number in range(5):
            body = noise(f"{number} 0", 60_000) + noise("more", 2_000_000) * (number == LARGE)
            with repository.transaction() as tx:
                node = tx.put_node(b"%d" % number, tx.put(body))
                names.append(tx.add("checkpoint", keys=["history:h"], body={}, roots=[node]).id)
            push(repository, first.objects, first.url)
            push(repository, second, "test://other")
    return names


def taken(machine: Machine, replicas: list[Objects]) -> list[TakenReport | RewindError]:
    """What a fresh machine has of these."""
    found_store(machine.store, machine.filled.folder / "keys", machine.objects, QuickFiles())
    with machine.open() as repository:
        return take_what_reads(repository, replicas)


@pytest.mark.parametrize("turned", [False, True])
def test_what_one_replica_lacks_comes_from_the_next(
    turned: bool, tmp_path: Path, place: Path, other: Path, first: Machine, grown: list[EntryId]
) -> None:
    """Two that lost something, each in another place, have all of it together: none takes a place
    with zeros, or with bytes that are damaged, which the other one can fill."""
    files_of(place, "refs")[1].unlink()
    spoil(max(files_of(place, "packs"), key=lambda each: each.stat().st_size), 1_000_000)
    files_of(other, "refs")[0].unlink()
    second = next_machine(tmp_path / "b", first)
    places = [other, place] if turned else [place, other]
    reports = taken(second, [FolderObjects(each, QuickFiles()) for each in places])
    for report in reports:
        assert isinstance(report, TakenReport)
        assert report.bytes and not report.missing_bytes and not report.ok
    assert reading(second, grown) == [0, 1, 2, 3, 4]


def test_one_replica_that_is_away_keeps_nothing_back(
    tmp_path: Path, place: Path, other: Path, first: Machine, grown: list[EntryId]
) -> None:
    """What the others have comes, and it is told of which that is not known; what it alone has
    comes when the store has been salvaged."""
    files_of(place, "refs")[1].unlink()
    files_of(other, "refs")[3].unlink()
    second = next_machine(tmp_path / "b", first)
    away = FolderObjects(other.rename(tmp_path / "away"), QuickFiles())
    told, report = taken(second, [FolderObjects(other, QuickFiles()), second.objects])
    assert isinstance(told, Unavailable)
    assert isinstance(report, TakenReport) and report.missing_bytes
    for replica in (away, None):
        salvage(second.store, second.filled.folder / "keys", files=QuickFiles())
        if replica is not None:
            assert take_from(second, replica).bytes
    assert reading(second, grown) == [0, 1, 2, 3, 4]


class Failing(FolderObjects):
    """A disk that has lost what lies under keys that begin so."""

    lost = "\0"

    def get(self, key: str) -> bytes:
        if key.startswith(self.lost):
            raise Unavailable(f"Could not read {key}: Input/output error.", retryable=True)
        return super().get(key)


@pytest.mark.parametrize("what", ["refs", "packs"])
def test_what_the_disk_does_not_read_costs_itself_alone(
    what: str, tmp_path: Path, place: Path, first: Machine, grown: list[EntryId]
) -> None:
    """One object that cannot be read while others can is told, here and by verify, and all else
    comes; where nothing reads any more, nothing is called lost."""
    paths = files_of(place, what)
    path = paths[2] if what == "refs" else max(paths, key=lambda each: each.stat().st_size)
    objects = Failing(place, QuickFiles())
    second = next_machine(tmp_path / "b", first)
    objects.lost = str(path.relative_to(place))
    [report] = taken(second, [objects])
    assert isinstance(report, TakenReport) and not report.ok
    [fault] = report.faults
    assert fault.key == objects.lost and "Input/output error" in fault.what
    salvage(second.store, second.filled.folder / "keys", files=QuickFiles())
    lost = 2 if what == "refs" else LARGE
    assert reading(second, grown) == [each for each in range(5) if each != lost]
    with second.open() as repository:
        found = check(repository.layout, repository.files, objects, read_share=1.0)
        assert any("Input/output error" in each.what for each in found.faults)
        objects.lost = ""
        with pytest.raises(Unavailable):
            check(repository.layout, repository.files, objects)


def test_the_newest_push_is_missed_where_others_build_on_it(
    tmp_path: Path, place: Path, first: Machine, grown: list[EntryId]
) -> None:
    """It leaves no gap in the numbers: salvage tells of it as verify does."""
    second = next_machine(tmp_path / "b", first)
    second.pull()
    second.save()
    second.push()
    with first.open() as repository:
        branch = read_notes(repository.layout, first.url).branch
    path = files_of(place, f"refs/{branch}")[-1]
    path.unlink()
    _, report = take(tmp_path / "c", first)
    told = [(each.key, each.what) for each in report.faults]
    assert told == [(path.relative_to(place).as_posix(), "missing; others build on it")]
    assert not report.ok
