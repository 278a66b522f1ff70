"""What a store knows of contents that a replica alone has is lost, or does not read: nothing is
taken for whole, what is here is read and saved as ever, and a pull finds out."""

from __future__ import annotations

from pathlib import Path

import pytest
from obstore.store import MemoryStore

from jupyter_rewind.errors import Integrity, Unavailable
from jupyter_rewind.replication import mending_command
from jupyter_rewind.store.partial import ABSENT, UNKNOWN, read_partial
from jupyter_rewind.store.replica import bringing, forwarding
from jupyter_rewind.store.replica.cloud import CloudObjects
from jupyter_rewind.store.replica.filling import fill
from jupyter_rewind.store.replica.forwarding import State
from jupyter_rewind.store.salvage import salvage
from jupyter_rewind.store.verify import verify
from tests.support.forwarders import DEADLINE_SECONDS, Running
from tests.support.replicas import Line, Machine, fresh, holds, with_contents
from tests.support.stores import QuickFiles, noise, segment_files

WAYS = pytest.mark.parametrize("way", ["gone", "gone with the index", "garbled", "says too little"])


def spoil(machine: Machine, way: str) -> None:
    """What is known of missing contents is not, any more."""
    path = machine.store / "partial"
    if way.startswith("gone"):
        path.unlink()
        for each in machine.store.glob("index*") if "index" in way else ():
            each.unlink()
    elif way == "garbled":
        path.write_bytes(b"{")
    else:
        path.write_bytes(b'{"format":1,"segments":{}}')


@WAYS
@pytest.mark.parametrize("lazy", [True, False])
def test_a_pull_finds_out_what_is_missing(tmp_path: Path, line: Line, way: str, lazy: bool) -> None:
    """Whatever became of the note: after a pull the store knows what it lacks, though somebody has
    read or verified meanwhile, and taken holes for damage; and then all of it comes."""
    first, second = fresh(tmp_path, line)
    with second.open() as repository:
        known = read_partial(repository.layout)
    spoil(second, way)
    with second.open() as repository:
        assert not verify(repository, read_data=True).ok
        for name in first.filled.bodies:
            with pytest.raises((Integrity, Unavailable)):
                first.filled.reads(repository, name)
    second.pull(lazy=lazy)
    with second.open() as repository:
        assert read_partial(repository.layout) == known
        report = verify(repository, read_data=True)
        assert report.ok and report.absent_bytes > 700_000, report.damages
        assert fill(repository.layout, repository.files, line).bytes > 700_000
    line.cut()
    assert holds(second, first)


@WAYS
@pytest.mark.parametrize("asked", ["one", "other"])
def test_each_hole_is_looked_for_in_a_replica_that_has_it(
    tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch, way: str, asked: str
) -> None:
    """Contents came from two replicas, and one has not what the other has: whichever is pulled
    from first, what is missing is read from where it lies."""
    first, second = fresh(tmp_path, line)
    other = Machine(first.filled, Line(CloudObjects(MemoryStore(), "other")), "test://other")
    with first.open() as repository:
        first.filled.add(repository, parts=[noise("in the other alone", 300_000)])
    other.push()
    elsewhere = Machine(second.filled, other.objects, other.url)
    elsewhere.pull(lazy=True)
    with second.open() as repository:
        known = read_partial(repository.layout)
        assert set(known.values()) == {first.url, other.url}
    spoil(second, way)
    (second if asked == "one" else elsewhere).pull(lazy=True)
    places = {first.url: line, other.url: other.objects}
    monkeypatch.setattr(bringing, "open_replica", places.__getitem__)
    with second.open() as repository:
        found = read_partial(repository.layout)
        assert found.keys() == known.keys()
        assert all(first.filled.reads(repository, name) for name in first.filled.bodies)


def test_where_the_note_does_not_read_what_is_here_is_read_and_saved(
    tmp_path: Path, line: Line
) -> None:
    """One bad file costs itself alone: what was read before reads, saves go on, and store again
    what is not here. What is not here is neither damaged nor empty, and the way out is told."""
    first, second = fresh(tmp_path, line)
    here, away, *_ = first.filled.bodies
    with second.open() as repository:
        assert first.filled.reads(repository, here)
    spoil(second, "garbled")
    line.cut()
    with second.open() as repository:
        assert first.filled.reads(repository, here)
        with pytest.raises(Unavailable, match="replica pull") as told:
            first.filled.reads(repository, away)
        assert told.value.code == ABSENT
        again = second.filled.add(repository, parts=first.filled.parts[away])
        assert second.filled.reads(repository, again)
        report = verify(repository, read_data=True)
        assert [damage.segment for damage in report.damages] == [""]
        assert "partial does not read" in report.damages[0].what
    line.mend()
    with pytest.raises(Integrity, match="does not read") as refused:
        second.push()
    assert refused.value.code == UNKNOWN
    assert mending_command(refused.value, second.url) == "jupyter rewind replica pull"
    second.pull(lazy=True)
    second.push()
    with second.open() as repository:
        fill(repository.layout, repository.files, line)
    assert holds(second, first, second)


def test_damage_that_no_replica_has_is_not_taken_for_missing(tmp_path: Path, line: Line) -> None:
    """Own work that was never pushed and does not read is damage, whatever the note says."""
    _, second = fresh(tmp_path, line)
    with second.open() as repository:
        before = set(segment_files(second.filled))
        second.filled.add(repository, parts=[noise("own", 90_000)])
    [own] = set(segment_files(second.filled)) - before
    with own.open("r+b") as file:
        file.seek(60_000)
        file.write(bytes(5000))
    spoil(second, "garbled")
    second.pull(lazy=True)
    with second.open() as repository:
        assert own.name not in read_partial(repository.layout)
        assert not verify(repository, read_data=True).ok


def test_a_salvage_gives_up_nothing_that_a_replica_was_seen_to_have(
    tmp_path: Path, line: Line
) -> None:
    """Somebody salvages a store whose note is gone: segments with holes are left alone, and what to
    do is told; a pull still brings all of it."""
    first, second = fresh(tmp_path, line)
    spoil(second, "gone")
    keys = second.filled.folder / "keys"
    report = salvage(second.store, key_folder=keys, files=QuickFiles())
    assert len(report.skipped) == 3 and not report.set_aside
    assert all("replica pull" in why for _, why in report.skipped)
    second.pull(lazy=True)
    with second.open() as repository:
        fill(repository.layout, repository.files, line)
    assert second_reads_all(first, second)


def test_what_was_given_up_comes_back_with_the_replica(tmp_path: Path, line: Line) -> None:
    """A replica that seemed lost for good is there again after a salvage without it: a pull brings
    what that gave up."""
    first, second = fresh(tmp_path, line)
    keys = second.filled.folder / "keys"
    report = salvage(second.store, key_folder=keys, files=QuickFiles(), without_replicas=True)
    assert report.lost and len(report.set_aside) == 3
    assert not salvage(second.store, key_folder=keys, files=QuickFiles()).changed
    second.pull()
    assert second_reads_all(first, second)


def second_reads_all(first: Machine, second: Machine) -> bool:
    with second.open() as repository:
        report = verify(repository, read_data=True)
        assert report.ok, report.damages
        return all(first.filled.reads(repository, name) for name in first.filled.bodies)


def test_contents_that_end_in_zeros_are_not_taken_for_missing(tmp_path: Path, line: Line) -> None:
    """A store that lacks nothing is not called one that does, and nothing of it is fetched."""
    first = with_contents(tmp_path / "first", line, count=1)
    with first.open() as repository:
        first.filled.add(repository, parts=[noise("head", 9_000) + bytes(3000)])
    first.push()
    first.pull()
    assert not (first.store / "partial").exists()


def test_a_server_finds_out_by_itself(
    tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a server runs, a note that does not read is made anew, and all that is missing
    comes."""
    monkeypatch.setattr(forwarding, "LONGEST_PAUSE_SECONDS", 0.05)
    first, second = fresh(tmp_path, line)
    second.push()
    spoil(second, "garbled")
    running = Running(second)
    running.forwarder.start()
    try:
        running.until(lambda: not (second.store / "partial").exists())
        running.until(lambda: running.account.state is State.CURRENT)
    finally:
        running.forwarder.end()
        assert running.forwarder.join(DEADLINE_SECONDS)
    line.cut()
    assert holds(second, first)
