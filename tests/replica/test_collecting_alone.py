"""A replica is collected by a server itself; and by a process that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jupyter_rewind.errors import Denied, Unavailable
from jupyter_rewind.store.replica import collecting, settling
from jupyter_rewind.store.replica.collecting import (
    is_worth_collecting,
)
from jupyter_rewind.store.replica.folder import FolderObjects
from jupyter_rewind.store.replica.forwarding import Forwarder, State
from tests.support.collecting import Meddled, expire, is_whole, shrink
from tests.support.forwarders import Running, is_current
from tests.support.replicas import first_machine, holds, next_machine
from tests.support.stores import QuickFiles, noise


@pytest.fixture
def objects() -> Meddled:
    return Meddled()


def test_what_was_pushed_and_is_gone_here_is_known_without_asking(
    tmp_path: Path, objects: Meddled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a server knows whether collecting is worth its requests."""
    monkeypatch.setattr(collecting, "_LEAST_BYTES", 1000)
    first = first_machine(tmp_path / "a", objects)

    def is_worth() -> bool:
        with first.open() as repository:
            return is_worth_collecting(repository, first.url)

    first.push()
    assert not is_worth()
    expire(first, list(first.filled.bodies))
    first.push()
    assert is_worth()
    shrink(first)
    assert not is_worth()
    monkeypatch.setattr(collecting, "_MANY_REFS", 3)
    for _ in range(3):
        assert not is_worth()
        first.save()
        first.push()
    assert is_worth()
    shrink(first)
    assert not is_worth()


@pytest.mark.parametrize("hours", [0, 1])
def test_a_forwarder_collects_once_in_a_while(
    hours: int, tmp_path: Path, objects: Meddled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody asks for it: what is gone here goes there with a later push; and never where that is
    turned off."""
    monkeypatch.setattr(collecting, "_LEAST_BYTES", 1000)
    first = first_machine(tmp_path / "a", objects)
    names = first.save(9)
    first.push()
    expire(first, names)
    forwarder = Forwarder(
        first.url, first.open, lambda: objects, interval_seconds=0.05, collect_hours=hours
    )
    forwarder.start()

    def is_pushed() -> bool:
        return forwarder.account.state is State.CURRENT

    def is_collected() -> bool:
        return any(True for _ in objects.find("bases/"))

    for _ in range(6000):
        if is_pushed() and (is_collected() or not hours):
            break
        threading.Event().wait(0.01)
    forwarder.end()
    assert forwarder.join(60)
    assert is_pushed() and is_collected() == bool(hours)
    assert is_whole(first)
    if hours:
        second = next_machine(tmp_path / "b", first)
        second.pull()
        assert holds(second, first)


KILLED = """
import sys
from pathlib import Path
from jupyter_rewind.store.replica.collecting import collect_replica
from jupyter_rewind.store.replica.folder import FolderObjects
from jupyter_rewind.store.repository import Repository
folder, keys, place = map(Path, sys.argv[1:4])
left = int(sys.argv[4])
class Slow(FolderObjects):
    def _step(self):
        global left
        left -= 1
        if left < 0:
            print("now", flush=True)
            sys.stdin.read()
    def create(self, key, data):
        self._step()
        return super().create(key, data)
    def delete(self, key):
        self._step()
        super().delete(key)
with Repository.open(folder, key_folder=keys) as store:
    collect_replica(store, Slow(place), "test://replica")
print("done", flush=True)
"""


@pytest.mark.parametrize("left", [0, 2, 5, 9, 13])
def test_kill_9_at_any_step_loses_nothing(left: int, tmp_path: Path) -> None:
    """The process that collects is killed: all is there, and the next one does the rest."""
    (tmp_path / "replica").mkdir()
    objects = FolderObjects(tmp_path / "replica")
    first = first_machine(tmp_path / "a", objects, segments=2)
    first.push()
    second = next_machine(tmp_path / "b", first)
    second.pull()
    second.save()
    second.push()
    expire(first, list(first.filled.bodies)[:4])
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, first.store, first.filled.folder / "keys",
         tmp_path / "replica", str(left)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None and child.stdout.readline() == b"now\n"
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    third = next_machine(tmp_path / "c", first)
    third.pull()
    with third.open() as repository:
        for machine in (first, second):
            for name in machine.filled.bodies:
                assert machine.filled.reads(repository, name)
    shrink(first)
    assert is_whole(first)
    fourth = next_machine(tmp_path / "d", first)
    fourth.pull()
    assert holds(fourth, first, second)


class Undeletable(Meddled):
    """A place whose credentials may not delete, as it is best for users of a hub."""

    def __init__(self) -> None:
        super().__init__()
        self.bases = 0

    def create(self, key: str, data: bytes) -> bool:
        self.bases += key.startswith("bases/")
        return super().create(key, data)

    def delete(self, key: str) -> None:
        raise Denied(f"Could not delete {key}: AccessDenied.")


def test_what_cannot_be_collected_is_pushed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing may be deleted the replica is current, the account says why it does not
    shrink, and nobody condemns the same again with each push."""
    monkeypatch.setattr(collecting, "_LEAST_BYTES", 1000)
    objects = Undeletable()
    first = first_machine(tmp_path / "a", objects)
    names = first.save(9)
    first.push()
    expire(first, names)
    running = Running(first, collect_hours=24)
    running.forwarder.start()
    try:
        running.until(lambda: running.account.uncollected is not None)
        bases = objects.bases
        for _ in range(3):
            pushed = running.account.pushed_ns
            first.save()
            running.until(lambda pushed=pushed: running.account.pushed_ns != pushed)
            running.until(lambda: is_current(running))
    finally:
        running.forwarder.end()
        assert running.forwarder.join(60)
    assert isinstance(running.account.uncollected, Denied)
    assert not any(told.state is State.FAILING for told in running.told)
    assert objects.bases == bases > 0
    second = next_machine(tmp_path / "b", first)
    second.pull()
    assert holds(second, first)


class Counted(Meddled):
    """A place that deletes only so many objects, and then does not answer."""

    left = 10_000

    def delete(self, key: str) -> None:
        self.left -= 1
        if self.left < 0:
            raise Unavailable("No route to the replica.")
        super().delete(key)


def test_what_is_saved_while_very_much_is_deleted_is_pushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of objects take minutes to delete; who saves meanwhile does not wait for the last
    of them."""
    monkeypatch.setattr(collecting, "_PUSH_SECONDS", 0.0)
    monkeypatch.setattr(settling, "_PAUSE_SECONDS", 0.0)
    objects = Counted()
    first = first_machine(tmp_path / "a", objects)
    for _ in range(6):
        first.save()
        first.push()
    objects.before_delete = first.save
    objects.left = 3
    with pytest.raises(Unavailable):
        shrink(first)
    assert len([*objects.find("refs/")]) > 3, "it was stopped in the middle"
    second = next_machine(tmp_path / "b", first)
    second.pull()
    assert holds(second, first)
    objects.left = 10_000
    shrink(first)
    assert is_whole(first)


def test_collecting_that_was_stopped_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that ended in the middle begins again where it is worth nothing otherwise."""
    monkeypatch.setattr(settling, "_PAUSE_SECONDS", 0.0)
    objects = Counted()
    first = first_machine(tmp_path / "a", objects)
    for _ in range(6):
        first.save()
        first.push()

    def is_worth() -> bool:
        with first.open() as repository:
            return is_worth_collecting(repository, first.url)

    objects.left = 2
    with pytest.raises(Unavailable):
        shrink(first)
    assert is_worth()
    first.save()
    first.push()
    assert is_worth()
    objects.left = 10_000
    shrink(first)
    assert not is_worth() and is_whole(first)


class Halting(Meddled):
    """A place that does not answer where something with such a key is to be made."""

    until = ""

    def create(self, key: str, data: bytes) -> bool:
        if self.until and key.startswith(self.until):
            raise Unavailable("No route to the replica.")
        return super().create(key, data)


@pytest.mark.parametrize("until", ["refs/", "closed/", "bases/"])
def test_collecting_that_was_stopped_before_it_deleted_goes_on(
    until: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Condemned is gone from what is noted, and nothing of it from the replica: the next server
    does not take that for done."""
    monkeypatch.setattr(settling, "_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(collecting, "_LEAST_BYTES", 1000)
    objects = Halting()
    first = first_machine(tmp_path / "a", objects, segments=0)
    with first.open() as repository:
        for number in range(4):
            first.filled.add(repository, parts=[noise(f"{number}", 300_000)])
    first.push()
    expire(first, list(first.filled.bodies)[:3])
    first.push()

    def is_worth() -> bool:
        with first.open() as repository:
            return is_worth_collecting(repository, first.url)

    assert is_worth()
    objects.until = until
    with pytest.raises(Unavailable):
        shrink(first)
    objects.until = ""
    for _ in range(2):
        assert is_worth()
        first.save()
        first.push()
    assert shrink(first).freed_bytes > 700_000
    assert not is_worth() and is_whole(first)


def test_what_killed_pushes_left_in_a_folder_goes(tmp_path: Path) -> None:
    """Parts of files that nobody will ever finish; those of today may be somebody's work."""
    place = tmp_path / "replica"
    place.mkdir()
    first = first_machine(tmp_path / "a", FolderObjects(place, QuickFiles()))
    first.push()
    old, young = place / "refs" / ".x.0123.rewind-tmp", place / ".y.4567.rewind-tmp"
    for path in (old, young):
        path.write_bytes(bytes(1000))
    os.utime(old, (0, 0))
    expire(first, first.save(2))
    report = shrink(first)
    assert not old.exists() and young.exists()
    assert report.freed_bytes > 0
    assert [path.name for path in place.rglob("*.rewind-tmp")] == [young.name]
    assert is_whole(first)
