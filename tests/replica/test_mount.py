"""A replica in the very folder where a disk is mounted, while the disk is away."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jupyter_rewind.beginning import Beginning
from jupyter_rewind.errors import Unavailable
from jupyter_rewind.faces.server.opening import Opening
from jupyter_rewind.remains import take_remains
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
from jupyter_rewind.workspace import Workspace
from tests.notebooks.support import make_notebook
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


@contextmanager
def dead(place: Path) -> Iterator[None]:
    """A share is mounted there whose server has died."""
    try:
        device = os.open("/dev/fuse", os.O_RDWR)
    except OSError:
        pytest.skip("nothing can be mounted here by a program")
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    failed = ctypes.CDLL(None).mount(b"share", str(place).encode(), b"fuse", 0, options)
    os.close(device)
    if failed:
        pytest.skip("nothing can be mounted here by a program")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


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


def test_a_disk_that_goes_while_it_is_read_is_missed_by_its_name(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a server reads then is not said to have been collected."""
    objects = FolderObjects(place)
    monkeypatch.setattr(bringing, "open_replica", lambda url: objects)
    with mounted(place):
        first = with_contents(tmp_path / "a", objects, count=2)
        other = next_machine(tmp_path / "b", first)
        other.pull(lazy=True)
        one, two = first.filled.bodies
        repository = other.open()
        assert first.filled.reads(repository, one)
    with repository, pytest.raises(Unavailable, match="Nothing is mounted"):
        first.filled.reads(repository, two)


def test_a_share_that_is_dead_is_not_called_away(machine: Machine, place: Path) -> None:
    """It is mounted, and the system says what is the matter with it; nothing crashes."""
    with dead(place):
        with pytest.raises(Unavailable, match="not connected"):
            machine.push()
        with machine.open() as repository, pytest.raises(Unavailable, match="not connected"):
            compare(repository, machine.objects, URL)
        with pytest.raises(Unavailable, match="not connected"):
            machine.objects.create("a", b"")


def test_an_old_copy_below_the_disk_is_not_the_replica(tmp_path: Path, place: Path) -> None:
    """The replica was moved to the disk, and has got more since; who moves it back pushes on."""
    machine = first_machine(tmp_path / "a", FolderObjects(place))
    machine.push()
    shutil.copytree(place, tmp_path / "copy")
    with mounted(place):
        shutil.copytree(tmp_path / "copy", place, dirs_exist_ok=True)
        machine.save()
        machine.push()
        shutil.copytree(place, tmp_path / "copy", dirs_exist_ok=True)
    with pytest.raises(Unavailable, match="Nothing is mounted"):
        machine.push()
    shutil.copytree(tmp_path / "copy", place, dirs_exist_ok=True)
    machine.save()
    assert machine.push().entries == 1


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


@pytest.fixture
def settings(tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> Rewind:
    """Of a machine that has no store yet."""
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    store, keys = tmp_path / "new" / "store", tmp_path / "new" / "keys"
    return Rewind(store_path=str(store), store_key_folder=str(keys), replica_url=place.as_uri())


def test_a_disk_is_missed_that_was_added_before_there_was_a_store(
    settings: Rewind, tmp_path: Path, place: Path
) -> None:
    """The first push does not go below it; the place of the store is for its user alone."""
    replicas = Replication(settings)
    with mounted(place):
        replicas.add(place.as_uri())
    assert Path(settings.store_path).stat().st_mode & 0o077 == 0
    with pytest.raises(Unavailable, match="Nothing is mounted"):
        Beginning(settings).found()
    with Workspace.open(settings) as workspace:
        (tmp_path / "a.ipynb").write_bytes(make_notebook("x = 1"))
        workspace.checkpoint(str(tmp_path / "a.ipynb"))
    with pytest.raises(Unavailable, match="Nothing is mounted"):
        replicas.push(place.as_uri())
    assert list(place.iterdir()) == []


def test_who_removes_it_before_there_is_a_store_means_the_folder_itself(
    settings: Rewind, place: Path
) -> None:
    """As where there is one."""
    replicas = Replication(settings)
    with mounted(place):
        replicas.add(place.as_uri())
    replicas.remove(place.as_uri())
    assert Beginning(settings).found() is None


def test_a_new_machine_waits_for_the_disk_that_it_knows(
    settings: Rewind, machine: Machine, place: Path
) -> None:
    """Its store is that of the key from the first save on, and every command says what it waits
    for, also after one that had to."""
    shutil.copytree(machine.filled.folder / "keys", settings.store_key_folder)
    replicas = Replication(settings)
    with mounted(place):
        machine.push()
        replicas.add(place.as_uri())
    opening = Opening(settings)
    opened = opening.workspace().repository.store_id
    opening.close()
    with machine.open() as repository:
        assert opened == repository.store_id
    for _ in range(2):
        with pytest.raises(Unavailable, match="Nothing is mounted"):
            Beginning(settings).adopt()
    assert Beginning(settings).is_due


def test_nothing_is_salvaged_from_below_it(added: Replication) -> None:
    """Nor is anybody told to push first, to a replica that is only away."""
    [url] = added.urls
    assert "Nothing is mounted" in str(take_remains(added, [url])[url])
