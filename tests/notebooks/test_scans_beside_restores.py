"""A scan for changes from outside, at every moment of a restore: the history tells the restore."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind import clock
from jupyter_rewind.model.checkpoint import Checkpoint, Reason
from jupyter_rewind.notebooks import documents
from jupyter_rewind.notebooks.documents import restore_document, undelete_document
from jupyter_rewind.notebooks.history import Histories, Recorded
from jupyter_rewind.notebooks.watching import Watcher
from jupyter_rewind.store.durable import Files
from tests.notebooks.support import make_notebook

OLD, NEW, OUTSIDE = make_notebook("old"), make_notebook("new"), make_notebook("from outside")
RESTORE_STEPS = ("write_new", "rename", "sync_folder")
UNDELETE_STEPS = ("write_new", "publish", "remove", "sync_folder")


class Pausing(Files):
    """Something else happens before or after a step on the disk, once."""

    def __init__(self, step: str, when: str, act: Callable[[], object]) -> None:
        super().__init__()
        self.acted = False
        original = getattr(self, step)

        def paused(*args: Any, **options: Any) -> Any:
            if when == "before":
                self._act(act)
            answer = original(*args, **options)
            if when == "after":
                self._act(act)
            return answer

        setattr(self, step, paused)

    def _act(self, act: Callable[[], object]) -> None:
        if not self.acted:
            self.acted = True
            act()


@pytest.fixture(autouse=True)
def finely(fake_clock: clock.FakeClock) -> None:
    """Files have their times to the nanosecond here: a full second might be a rounded one."""
    fake_clock.time_ns += 123_456_789


@pytest.fixture
def path(histories: Histories, folder: Path) -> Path:
    """A notebook with two states."""
    path = folder / "a.ipynb"
    for raw in (OLD, NEW):
        path.write_bytes(raw)
        histories.record(str(path), raw, reason=Reason.SAVE, identity=documents.identify(path))
    return path


@pytest.fixture
def watcher(others: Histories) -> Watcher:
    """It belongs to another process."""
    return Watcher(others, max_bytes=1 << 20)


def told(histories: Histories, path: Path) -> list[tuple[bytes, str]]:
    """Bytes and reason of each checkpoint."""
    found = histories.checkpoints(str(path))
    return [(histories.read(one), str(one.reason)) for one in found]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", RESTORE_STEPS)
@pytest.mark.parametrize("edited", [False, True], ids=["kept", "edited"])
def test_a_scan_in_the_middle_of_a_restore_changes_nothing(
    histories: Histories,
    others: Histories,
    watcher: Watcher,
    path: Path,
    step: str,
    when: str,
    edited: bool,
) -> None:
    """Whether it comes before, between or after, there is no state more, and the newest one is the
    restore's, with the state that it came from."""
    source = histories.checkpoints(str(path))[0]
    expected = [(OLD, "save"), (NEW, "save")]
    if edited:
        path.write_bytes(OUTSIDE)
        expected.append((OUTSIDE, "before-restore"))
    files = Pausing(step, when, lambda: watcher.scan([path.parent]))
    done = restore_document(histories, path, source.id, files=files)
    assert files.acted
    watcher.scan([path.parent])
    assert told(others, path) == [*expected, (OLD, "restore")]
    for head in (done.checkpoint, others.head(str(path)), others.checkpoints(str(path))[-1]):
        assert head is not None
        assert (head.reason, head.parent) == (Reason.RESTORE, source.id)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", UNDELETE_STEPS)
def test_a_scan_in_the_middle_of_an_undelete_changes_nothing(
    histories: Histories, others: Histories, watcher: Watcher, path: Path, step: str, when: str
) -> None:
    """The file is found before its history is said to be its own again: it is all the same."""
    histories.delete(str(path))
    path.unlink()
    files = Pausing(step, when, lambda: watcher.scan([path.parent]))
    undelete_document(histories, str(path), files=files)
    assert files.acted
    watcher.scan([path.parent])
    assert told(others, path) == [(OLD, "save"), (NEW, "save")]
    assert len(others.all()) == 1


def test_what_a_scan_read_before_a_restore_is_kept_once(
    histories: Histories,
    others: Histories,
    watcher: Watcher,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The scan reads the edited file, the restore keeps and replaces it, then the scan goes on."""
    path.write_bytes(OUTSIDE)
    read = documents.read_document
    restored: list[Checkpoint | None] = []

    def read_slowly(*args: Any) -> Any:
        document = read(*args)
        if not restored:
            restored.append(None)
            restored[0] = restore_document(histories, path, "head~1").checkpoint
        return document

    monkeypatch.setattr(documents, "read_document", read_slowly)
    seen = watcher.scan([path.parent])
    assert (seen.recorded, seen.problems) == ([], {})
    watcher.scan([path.parent])
    assert told(others, path) == [
        (OLD, "save"),
        (NEW, "save"),
        (OUTSIDE, "before-restore"),
        (OLD, "restore"),
    ]


def test_a_change_back_to_an_earlier_state_is_a_change(
    others: Histories, watcher: Watcher, path: Path
) -> None:
    """Only what was kept since the scan began is the same; git may bring an old state back."""
    watcher.scan([path.parent])
    path.write_bytes(OLD)
    assert len(watcher.scan([path.parent]).recorded) == 1
    assert told(others, path)[-1] == (OLD, "external-change")


def test_a_state_that_nobody_else_kept_is_kept_however_late(
    histories: Histories,
    others: Histories,
    watcher: Watcher,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another program saved over it, and that save was kept, while the scan had it in hand."""
    path.write_bytes(OUTSIDE)
    read = documents.read_document
    later = make_notebook("later")

    def read_slowly(*args: Any) -> Any:
        document = read(*args)
        path.write_bytes(later)
        histories.record(str(path), later, reason=Reason.SAVE)
        return document

    with monkeypatch.context() as patch:
        patch.setattr(documents, "read_document", read_slowly)
        watcher.scan([path.parent])
    assert OUTSIDE in [raw for raw, _ in told(others, path)]
    watcher.scan([path.parent])
    assert told(others, path)[-1][0] == later


def test_a_restore_of_what_is_there_stays_a_change_from_outside(
    histories: Histories, watcher: Watcher, path: Path
) -> None:
    """It changed nothing, so how the state came to be stays told."""
    path.write_bytes(OUTSIDE)
    watcher.scan([path.parent])
    restore_document(histories, path, "head")
    assert told(histories, path)[-1] == (OUTSIDE, "external-change")


def test_a_save_that_somebody_else_found_first_is_told_as_the_save(
    histories: Histories,
    others: Histories,
    path: Path,
    watcher: Watcher,
    fake_clock: clock.FakeClock,
) -> None:
    """Another server or a watcher was quicker by some milliseconds; the save says who saved."""
    saved = make_notebook("saved")
    path.write_bytes(saved)
    written = fake_clock.time_ns
    fake_clock.advance(0.01)
    [found] = watcher.scan([path.parent]).recorded
    made = histories.record(str(path), saved, reason=Reason.SAVE, author="ada", written_ns=written)
    assert (made.created, made.checkpoint.id) == (False, found.checkpoint.id)
    for one in (made.checkpoint, others.head(str(path)), others.checkpoints(str(path))[-1]):
        assert one is not None
        assert (one.reason, one.author) == (Reason.SAVE, "ada")
    assert told(others, path)[2:] == [(saved, "save")]


def test_a_save_of_what_had_changed_outside_before_stays_a_change(
    histories: Histories, path: Path, watcher: Watcher, fake_clock: clock.FakeClock
) -> None:
    """Git brought the state, and it was found; a later save of the same did not make it."""
    path.write_bytes(OUTSIDE)
    watcher.scan([path.parent])
    later = max(fake_clock.time_ns, path.stat().st_mtime_ns) + 3_600_000_000_000
    histories.record(str(path), OUTSIDE, reason=Reason.SAVE, author="ada", written_ns=later)
    assert told(histories, path)[-1] == (OUTSIDE, "external-change")


def test_the_head_that_a_scan_read_is_no_change_when_a_restore_follows(
    histories: Histories,
    others: Histories,
    watcher: Watcher,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One restore after the other: the scan read what the first one brought, and the second one
    was done before the scan could say so."""
    first, second = histories.checkpoints(str(path))
    restore_document(histories, path, first.id)
    read = documents.read_document
    restored: list[object] = []

    def read_slowly(*args: Any) -> Any:
        document = read(*args)
        if not restored:
            restored.append(document)
            restore_document(histories, path, second.id)
        return document

    monkeypatch.setattr(documents, "read_document", read_slowly)
    seen = watcher.scan([path.parent])
    assert restored
    assert (seen.recorded, seen.problems) == ([], {})
    assert told(others, path)[2:] == [(OLD, "restore"), (NEW, "restore")]


def test_a_save_found_first_and_saved_over_stands_once(
    histories: Histories,
    others: Histories,
    path: Path,
    watcher: Watcher,
    fake_clock: clock.FakeClock,
) -> None:
    """Two servers save in turn: what the one found of the other's is that save, though the next
    one is the head by then."""
    saved, later = make_notebook("saved"), make_notebook("later")
    path.write_bytes(saved)
    written = fake_clock.time_ns
    fake_clock.advance(0.01)
    [found] = watcher.scan([path.parent]).recorded
    others.record(str(path), later, reason=Reason.SAVE, author="bob")
    made = histories.record(str(path), saved, reason=Reason.SAVE, author="ada", written_ns=written)
    assert (made.created, made.checkpoint.id) == (False, found.checkpoint.id)
    assert told(others, path)[2:] == [(saved, "save"), (later, "save")]
    fake_clock.advance(1.0)
    again = histories.record(
        str(path), saved, reason=Reason.SAVE, author="ada", written_ns=fake_clock.time_ns
    )
    assert again.created
    assert told(others, path)[2:] == [(saved, "save"), (later, "save"), (saved, "save")]


def test_what_stands_in_the_file_for_long_is_the_head_though_it_was_kept_before(
    histories: Histories, others: Histories, path: Path, fake_clock: clock.FakeClock
) -> None:
    """A busy server stored an older save late, behind the one that the file still holds."""
    last, older = make_notebook("last"), make_notebook("older")
    path.write_bytes(last)
    written = fake_clock.time_ns
    fake_clock.advance(0.01)
    others.record(str(path), last, reason=Reason.SAVE, written_ns=written)
    histories.record(str(path), older, reason=Reason.SAVE, written_ns=written - 1_000_000)

    def find() -> Recorded:
        since = histories.glance(str(path))
        reason = Reason.EXTERNAL_CHANGE
        return histories.record(str(path), last, reason=reason, since=since, written_ns=written)

    assert not find().created
    fake_clock.advance(60.0)
    assert find().created
    assert told(others, path)[2:] == [
        (last, "save"),
        (older, "save"),
        (last, "external-change"),
    ]


@pytest.mark.parametrize("reason", [Reason.SAVE, Reason.AUTOSAVE])
@pytest.mark.parametrize("again", [False, True], ids=["once", "again"])
def test_a_save_that_is_stored_after_a_restore_stays_before_it(
    histories: Histories,
    others: Histories,
    path: Path,
    fake_clock: clock.FakeClock,
    reason: Reason,
    again: bool,
) -> None:
    """A busy server stores it late: the restore kept its state first, and the history ends with
    what the file holds. A save of the same state after the restore is another one."""
    source = histories.checkpoints(str(path))[0]
    written_ns = clock.now_ns()
    path.write_bytes(OUTSIDE)
    fake_clock.advance(0.5)
    restore_document(others, path, source.id)
    expected = [(OLD, "save"), (NEW, "save"), (OUTSIDE, "before-restore"), (OLD, "restore")]
    if again:
        fake_clock.advance(0.5)
        path.write_bytes(OUTSIDE)
        written_ns = clock.now_ns()
        expected.append((OUTSIDE, str(reason)))
    fake_clock.advance(0.5)
    histories.record(str(path), OUTSIDE, reason=reason, written_ns=written_ns)
    assert told(others, path) == expected
