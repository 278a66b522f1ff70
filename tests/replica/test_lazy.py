"""Histories at once, contents as they are read: on a machine that pulled lazily nothing is lost,
nothing is taken for damage, and what a save needs is here."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.errors import Conflict, Unavailable
from jupyter_rewind.store import locks
from jupyter_rewind.store.collect import collect
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.partial import read_partial
from jupyter_rewind.store.replica.filling import Filled as Brought
from jupyter_rewind.store.replica.filling import fill
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.rotation import rotate
from jupyter_rewind.store.salvage import salvage
from jupyter_rewind.store.stats import stats
from jupyter_rewind.store.verify import verify
from tests.support.replicas import (
    Line,
    Machine,
    fresh,
    holds,
    lead_through,
    next_machine,
    with_contents,
)
from tests.support.stores import noise


@pytest.fixture
def line(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """The way to an empty place of each kind, for whoever opens a replica by its address, too."""
    line = Line(objects)
    lead_through(line, monkeypatch)
    return line


only_memory = pytest.mark.parametrize("objects", ["memory"], indirect=True)


def fill_all(machine: Machine) -> Brought:
    with machine.open() as repository:
        return fill(repository.layout, repository.files, machine.objects)


def test_histories_are_there_at_once_and_contents_come_as_they_are_read(
    tmp_path: Path, line: Line
) -> None:
    """A pull fetches what histories are listed and searched by; each content comes, byte for
    byte, when it is read, and what was read is read without the replica."""
    first, second = fresh(tmp_path, line, count=4)
    size = sum(len(part) for parts in first.filled.parts.values() for part in parts)
    assert line.read_bytes < size / 20
    with second.open() as repository:
        assert {entry.id for entry in repository.entries()} == set(first.filled.bodies)
        for name, root in first.filled.roots.items():
            assert repository.get_node(root).body == first.filled.bodies[name]
        assert stats(repository).absent_bytes > 700_000
        for name in first.filled.bodies:
            assert first.filled.reads(repository, name)
        assert stats(repository).absent_bytes == 0
        line.cut()
        repository.forget_read()
        assert all(first.filled.reads(repository, name) for name in first.filled.bodies)
    line.mend()
    fill_all(second)
    assert not (second.store / "partial").exists()
    assert holds(second, first)


def test_all_that_is_missing_comes_at_once_where_it_is_asked_for(
    tmp_path: Path, line: Line
) -> None:
    """A store that was filled needs the replica for nothing any more."""
    first, second = fresh(tmp_path, line, count=4)
    with second.open() as repository:
        lacking = set(read_partial(repository.layout))
    assert len(lacking) == 4
    assert fill_all(second).bytes > 700_000
    line.cut()
    assert not (second.store / "partial").exists()
    assert holds(second, first)


@only_memory
def test_one_content_is_fetched_without_the_others(tmp_path: Path, line: Line) -> None:
    """Reading one content of a large store fetches it and little more."""
    first = with_contents(tmp_path / "first", line, count=1)
    with first.open() as repository:
        name = first.filled.add(repository, parts=[noise("very large", 12_000_000)])
    first.push()
    second = next_machine(tmp_path / "second", first)
    second.pull(lazy=True)
    with second.open() as repository:
        repository.get(first.filled.links[name][5])
        line.read_bytes = 0
        repository.get(first.filled.links[name][-1])
    assert 0 < line.read_bytes < 1_500_000


@only_memory
def test_where_the_replica_cannot_be_reached_that_is_said(tmp_path: Path, line: Line) -> None:
    """Contents that are not here are neither damaged nor empty; all else is as ever."""
    first, second = fresh(tmp_path, line, count=4)
    name = next(iter(first.filled.bodies))
    line.cut()
    with second.open() as repository:
        assert len(repository.entries()) == len(first.filled.bodies)
        with pytest.raises(Unavailable, match="still only in the replica test://replica") as told:
            first.filled.reads(repository, name)
        assert (told.value.code, told.value.retryable) == ("absent", True)
        assert "Nothing is lost" in told.value.hint
        for read_data in (False, True):
            report = verify(repository, read_data=read_data)
            assert report.ok
            assert report.absent_bytes > 700_000
        assert second.filled.reads(repository, second.filled.add(repository))
    line.mend()
    with second.open() as repository:
        assert first.filled.reads(repository, name)


@only_memory
def test_a_save_does_not_build_on_what_is_not_here(tmp_path: Path, line: Line) -> None:
    """Content that a save has in hand is stored again, though the replica has it; without asking
    the replica."""
    first, second = fresh(tmp_path, line, count=4)
    parts = next(iter(first.filled.parts.values()))
    line.cut()
    with second.open() as repository:
        name = second.filled.add(repository, parts=parts)
        for each in first.filled.roots.values():
            assert repository.get_node(each)
        assert second.filled.reads(repository, name)


@only_memory
def test_what_is_only_named_is_fetched_before_it_is_named(tmp_path: Path, line: Line) -> None:
    """An entry never leads to contents that the replica alone has; where they cannot be fetched,
    nothing is committed."""
    first, second = fresh(tmp_path, line, count=4)
    content = next(iter(first.filled.links.values()))[0]
    line.cut()
    with second.open() as repository:
        before = len(repository.entries())
        with pytest.raises(Unavailable), repository.transaction() as tx:
            tx.add("note", keys=["k"], body={}, roots=[content])
        assert len(repository.entries()) == before
    line.mend()
    with second.open() as repository:
        with repository.transaction() as tx:
            tx.add("note", keys=["k"], body={}, roots=[content])
        line.cut()
        repository.forget_read()
        assert repository.get(content)


@only_memory
def test_collecting_keeps_what_is_alive_and_not_here(tmp_path: Path, line: Line) -> None:
    """Expire and collect work on a store that lacks contents: what stays can be read afterwards,
    and what is not here is not taken for damage or garbage."""
    first, second = fresh(tmp_path, line, count=4)
    gone, *rest = first.filled.bodies
    with second.open() as repository:
        with repository.transaction(exclusive=True) as tx:
            tx.expire([gone])
        report = collect(repository)
        assert report.segments_removed == 1
        first.filled.forget(gone)
        assert verify(repository, read_data=True).ok
        assert all(first.filled.reads(repository, name) for name in rest)
    fill_all(second)
    assert holds(second, first)


@only_memory
def test_collecting_without_the_replica_removes_nothing_that_it_needs(
    tmp_path: Path, line: Line
) -> None:
    """What would have to move and cannot be fetched stays where it is, and so does all else."""
    first, second = fresh(tmp_path, line, count=4)
    gone, *rest = first.filled.bodies
    with second.open() as repository:
        with repository.transaction(exclusive=True) as tx:
            tx.expire([gone])
        line.cut()
        with pytest.raises(Unavailable):
            collect(repository, must=list(read_partial(repository.layout)))
        line.mend()
        first.filled.forget(gone)
        assert all(first.filled.reads(repository, name) for name in rest)


@only_memory
def test_another_replica_gets_everything(tmp_path: Path, line: Line) -> None:
    """A store that lacks contents is pushed whole: what it lacks is fetched first."""
    first, second = fresh(tmp_path, line, count=4)
    from obstore.store import MemoryStore

    from jupyter_rewind.store.replica.cloud import CloudObjects

    second.objects, second.url = CloudObjects(MemoryStore(), "other"), "test://other"
    second.push()
    third = next_machine(tmp_path / "third", second)
    third.pull()
    assert holds(third, first)


@only_memory
def test_what_was_collected_there_meanwhile_is_given_up_here(tmp_path: Path, line: Line) -> None:
    """Another machine expires and collects while contents are not here: what is alive stands
    elsewhere then and is brought, what this machine made of its own stays, and both push on."""
    from jupyter_rewind.store.replica.collecting import collect_replica

    first, second = fresh(tmp_path, line, count=4)
    gone, kept, *_ = first.filled.bodies
    with second.open() as repository:
        # Read here, and used here: what it needs may not go with what the other one collects.
        assert first.filled.reads(repository, kept)
    name = None
    with second.open() as repository:
        name = second.filled.add(repository, parts=first.filled.parts[kept])
    with first.open() as repository:
        with repository.transaction(exclusive=True) as tx:
            tx.expire([gone])
        collect(repository, must=[p.name for p in repository.layout.segments.iterdir()])
        collect_replica(repository, line, first.url)
    first.filled.forget(gone)
    second.push()
    second.pull(lazy=True)
    second.push()
    with second.open() as repository:
        assert second.filled.reads(repository, name)
        assert all(first.filled.reads(repository, each) for each in first.filled.bodies)
        assert verify(repository, read_data=True).ok
    first.pull()
    assert holds(first, first, second)
    third = next_machine(tmp_path / "third", first)
    third.pull()
    assert holds(third, first, second)


@only_memory
def test_a_segment_that_grows_keeps_what_it_has(tmp_path: Path, line: Line) -> None:
    """A later pull brings what is new, and neither loses nor fetches again what was read."""
    first = with_contents(tmp_path / "first", line, count=1)
    second = next_machine(tmp_path / "second", first)
    with first.open() as repository:
        names = [first.filled.add(repository, parts=[noise("one", 700_000)])]
        first_push = first.push()
        assert first_push.segments == 1
        assert second.pull(lazy=True).absent_bytes > 600_000
        with second.open() as other:
            assert first.filled.reads(other, names[0])
        names.append(first.filled.add(repository, parts=[noise("two", 800_000)]))
        first.push()
    second.pull(lazy=True)
    with second.open() as other:
        line.cut()
        assert first.filled.reads(other, names[0])
        line.mend()
        assert first.filled.reads(other, names[1])
    second.pull()
    fill_all(second)
    assert holds(second, first)


@only_memory
def test_many_readers_fill_the_same_holes(tmp_path: Path, line: Line) -> None:
    """Several that read, and one that brings everything, at one time: each reads what was put."""
    first, second = fresh(tmp_path, line, count=4)
    failed: list[BaseException] = []

    def read() -> None:
        try:
            with second.open() as repository:
                for name in first.filled.bodies:
                    assert first.filled.reads(repository, name)
        except BaseException as error:
            failed.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for each in readers:
        each.start()
    fill_all(second)
    for each in readers:
        each.join()
    assert not failed
    assert holds(second, first)


@only_memory
def test_a_full_disk_is_no_reason_not_to_read(tmp_path: Path, line: Line) -> None:
    """What cannot be written into its place is read all the same."""

    class Full(Files):
        def open_again(self, path: Path) -> int:
            raise Unavailable("No room.")

    first, second = fresh(tmp_path, line, count=4)
    with Repository.open(
        second.store, key_folder=second.filled.folder / "keys", files=Full()
    ) as repository:
        assert all(first.filled.reads(repository, name) for name in first.filled.bodies)
    with second.open() as repository:
        assert stats(repository).absent_bytes > 700_000


@only_memory
def test_what_needs_all_contents_says_so(tmp_path: Path, line: Line) -> None:
    """Another key, or another store, need everything; a salvage in place has nothing to do."""
    first, second = fresh(tmp_path, line, count=4)
    keys = second.filled.folder / "keys"
    with pytest.raises(Conflict, match="in a replica alone"):
        salvage(second.store, key_folder=keys, into=tmp_path / "into")
    with second.open() as repository:
        layout, files = repository.layout, repository.files
    with pytest.raises(Conflict, match="in a replica alone"):
        rotate(layout, keys, files, lambda entry, old, new: entry)
    assert not salvage(second.store, key_folder=keys).changed
    fill_all(second)
    assert holds(second, first)


@only_memory
def test_what_came_from_versions_without_outlines_is_fetched_whole(
    tmp_path: Path, line: Line
) -> None:
    """An outline is never needed, and one that is damaged counts as none."""
    first = with_contents(tmp_path / "first", line)
    outlines = [each.key for each in line.find("outlines/")]
    assert outlines
    line.garbled = ("outlines/",)
    second = next_machine(tmp_path / "second", first)
    assert second.pull(lazy=True).absent_bytes == 0
    assert holds(second, first)
    line.mend()
    for key in outlines:
        line.delete(key)
    third = next_machine(tmp_path / "third", first)
    assert third.pull(lazy=True).absent_bytes == 0
    assert holds(third, first)


@only_memory
def test_where_there_are_no_locks_everything_comes_at_once(
    tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What two processes would note of missing payloads could be lost there."""

    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    first = with_contents(tmp_path / "first", line, count=2)
    second = next_machine(tmp_path / "second", first)
    calls = locks._system_calls(unsupported, (1, 2), 8)
    monkeypatch.setattr(locks, "_calls", lambda: calls)
    assert second.pull(lazy=True).absent_bytes == 0
    assert holds(second, first)
