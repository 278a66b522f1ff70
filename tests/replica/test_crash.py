"""The power fails at each step of a push and a pull: nothing acknowledged is lost, here or there.

One disk holds all three: the store, the replica in a folder, and another machine's store.
"""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.errors import NotFound
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.replica import gathering, notes
from jupyter_rewind.store.replica.check import check
from jupyter_rewind.store.replica.folder import FolderObjects
from jupyter_rewind.store.replica.pull import found_store, pull
from jupyter_rewind.store.replica.push import push
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.verify import verify
from tests.crash.sweep import sweep
from tests.support.recording import RecordingFiles
from tests.support.scenario import Ledger, Run, hold, true_to
from tests.support.stores import noise

pytestmark = pytest.mark.crash
URL = "test://replica"


class Recorder(RecordingFiles):
    """Files are made by several threads of a pull."""

    def create(self, path: Path, mode: int = 0o600) -> int:
        with _CREATING:
            return super().create(path, mode)


_CREATING = threading.Lock()


def open_second(folder: Path, files: Files) -> Repository:
    return Repository.open(folder / "second", key_folder=folder / "keys", files=files, create=False)


def push_and_pull(run: Run) -> None:
    """Two pushes, between them a second segment; a pull, a push from there, and a pull back."""
    assert isinstance(run.files, RecordingFiles)
    run.files.make_folder(run.root / "replica")
    objects = FolderObjects(run.root / "replica", run.files)

    with run.open() as repository:
        run.save(repository, b"first", noise("a", 600))
        push(repository, objects, URL)
        run.files.mark(("pushed", frozenset(run.ledger.acked)))
        run.save(repository, noise("b", 900), b"first")
    with run.open() as repository:
        run.save(repository, noise("b", 900), noise("c", 300))
        push(repository, objects, URL)
        run.files.mark(("pushed", frozenset(run.ledger.acked)))
    found_store(run.root / "second", run.root / "keys", objects, run.files)
    with open_second(run.root, run.files) as second:
        pull(second, objects, URL)
        run.files.mark(("pulled", frozenset(run.ledger.acked)))
    with run.open() as repository, open_second(run.root, run.files) as second:
        run.save(repository, noise("d", 200))
        push(repository, objects, URL)
        run.files.mark(("pushed", frozenset(run.ledger.acked)))
        pull(second, objects, URL)
        run.files.mark(("pulled", frozenset(run.ledger.acked)))


def examine(ledger: Ledger) -> Any:
    """Whether a disk is true to what was told up to then."""

    def check_image(folder: Path, told: list[Any]) -> None:
        saved = {EntryId(name) for what, name in told if what == "saved"}
        known = {what: names for what, names in told if what != "saved"}
        _check_store(folder, ledger, saved)
        _check_second(folder, ledger, set(known.get("pulled", ())))
        _check_replica(folder, ledger, set(known.get("pushed", ())), saved)

    return check_image


def _check_store(folder: Path, ledger: Ledger, saved: set[EntryId]) -> None:
    try:
        with Repository.open(
            folder / "store", key_folder=folder / "keys", create=False
        ) as repository:
            true_to(repository, ledger, saved, set())
    except NotFound:
        hold("lost", not saved, "the whole store is gone")


def _check_second(folder: Path, ledger: Ledger, pulled: set[EntryId]) -> None:
    try:
        with open_second(folder, Files()) as second:
            true_to(second, ledger, pulled, set())
            report = verify(second, read_data=True)
            hold("unclean", report.ok, str(report.damages))
    except NotFound:
        hold("lost", not pulled, "the whole second store is gone")


def _check_replica(folder: Path, ledger: Ledger, pushed: set[EntryId], saved: set[EntryId]) -> None:
    """It has what was acknowledged; a push goes on from there; then it has everything, once."""
    objects = FolderObjects(folder / "replica")
    if not (folder / "replica").is_dir():
        hold("lost", not pushed, "the whole replica is gone")
        return
    for number in range(2):
        third = folder / f"third-{number}"
        try:
            found_store(third, folder / "keys", objects, Files())
        except NotFound:
            hold("lost", not pushed, "the replica is gone")
        else:
            with Repository.open(third, key_folder=folder / "keys") as repository:
                pull(repository, objects, URL)
                true_to(repository, ledger, saved if number else pushed, set())
                report = verify(repository, read_data=True)
                hold("unclean", report.ok, str(report.damages))
                found = check(repository.layout, repository.files, objects, read_share=1.0)
                hold("unclean", found.ok, str(found.faults))
                names = [entry.id for entry in repository.entries()]
                hold("doubled", len(names) == len(set(names)), str(names))
        if number or not (folder / "store" / "config").exists():
            return
        with Repository.open(folder / "store", key_folder=folder / "keys") as repository:
            push(repository, objects, URL)


@pytest.fixture(autouse=True)
def gathers_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every second push says again what the one before it has said."""
    monkeypatch.setattr(gathering, "EVERY", 2)


def recorded(tmp_path: Path) -> Run:
    root = tmp_path / "work"
    root.mkdir()
    run = Run(root, Recorder(root))
    push_and_pull(run)
    return run


def test_a_power_cut_at_some_steps_of_push_and_pull(tmp_path: Path) -> None:
    """What was acknowledged as pushed is in the replica; what was pulled is in the other store;
    the next push and pull go on from whatever stands there. One step in seventeen."""
    run = recorded(tmp_path)
    tally = sweep(run, check=examine(run.ledger), exhaustive_up_to=1, samples=1, every=17)
    assert tally.images > tally.steps / 17


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_power_cut_at_any_step_of_push_and_pull(tmp_path: Path) -> None:
    """As above, at all steps."""
    run = recorded(tmp_path)
    tally = sweep(run, check=examine(run.ledger), exhaustive_up_to=4, samples=1)
    assert tally.images > tally.steps


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_many_more_states_of_each_step(tmp_path: Path) -> None:
    """As above, with many more states at a step."""
    run = recorded(tmp_path)
    sweep(run, check=examine(run.ledger), exhaustive_up_to=64, samples=8, seed=3)


def test_notes_that_are_lost_cost_a_look(tmp_path: Path) -> None:
    """What a store remembers of a replica is no truth: without it, and with an old one, the next
    push adds what is new and nothing twice."""
    run = Run(tmp_path / "work", Files())
    (run.root / "replica").mkdir(parents=True)
    objects = FolderObjects(run.root / "replica")
    with run.open() as repository:
        path = notes.notes_path(repository.layout, URL)
        run.save(repository, b"one")
        push(repository, objects, URL)
        old = path.read_bytes()
        run.save(repository, b"two")
        push(repository, objects, URL)
        path.write_bytes(old)
        run.save(repository, b"three")
        assert push(repository, objects, URL).entries == 1
        path.unlink()
        assert push(repository, objects, URL).bytes == 0
        run.save(repository, b"four")
        assert push(repository, objects, URL).entries == 1
        path.write_bytes(b"{}")
        assert push(repository, objects, URL).bytes == 0
        report = check(repository.layout, repository.files, objects, read_share=1.0)
        assert report.ok and report.refs == 4


def test_a_replica_that_was_emptied_is_filled_again(tmp_path: Path) -> None:
    """Nothing is taken for pushed because it once was."""
    run = Run(tmp_path / "work", Files())
    (run.root / "replica").mkdir(parents=True)
    objects = FolderObjects(run.root / "replica")
    with run.open() as repository:
        run.save(repository, b"one")
        push(repository, objects, URL)
        shutil.rmtree(run.root / "replica")
        (run.root / "replica").mkdir()
        assert push(repository, objects, URL).entries == 1
        assert check(repository.layout, repository.files, objects, read_share=1.0).ok
