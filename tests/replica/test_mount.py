"""A replica in the very folder where a disk is mounted, while the disk is away."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jupyter_rewind.errors import Unavailable
from jupyter_rewind.replication import Replication
from jupyter_rewind.settings import Rewind
from jupyter_rewind.store.partial import read_partial
from jupyter_rewind.store.replica import bringing
from jupyter_rewind.store.replica.check import check
from jupyter_rewind.store.replica.collecting import collect_replica
from jupyter_rewind.store.replica.folder import FolderObjects
from jupyter_rewind.store.replica.notes import forget_address
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.replica.pull import pull
from jupyter_rewind.store.replica.standing import compare
from jupyter_rewind.store.replica.wholeness import make_whole
from jupyter_rewind.store.repository import Repository
from tests.support.replicas import (
    URL,
    Machine,
    first_machine,
    holds,
    next_machine,
    with_contents,
)


@contextmanager
def mounted(place: Path) -> Iterator[None]:
    """A disk is there, and away afterwards."""
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield
    finally:
        while os.path.ismount(place):
            subprocess.run(["umount", str(place)], check=True)


@contextmanager
def bound(place: Path, other: Path) -> Iterator[None]:
    """What is mounted at one place is at the other, too."""
    subprocess.run(["mount", "--bind", str(place), str(other)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(other)], check=True)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The folder that a disk is mounted at."""
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk"


@pytest.fixture
def machine(tmp_path: Path, place: Path) -> Machine:
    """It has pushed to the disk, and has saved since."""
    made = first_machine(tmp_path / "a", FolderObjects(place))
    with mounted(place):
        made.push()
    made.save()
    return made


def test_a_disk_that_is_not_mounted_is_no_empty_replica(machine: Machine, place: Path) -> None:
    """Nothing is pushed below it, onto this machine's own disk, and status says why."""
    with pytest.raises(Unavailable, match="Nothing is mounted"):
        machine.push()
    with machine.open() as repository, pytest.raises(Unavailable, match="Nothing is mounted"):
        compare(repository, machine.objects, URL)
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    "ask",
    [
        lambda store, objects: pull(store, objects, URL),
        lambda store, objects: check(store.layout, store.files, objects, url=URL),
        lambda store, objects: collect_replica(store, objects, URL),
        lambda store, objects: collect_replica(store, objects, URL, dry_run=True),
    ],
    ids=["pull", "verify", "collect", "dry-run"],
)
def test_whatever_is_asked_of_it_is_told_the_same(
    machine: Machine, ask: Callable[[Repository, FolderObjects], object]
) -> None:
    """Nobody is told to push to a replica that is only away."""
    with machine.open() as repository, pytest.raises(Unavailable, match="Nothing is mounted"):
        ask(repository, FolderObjects(Path(machine.objects.place)))


def test_a_disk_that_was_only_pulled_from_is_missed(tmp_path: Path, place: Path) -> None:
    """The other machine's first push goes to the disk, or nowhere."""
    first = first_machine(tmp_path / "a", FolderObjects(place))
    other = next_machine(tmp_path / "b", first)
    with mounted(place):
        first.push()
        other.pull()
    other.save()
    with pytest.raises(Unavailable, match="Nothing is mounted"):
        other.push()
    assert list(place.iterdir()) == []


def test_contents_that_are_on_a_disk_alone_are_missed_by_its_name(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads them, or would have them all, is told that the disk is away."""
    objects = FolderObjects(place)
    monkeypatch.setattr(bringing, "open_replica", lambda url: objects)
    with mounted(place):
        first = with_contents(tmp_path / "a", objects, count=4)
        other = next_machine(tmp_path / "b", first)
        other.pull(lazy=True)
    with other.open() as repository:
        name = next(iter(first.filled.bodies))
        with pytest.raises(Unavailable, match="Nothing is mounted"):
            first.filled.reads(repository, name)
        with pytest.raises(Unavailable, match="Nothing is mounted"):
            make_whole(repository, [*read_partial(repository.layout)], objects, URL, Pace())


def lose_in_push(place: Path, monkeypatch: pytest.MonkeyPatch, *command: str) -> None:
    """Where the ref would be made, the command is done, and the push goes on if that went well."""
    create = FolderObjects.create

    def lose(self: FolderObjects, key: str, data: bytes | bytearray) -> bool:
        if key.startswith("refs/"):
            monkeypatch.undo()
            if subprocess.run([*command, str(place)], check=False).returncode:
                raise Unavailable("It broke.")
        return create(self, key, data)

    monkeypatch.setattr(FolderObjects, "create", lose)


def test_a_disk_is_missed_whose_first_push_did_not_end(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was begun there is not begun anew below it."""
    machine = first_machine(tmp_path / "a", FolderObjects(place))
    lose_in_push(place, monkeypatch, "false")
    with mounted(place), pytest.raises(Unavailable, match="It broke"):
        machine.push()
    with pytest.raises(Unavailable, match="Nothing is mounted"):
        machine.push()
    assert list(place.iterdir()) == []


def test_a_disk_that_drops_out_in_a_push_is_told(
    machine: Machine, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What went below it is not taken for pushed: it goes to the disk when that is back."""
    image = place.parent / "again"
    image.mkdir()
    with mounted(place):
        machine.push()
        machine.save()
        with bound(place, image):
            lose_in_push(place, monkeypatch, "umount", "--lazy")
            for _ in range(2):
                with pytest.raises(Unavailable, match="Nothing is mounted"):
                    machine.push()
            subprocess.run(["mount", "--bind", str(image), str(place)], check=True)
            assert machine.push().entries == 1


@pytest.fixture
def added(tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> Replication:
    """Of a store that has saved; its replica is on the disk, as it is added."""
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    folder = first_machine(tmp_path / "a", FolderObjects(place)).filled.folder
    settings = {"store_path": str(folder / "store"), "store_key_folder": str(folder / "keys")}
    with mounted(place):
        Replication(Rewind(**settings)).add(place.as_uri())
    return Replication(Rewind(**settings, replica_url=place.as_uri()))


def test_a_disk_that_was_there_when_it_was_added_is_missed(added: Replication, place: Path) -> None:
    """Nothing was pushed to it yet."""
    [url] = added.urls
    with pytest.raises(Unavailable, match="Nothing is mounted"):
        added.push(url)
    assert list(place.iterdir()) == []


def test_adding_it_again_is_enough(added: Replication, tmp_path: Path, place: Path) -> None:
    """Where the address was set in another place than the user's settings, nothing was removed."""
    for file in (tmp_path / "config").iterdir():
        file.unlink()
    added.add(place.as_uri())
    [url] = added.urls
    assert added.push(url).entries


def test_another_disk_gets_everything(machine: Machine, place: Path, tmp_path: Path) -> None:
    """A new disk in its place is a new replica."""
    with mounted(place):
        machine.push()
        other = next_machine(tmp_path / "b", machine)
        other.pull()
        assert holds(other, machine)


def test_who_adds_it_again_means_the_folder_itself(
    machine: Machine, place: Path, tmp_path: Path
) -> None:
    """Taken out of the settings, nobody looks for the disk any more."""
    with machine.open() as repository:
        forget_address(repository.layout, URL, repository.files)
    machine.push()
    other = next_machine(tmp_path / "b", machine)
    other.pull()
    assert holds(other, machine)
