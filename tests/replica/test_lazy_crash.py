"""The power fails at each step of a lazy pull, of reading what it left out, and of filling it.

One disk holds all three: the store, the replica in a folder, and the store that pulls lazily.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.errors import NotFound, Unavailable
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.partial import read_partial
from jupyter_rewind.store.replica import bringing, outline, packing
from jupyter_rewind.store.replica.filling import fill
from jupyter_rewind.store.replica.folder import FolderObjects
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.pull import found_store, pull
from jupyter_rewind.store.replica.push import push
from jupyter_rewind.store.verify import verify
from tests.crash.sweep import sweep
from tests.replica.test_crash import URL, Recorder, open_second
from tests.support.recording import RecordingFiles
from tests.support.scenario import Ledger, Run, hold, true_to
from tests.support.stores import noise

pytestmark = pytest.mark.crash


class Place:
    """Where the replica is now; nowhere, where it is cut off."""

    folder: Path | None = None

    def objects(self, url: str) -> Objects:
        if self.folder is None:
            raise Unavailable("No route to the replica.")
        return FolderObjects(self.folder)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    """All goes into packs, and all payloads of chunks are left out of their outlines."""
    monkeypatch.setattr(packing, "INLINE_BYTES", 0)
    monkeypatch.setattr(outline, "LEAST_BYTES", 100)
    place = Place()
    monkeypatch.setattr(bringing, "open_replica", place.objects)
    return place


def pull_lazily(run: Run, place: Place) -> None:
    """A push, a lazy pull, a read; a push, a pull that extends it; all that is missing."""
    assert isinstance(run.files, RecordingFiles)
    place.folder = run.root / "replica"
    run.files.make_folder(place.folder)
    objects = FolderObjects(place.folder, run.files)
    with run.open() as repository:
        run.save(repository, noise("a", 900), noise("b", 700))
        run.save(repository, noise("c", 800))
        push(repository, objects, URL)
        found_store(run.root / "second", run.root / "keys", objects, run.files)
        with open_second(run.root, run.files) as second:
            assert pull(second, objects, URL, lazy=True).absent_bytes > 2000
            run.files.mark(("pulled", frozenset(run.ledger.acked)))
            first = next(iter(run.ledger.acked))
            [(names, content), *_] = run.ledger.tried[first].contents
            assert second.get_blob(names) == content
        run.save(repository, noise("d", 900), noise("a", 900))
        push(repository, objects, URL)
        with open_second(run.root, run.files) as second:
            pull(second, objects, URL, lazy=True)
            run.files.mark(("pulled", frozenset(run.ledger.acked)))
            fill(second.layout, run.files, objects)
            run.files.mark(("filled", frozenset(run.ledger.acked)))
            assert not read_partial(second.layout)


def examine(ledger: Ledger, place: Place) -> Any:
    """Whether the store that pulls lazily is true to what was told up to then."""

    def check_image(folder: Path, told: list[Any]) -> None:
        known = {what: {EntryId(name) for name in names} for what, names in told if what != "saved"}
        pulled = known.get("pulled", set())
        filled = known.get("filled", set())
        place.folder = None
        try:
            with open_second(folder, Files()) as second:
                hold("lost", pulled <= {e.id for e in second.entries()}, "histories are missing")
                for read_data in (False, True):
                    report = verify(second, read_data=read_data)
                    hold("unclean", report.ok, str(report.damages))
                if filled:
                    true_to(second, ledger, filled, set())
                place.folder = folder / "replica"
                true_to(second, ledger, pulled, set())
                objects = FolderObjects(place.folder)
                fill(second.layout, second.files, objects)
                hold("stuck", not read_partial(second.layout), "it is never whole")
                place.folder = None
                second.forget_read()
                true_to(second, ledger, pulled, set())
                report = verify(second, read_data=True)
                hold("unclean", report.ok and not report.absent_bytes, str(report.damages))
        except NotFound:
            hold("lost", not pulled, "the whole store is gone")

    return check_image


def recorded(tmp_path: Path, place: Place) -> Run:
    root = tmp_path / "work"
    root.mkdir()
    run = Run(root, Recorder(root))
    pull_lazily(run, place)
    return run


def test_a_power_cut_at_some_steps_of_a_lazy_pull(tmp_path: Path, place: Place) -> None:
    """Histories that were acknowledged as pulled are there; contents are read from here or from
    the replica; torn payloads are fetched again. One step in seventeen."""
    run = recorded(tmp_path, place)
    tally = sweep(run, check=examine(run.ledger, place), exhaustive_up_to=1, samples=1, every=17)
    assert tally.images > tally.steps / 17


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_power_cut_at_any_step_of_a_lazy_pull(tmp_path: Path, place: Place) -> None:
    """As above, at all steps, with more states at each."""
    run = recorded(tmp_path, place)
    tally = sweep(run, check=examine(run.ledger, place), exhaustive_up_to=16, samples=4)
    assert tally.images > tally.steps
