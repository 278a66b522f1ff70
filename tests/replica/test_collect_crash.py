"""The power fails at each step of collecting a replica, and of a push that meets it: nothing that
anybody was told is there is lost, and what is left over goes with the next collecting.

One disk holds all three: the store, the replica in a folder, and another machine's store.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.errors import NotFound
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.store.collect import collect
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.replica.check import check
from jupyter_rewind.store.replica.collecting import collect_replica
from jupyter_rewind.store.replica.folder import FolderObjects
from jupyter_rewind.store.replica.pull import found_store, pull
from jupyter_rewind.store.replica.push import push
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.verify import verify
from tests.crash.sweep import sweep
from tests.replica.test_crash import URL, Recorder, open_second
from tests.support.recording import RecordingFiles
from tests.support.scenario import Ledger, Run, hold, true_to
from tests.support.stores import noise

pytestmark = pytest.mark.crash


def push_and_collect(run: Run, theirs: set[EntryId]) -> None:
    """What one machine has expired is collected from the replica, while the other one has begun to
    build on it and pushes that only afterwards. `theirs` is what the other one saved."""
    files = run.files
    assert isinstance(files, RecordingFiles)
    files.make_folder(run.root / "replica")
    objects = FolderObjects(run.root / "replica", files)

    def told(what: str) -> None:
        files.mark((what, frozenset(run.ledger.acked)))

    with run.open() as repository:
        gone = [run.save(repository, noise("a", 900), noise("b", 900))]
        repository.end_segment()
        run.save(repository, noise("c", 700))
        repository.end_segment()
        gone.append(run.save(repository, noise("d", 900)))
        push(repository, objects, URL)
        told("pushed")
    found_store(run.root / "second", run.root / "keys", objects, files)
    with run.open() as repository, open_second(run.root, files) as second:
        pull(second, objects, URL)
        theirs.add(run.save(second, noise("e", 300)))
        push(second, objects, URL)
        told("pushed")
        theirs.add(run.save(second, noise("a", 900), noise("f", 300)))
        run.expire(repository, *gone)
        collect(repository, threshold=0.0)
        collect_replica(repository, objects, URL)
        push(second, objects, URL)
        told("pushed")
        collect_replica(repository, objects, URL)
        run.save(repository, noise("g", 200))
        push(repository, objects, URL)
        told("pushed")


def examine(ledger: Ledger, theirs: set[EntryId]) -> Any:
    """Whether a disk is true to what was told up to then."""

    def check_image(folder: Path, told: list[Any]) -> None:
        saved = {EntryId(name) for what, name in told if what == "saved"}
        pushed = {EntryId(name) for what, names in told if what == "pushed" for name in names}
        objects = FolderObjects(folder / "replica")
        if not (folder / "replica").is_dir():
            hold("lost", not pushed, "the whole replica is gone")
            return
        _check_fresh(folder / "third", folder / "keys", objects, ledger, pushed)
        with _opened(folder, "store", saved - theirs, ledger) as repository:
            if repository is None:
                return
            push(repository, objects, URL)
            collect_replica(repository, objects, URL)
            with _opened(folder, "second", saved & theirs, ledger) as second:
                if second is not None:
                    push(second, objects, URL)
            collect_replica(repository, objects, URL)
            left = collect_replica(repository, objects, URL, dry_run=True)
            hold("unclean", left.segments == 0, f"garbage is left: {left}")
            found = check(repository.layout, repository.files, objects, read_share=1.0)
            hold("unclean", found.ok, str(found.faults))
        _check_fresh(folder / "fourth", folder / "keys", objects, ledger, saved)

    return check_image


@contextmanager
def _opened(
    folder: Path, name: str, saved: set[EntryId], ledger: Ledger
) -> Iterator[Repository | None]:
    """The store, which has what was acknowledged there; None where there was none yet."""
    try:
        found = Repository.open(folder / name, key_folder=folder / "keys", create=False)
    except NotFound:
        hold("lost", not saved, f"{name} is gone")
        yield None
        return
    with found:
        true_to(found, ledger, saved, set())
        report = verify(found, read_data=True)
        hold("unclean", report.ok, str(report.damages))
        yield found


def _check_fresh(
    folder: Path, keys: Path, objects: FolderObjects, ledger: Ledger, pushed: set[EntryId]
) -> None:
    """A new machine gets all of this."""
    try:
        found_store(folder, keys, objects, Files())
    except NotFound:
        hold("lost", not pushed, "the replica is gone")
        return
    with Repository.open(folder, key_folder=keys) as fresh:
        pull(fresh, objects, URL)
        true_to(fresh, ledger, pushed, set())
        report = verify(fresh, read_data=True)
        hold("unclean", report.ok, str(report.damages))


def recorded(tmp_path: Path) -> tuple[Run, Any]:
    root = tmp_path / "work"
    root.mkdir()
    run, theirs = Run(root, Recorder(root)), set[EntryId]()
    push_and_collect(run, theirs)
    return run, examine(run.ledger, theirs)


@pytest.mark.slow
def test_a_power_cut_at_some_steps_of_collecting(tmp_path: Path) -> None:
    """What was pushed is there for a new machine; both machines go on, and collecting again leaves
    no garbage. One step in 97."""
    run, check_image = recorded(tmp_path)
    tally = sweep(run, check=check_image, exhaustive_up_to=1, samples=1, every=97)
    assert tally.images > tally.steps / 97


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_power_cut_at_any_step_of_collecting(tmp_path: Path) -> None:
    """As above, at all steps."""
    run, check_image = recorded(tmp_path)
    tally = sweep(run, check=check_image, exhaustive_up_to=4, samples=1)
    assert tally.images > tally.steps
