"""A replica in the very folder where a disk is mounted, while the disk is away."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jupyter_rewind.errors import Unavailable
from jupyter_rewind.store.replica.folder import FolderObjects
from jupyter_rewind.store.replica.notes import forget_address
from jupyter_rewind.store.replica.standing import compare
from tests.support.replicas import URL, Machine, first_machine, holds, next_machine


@contextmanager
def mounted(place: Path) -> Iterator[None]:
    """A disk is there, and away afterwards."""
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


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
