"""Whoever reads the bucket, and whoever writes to it, without the store's key."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jupyter_rewind.errors import Integrity, RewindError
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.replica.check import check
from jupyter_rewind.store.replica.folder import FolderObjects
from jupyter_rewind.store.replica.standing import compare
from tests.support.replicas import Machine, first_machine, holds, next_machine
from tests.support.stores import QuickFiles

WORDS = b"The patient's name is Ada Lovelace. " * 40


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "replica"
    folder.mkdir()
    return folder


def machine_at(folder: Path, place: Path) -> Machine:
    return first_machine(folder, FolderObjects(place, QuickFiles()), entries=1)


def lies(place: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file())


def test_without_encryption_the_bucket_is_read_by_whoever_may(tmp_path: Path, place: Path) -> None:
    """It holds the segments as they are, and text in them is no more than packed."""
    machine = machine_at(tmp_path / "a", place)
    with machine.open() as repository:
        machine.filled.add(repository, parts=[b"Ada"])
    machine.push()
    with machine.open() as repository:
        [segment, *_] = [path.read_bytes() for path in repository.layout.segments.iterdir()]
    assert segment[:200] in lies(place)


def test_with_encryption_a_reader_sees_how_much_and_when(tmp_path: Path, place: Path) -> None:
    """The number of pushes, their sizes and times; and neither a word nor the key."""
    machine = machine_at(tmp_path / "a", place)
    for _ in range(3):
        with machine.open() as repository:
            machine.filled.add(repository, parts=[WORDS])
            key = repository.layout.key
        machine.push(sealed=True)
    refs = [path for path in (place / "refs").rglob("*") if path.is_file()]
    assert len(refs) == 3 and all(path.stat().st_mtime for path in refs)
    assert b"Lovelace" not in lies(place) and key not in lies(place)


def test_a_bucket_that_was_put_back_is_filled_again(tmp_path: Path, place: Path) -> None:
    """Whoever writes to the bucket can put an older state of it back. The machine that pushed
    finds it out with its next push, and all is there again."""
    machine = machine_at(tmp_path / "a", place)
    machine.push()
    shutil.copytree(place, tmp_path / "older")
    machine.save(3)
    machine.push()
    shutil.rmtree(place)
    shutil.copytree(tmp_path / "older", place)
    machine.save()
    machine.push()
    second = next_machine(tmp_path / "b", machine)
    second.pull()
    assert holds(second, machine)


@pytest.mark.parametrize("has_pushed", [False, True])
def test_who_had_pulled_more_fills_it_up(has_pushed: bool, tmp_path: Path, place: Path) -> None:
    """A machine that knows of pushes which were taken out tells that they are missing, and brings
    them back with its next push; nobody is sent to look for them in vain."""
    machine = machine_at(tmp_path / "a", place)
    machine.push()
    other = next_machine(tmp_path / "b", machine)
    other.pull()
    if has_pushed:
        other.save()
        other.push()
    shutil.copytree(place, tmp_path / "older")
    machine.save(3)
    machine.push()
    other.pull()
    shutil.rmtree(place)
    shutil.copytree(tmp_path / "older", place)
    with other.open() as repository:
        assert compare(repository, other.objects, other.url).behind_entries >= 3
    other.save()
    other.push()
    fresh = next_machine(tmp_path / "c", machine)
    fresh.pull()
    assert holds(fresh, machine, other)
    machine.save()
    machine.push()
    fresh.pull()
    assert holds(fresh, machine, other)


def test_a_fresh_machine_believes_an_older_state(tmp_path: Path, place: Path) -> None:
    """That much is not prevented: whole and signed, only old. Nothing that was pulled before is
    taken away by it."""
    machine = machine_at(tmp_path / "a", place)
    machine.push()
    shutil.copytree(place, tmp_path / "older")
    machine.save(3)
    machine.push()
    knows = next_machine(tmp_path / "b", machine)
    knows.pull()
    shutil.rmtree(place)
    shutil.copytree(tmp_path / "older", place)
    fresh = next_machine(tmp_path / "c", machine)
    assert fresh.pull().entries == 1
    knows.pull()
    assert holds(knows, machine)


def test_what_is_deleted_there_is_told_and_costs_nothing_here(tmp_path: Path, place: Path) -> None:
    """Verify finds it, a pull into a fresh machine is refused, and the store itself is whole."""
    machine = machine_at(tmp_path / "a", place)
    machine.push()
    machine.save()
    machine.push()
    first = sorted(path for path in (place / "refs").rglob("*") if path.is_file())[0]
    first.unlink()
    with machine.open() as repository:
        report = check(repository.layout, QuickFiles(), machine.objects, read_share=1.0)
    assert not report.ok
    with pytest.raises(RewindError):
        next_machine(tmp_path / "b", machine).pull()
    assert holds(machine, machine)


def test_another_users_replica_is_not_taken_for_ones_own(tmp_path: Path, place: Path) -> None:
    """All objects of another user's replica under one's own prefix: nothing of it is read in."""
    mine = machine_at(tmp_path / "a", place)
    mine.push()
    other = tmp_path / "other"
    other.mkdir()
    theirs = machine_at(tmp_path / "b", other)
    theirs.push()
    for path in (place / "refs").rglob("*"):
        if path.is_file():
            [stolen] = [each for each in (other / "refs").rglob("*") if each.is_file()]
            path.write_bytes(stolen.read_bytes())
    fresh = next_machine(tmp_path / "c", mine)
    with pytest.raises(Integrity):
        fresh.pull()


def test_the_key_of_one_store_opens_no_other(tmp_path: Path, place: Path) -> None:
    """Each user of a hub has a key of his own: with it, another one's replica stays closed."""
    mine = machine_at(tmp_path / "a", place)
    mine.push(sealed=True)
    other = tmp_path / "other"
    other.mkdir()
    theirs = machine_at(tmp_path / "b", other)
    with theirs.open() as repository:
        layout = repository.layout
    with mine.open() as repository:
        store_id = repository.layout.store_id
    posing = Layout(layout.folder, store_id, layout.key)
    with pytest.raises(Integrity, match="another key"):
        check(posing, QuickFiles(), mine.objects, read_share=1.0)
