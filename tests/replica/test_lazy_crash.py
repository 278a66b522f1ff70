"""The power fails at each step of a lazy pull, of reading what it left out, and of filling it.

One disk holds all three: the store, the replica in a folder, and the store that pulls lazily.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from jupyter_rewind.errors import NotFound, Unavailable
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.partial import read_partial
from jupyter_rewind.store.replica import bringing, outline, packing
from jupyter_rewind.store.replica import pull as pulling
from jupyter_rewind.store.replica.arrival import show_arrived
from jupyter_rewind.store.replica.filling import fill
from jupyter_rewind.store.replica.folder import FolderObjects
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.pull import found_store, pull
from jupyter_rewind.store.replica.push import push
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.verify import verify
from tests.crash.sweep import sweep
from tests.replica.test_crash import URL, Recorder, open_second
from tests.support.recording import RecordingFiles
from tests.support.scenario import Fact, Ledger, Run, hold, true_to
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


def build_on(run: Run, place: Place) -> None:
    """Commits on a machine that pulled lazily, which name what it fetched for them, and what it had
    read before; in the end while a pull is about to show more of the same segment."""
    assert isinstance(run.files, RecordingFiles)
    place.folder = run.root / "replica"
    run.files.make_folder(place.folder)
    objects = FolderObjects(place.folder, run.files)
    with run.open() as repository:
        contents = [noise(each, 900) for each in ("a", "b", "c")]
        names = [run.save(repository, content) for content in contents]
        push(repository, objects, URL)
        found_store(run.root / "second", run.root / "keys", objects, run.files)
        with open_second(run.root, run.files) as second:
            pull(second, objects, URL, lazy=True)
            # From the end, for what lies behind comes along.
            name_again(run, second, names[2])
            [(digests, content)] = run.ledger.tried[names[1]].contents
            assert second.get_blob(digests) == content
            # In hand, and not stored again.
            run.files.mark(("built", run.save(second, content)))
            run.save(repository, noise("d", 900))
            push(repository, objects, URL)

            def show(*about: Any) -> None:
                with open_second(run.root, run.files) as other:
                    name_again(run, other, names[0])
                show_arrived(*about)

            with mock.patch.object(pulling, "show_arrived", show):
                pull(second, objects, URL, lazy=True)


def name_again(run: Run, repository: Repository, name: EntryId) -> None:
    """Another entry that names the same content, without having it in hand."""
    assert isinstance(run.files, RecordingFiles)
    [(digests, content)] = run.ledger.tried[name].contents
    with repository.transaction() as tx:
        entry = tx.add("note", keys=["again"], body={"of": name}, roots=digests)
        run.ledger.tried[entry.id] = Fact(entry.kind, entry.body, ((digests, content),))
    run.files.mark(("built", entry.id))


def examine_built(ledger: Ledger, place: Place) -> Any:
    """Whether what was built can be read without the replica."""

    def check_image(folder: Path, told: list[Any]) -> None:
        place.folder = None
        built = [EntryId(name) for what, name in told if what == "built"]
        if not built:
            return
        with open_second(folder, Files()) as second:
            present = {entry.id for entry in second.entries()}
            hold("lost", present.issuperset(built), "a commit is gone")
            for name in built:
                for digests, content in ledger.tried[name].contents:
                    try:
                        is_same = second.get_blob(digests) == content
                    except Unavailable:
                        is_same = False
                    hold("lost", is_same, f"what {name} names is not here")
            report = verify(second, read_data=True)
            hold("unclean", report.ok, str(report.damages))

    return check_image


def regain(run: Run, place: Place) -> None:
    """What is known of missing contents is lost, and found out again; twice."""
    assert isinstance(run.files, RecordingFiles)
    place.folder = run.root / "replica"
    run.files.make_folder(place.folder)
    objects = FolderObjects(place.folder, run.files)
    with run.open() as repository:
        for each in ("a", "b"):
            run.save(repository, noise(each, 1500))
            repository.end_segment()
        push(repository, objects, URL)
    found_store(run.root / "second", run.root / "keys", objects, run.files)
    with open_second(run.root, run.files) as second:
        pull(second, objects, URL, lazy=True)
        told = ("pulled", frozenset(run.ledger.acked))
        for spoil in (run.files.remove, lambda path: run.files.replace_file(path, b"{")):
            run.files.mark(("spoiled", told[1]))
            spoil(second.layout.partial)
            run.files.sync_folder(second.folder)
            pull(second, objects, URL, lazy=True)
            run.files.mark(told)
        fill(second.layout, run.files, objects)
        run.files.mark(("filled", told[1]))


def examine_regained(ledger: Ledger, place: Place) -> Any:
    """As `examine`, after a pull where the last word is that the file was spoiled."""
    examine_all = examine(ledger, place)

    def check_image(folder: Path, told: list[Any]) -> None:
        words = [what for what, _ in told if what != "saved"]
        if words and words[-1] == "spoiled":
            objects = FolderObjects(folder / "replica")
            with open_second(folder, Files()) as second:
                pull(second, objects, URL, lazy=True)
        examine_all(folder, [each for each in told if each[0] != "spoiled"])

    return check_image


def recorded(tmp_path: Path, place: Place, scenario: Any = pull_lazily) -> Run:
    root = tmp_path / "work"
    root.mkdir()
    run = Run(root, Recorder(root))
    scenario(run, place)
    return run


def test_a_power_cut_at_some_steps_of_a_lazy_pull(tmp_path: Path, place: Place) -> None:
    """Histories that were acknowledged as pulled are there; contents are read from here or from
    the replica; torn payloads are fetched again. One step in seventeen."""
    run = recorded(tmp_path, place)
    tally = sweep(run, check=examine(run.ledger, place), exhaustive_up_to=1, samples=1, every=17)
    assert tally.images > tally.steps / 17


def test_a_power_cut_after_a_commit_on_what_was_fetched(tmp_path: Path, place: Place) -> None:
    """What a commit names is on the disk when the commit is acknowledged, though it came from a
    replica a moment ago, and also where a pull puts a longer file in the place of its segment."""
    run = recorded(tmp_path, place, build_on)
    check = examine_built(run.ledger, place)
    tally = sweep(run, check=check, exhaustive_up_to=4, samples=1, every=3)
    assert tally.images > tally.steps / 3


def test_a_power_cut_while_it_is_found_out_what_is_missing(tmp_path: Path, place: Place) -> None:
    """What is known of missing contents is lost or does not read, and the power fails while a pull
    finds out: the next one does, and nothing is lost."""
    run = recorded(tmp_path, place, regain)
    check = examine_regained(run.ledger, place)
    tally = sweep(run, check=check, exhaustive_up_to=4, samples=1, every=5)
    assert tally.images > tally.steps / 5


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", ["build", "regain"])
def test_a_power_cut_at_any_step_of_building_and_regaining(
    tmp_path: Path, place: Place, scenario: str
) -> None:
    """As above, at all steps, with more states at each."""
    is_built = scenario == "build"
    run = recorded(tmp_path, place, build_on if is_built else regain)
    check = (examine_built if is_built else examine_regained)(run.ledger, place)
    tally = sweep(run, check=check, exhaustive_up_to=16, samples=4)
    assert tally.images > tally.steps


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_power_cut_at_any_step_of_a_lazy_pull(tmp_path: Path, place: Place) -> None:
    """As above, at all steps, with more states at each."""
    run = recorded(tmp_path, place)
    tally = sweep(run, check=examine(run.ledger, place), exhaustive_up_to=16, samples=4)
    assert tally.images > tally.steps
