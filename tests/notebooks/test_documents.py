"""Files on a disk: kept, restored whole or by cells, brought back; failure changes nothing."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import (
    Full,
    Integrity,
    InvalidInput,
    NotFound,
    RestoreRefused,
    RewindError,
    Unavailable,
)
from jupyter_rewind.model.checkpoint import Checkpoint, Reason
from jupyter_rewind.notebooks import documents
from jupyter_rewind.notebooks.documents import (
    checkpoint_document,
    read_document,
    restore_document,
    undelete_document,
)
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.durable import Files
from tests.notebooks.support import make_cell, make_notebook


def save(histories: Histories, path: Path, raw: bytes) -> Checkpoint:
    path.write_bytes(raw)
    return checkpoint_document(histories, path, reason=Reason.SAVE).checkpoint


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "analysis.ipynb"


@pytest.mark.parametrize("present", [b"", b"\0" * 512, b'{"cells": [', None, b"other"])
def test_a_file_that_is_empty_broken_or_gone_comes_back_byte_for_byte(
    histories: Histories, path: Path, present: bytes | None
) -> None:
    first = save(histories, path, make_notebook("1"))
    second = save(histories, path, make_notebook("2"))
    if present is None:
        path.unlink()
    else:
        path.write_bytes(present)
    done = restore_document(histories, path, "head")
    assert path.read_bytes() == make_notebook("2")
    assert done.source.id == second.id
    assert histories.read(histories.get(None, first.id)) == make_notebook("1")
    if present is not None:
        assert done.kept is not None
        assert histories.read(done.kept) == present
        assert done.kept.reason == Reason.BEFORE_RESTORE


def test_restoring_keeps_the_present_first_and_is_itself_a_checkpoint(
    histories: Histories, path: Path
) -> None:
    first = save(histories, path, make_notebook("1"))
    save(histories, path, make_notebook("2"))
    path.write_bytes(make_notebook("not yet kept"))
    done = restore_document(histories, path, first.id, author="ada")
    found = histories.checkpoints(str(path))
    assert [one.reason for one in found] == [
        Reason.SAVE,
        Reason.SAVE,
        Reason.BEFORE_RESTORE,
        Reason.RESTORE,
    ]
    assert done.checkpoint == found[-1]
    assert (done.checkpoint.parent, done.checkpoint.author) == (first.id, "ada")
    assert histories.read(found[2]) == make_notebook("not yet kept")


def test_a_restore_leaves_the_checkpoint_as_it_was(histories: Histories, path: Path) -> None:
    first = save(histories, path, make_notebook("1"))
    save(histories, path, make_notebook("2"))
    restore_document(histories, path, first.id)
    assert histories.get(str(path), first.id) == first


def test_the_live_document_is_kept_too(histories: Histories, path: Path) -> None:
    """Under collaboration the browser may hold what no file holds yet."""
    save(histories, path, make_notebook("1"))
    path.write_bytes(make_notebook("2"))
    restore_document(histories, path, "head", present=make_notebook("typed a moment ago"))
    states = [histories.read(one) for one in histories.checkpoints(str(path))]
    assert make_notebook("2") in states
    assert make_notebook("typed a moment ago") in states
    assert path.read_bytes() == make_notebook("1")


@pytest.mark.parametrize("ref", ["head", "head~1"])
def test_restoring_a_deleted_notebook_continues_its_history(
    histories: Histories, path: Path, ref: str
) -> None:
    first = save(histories, path, make_notebook("1"))
    save(histories, path, make_notebook("2"))
    path.unlink()
    histories.delete(str(path))
    restore_document(histories, path, ref)
    assert path.exists()
    assert histories.find(str(path)) == first.history
    assert histories.deleted() == []


def test_single_cells_come_back_and_the_rest_stays(histories: Histories, path: Path) -> None:
    old = make_notebook(make_cell("a", "a1"), make_cell("b", "b1"), make_cell("lost", "x"))
    first = save(histories, path, old)
    new = make_notebook(make_cell("a", "a2"), make_cell("b", "b2"), make_cell("c", "c2"))
    save(histories, path, new)
    restore_document(histories, path, first.id, cells=["b", "lost"])
    assert path.read_bytes() == make_notebook(
        make_cell("a", "a2"), make_cell("b", "b1"), make_cell("lost", "x"), make_cell("c", "c2")
    )


def test_a_cell_that_never_was_changes_nothing(histories: Histories, path: Path) -> None:
    first = save(histories, path, make_notebook("1"))
    before = save(histories, path, make_notebook("2"))
    with pytest.raises(NotFound, match="no cell 'nope'"):
        restore_document(histories, path, first.id, cells=["nope"])
    assert path.read_bytes() == make_notebook("2")
    assert histories.head(str(path)) == before


def test_output_writes_elsewhere_and_leaves_the_notebook_alone(
    histories: Histories, path: Path, folder: Path
) -> None:
    save(histories, path, make_notebook("1"))
    head = save(histories, path, make_notebook("2"))
    other = folder / "new" / "old-state.ipynb"
    done = restore_document(histories, path, "head~1", output=other)
    assert other.read_bytes() == make_notebook("1")
    assert path.read_bytes() == make_notebook("2")
    assert (done.path, done.kept, histories.head(str(path))) == (other, None, head)
    with pytest.raises(RestoreRefused, match="exists"):
        restore_document(histories, path, "head", output=other)


def test_mode_and_symbolic_link_survive_a_restore(
    histories: Histories, path: Path, folder: Path
) -> None:
    save(histories, path, make_notebook("1"))
    save(histories, path, make_notebook("2"))
    path.chmod(0o640)
    link = folder / "link.ipynb"
    link.symlink_to(path)
    restore_document(histories, documents.document_path(link), "head~1")
    assert link.is_symlink()
    assert path.read_bytes() == make_notebook("1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


class FullDisk(Files):
    """Takes no new file."""

    def write_new(self, path: Path, data: bytes | memoryview, mode: int = 0o600) -> Path:
        raise Full(f"Could not write {path}: the disk is full.")


def test_a_failed_restore_changes_no_file(histories: Histories, path: Path) -> None:
    save(histories, path, make_notebook("1"))
    path.write_bytes(make_notebook("2"))
    with pytest.raises(Full):
        restore_document(histories, path, "head", files=FullDisk())
    assert path.read_bytes() == make_notebook("2")
    assert os.listdir(path.parent) == [path.name]


def test_a_file_written_during_its_restore_is_not_overwritten(
    histories: Histories, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(histories, path, make_notebook("1"))
    save(histories, path, make_notebook("2"))
    keep = histories.record

    def record(name: str, raw: bytes, **kwargs: object) -> object:
        made = keep(name, raw, **kwargs)  # type: ignore[arg-type]
        path.write_bytes(make_notebook("saved in between"))
        return made

    monkeypatch.setattr(histories, "record", record)
    with pytest.raises(RestoreRefused, match="while it was being restored"):
        restore_document(histories, path, "head~1")
    assert path.read_bytes() == make_notebook("saved in between")


def test_a_damaged_checkpoint_restores_nothing(
    histories: Histories, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(histories, path, make_notebook("1"))
    path.write_bytes(make_notebook("2"))

    def read(checkpoint: Checkpoint) -> bytes:
        raise Integrity(f"Checkpoint {checkpoint.id} cannot be read.")

    monkeypatch.setattr(histories, "read", read)
    with pytest.raises(Integrity):
        restore_document(histories, path, "head")
    assert path.read_bytes() == make_notebook("2")


def test_a_store_that_cannot_keep_the_present_restores_nothing(
    histories: Histories, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(histories, path, make_notebook("1"))
    path.write_bytes(make_notebook("2"))

    def record(*_: object, **__: object) -> None:
        raise Full("The disk is full.")

    monkeypatch.setattr(histories, "record", record)
    with pytest.raises(Full):
        restore_document(histories, path, "head")
    assert path.read_bytes() == make_notebook("2")


def test_undelete_writes_the_newest_state_with_its_history(
    histories: Histories, path: Path
) -> None:
    first = save(histories, path, make_notebook("1"))
    last = save(histories, path, make_notebook("2"))
    path.unlink()
    histories.delete(str(path))
    done = undelete_document(histories, str(path))
    assert path.read_bytes() == make_notebook("2")
    assert (done.path, done.source.id) == (path, last.id)
    assert [one.id for one in histories.checkpoints(str(path))][:2] == [first.id, last.id]
    assert histories.deleted() == []


def test_undelete_makes_the_folder_again(histories: Histories, folder: Path) -> None:
    path = folder / "deep" / "er" / "a.ipynb"
    path.parent.mkdir(parents=True)
    save(histories, path, make_notebook("1"))
    path.unlink()
    path.parent.rmdir()
    path.parent.parent.rmdir()
    undelete_document(histories, str(path))
    assert path.read_bytes() == make_notebook("1")


def test_undelete_of_what_is_there_is_refused(histories: Histories, path: Path) -> None:
    save(histories, path, make_notebook("1"))
    with pytest.raises(RestoreRefused, match="exists"):
        undelete_document(histories, str(path))


def test_undelete_beside_another_notebook_in_its_place(
    histories: Histories, path: Path, folder: Path
) -> None:
    first = save(histories, path, make_notebook("x = 1"))
    path.unlink()
    histories.delete(str(path))
    second = save(histories, path, make_notebook(make_cell("other", "y = 2")))
    assert second.history != first.history
    with pytest.raises(RestoreRefused):
        undelete_document(histories, first.history)
    other = folder / "back.ipynb"
    undelete_document(histories, first.history, output=other)
    assert other.read_bytes() == make_notebook("x = 1")
    assert histories.find(str(other)) == first.history
    assert histories.find(str(path)) == second.history


def test_undelete_takes_no_history_from_a_living_notebook(
    histories: Histories, path: Path, folder: Path
) -> None:
    kept = save(histories, path, make_notebook("1"))
    with pytest.raises(RewindError):
        undelete_document(histories, str(path), output=folder / "other.ipynb")
    assert histories.find(str(path)) == kept.history
    assert not (folder / "other.ipynb").exists()


def test_a_notebook_deleted_outside_jupyter_is_undeleted(histories: Histories, path: Path) -> None:
    kept = save(histories, path, make_notebook("1"))
    path.unlink()
    undelete_document(histories, str(path))
    assert path.read_bytes() == make_notebook("1")
    assert histories.find(str(path)) == kept.history


def test_a_file_that_is_not_there_is_not_found(histories: Histories, path: Path) -> None:
    with pytest.raises(NotFound, match=str(path)):
        read_document(path)
    with pytest.raises(NotFound):
        checkpoint_document(histories, path, reason=Reason.MANUAL)
    assert histories.find(str(path)) is None


def test_a_file_above_the_limit_is_refused_with_words(histories: Histories, path: Path) -> None:
    path.write_bytes(make_notebook("x" * 4000))
    with pytest.raises(InvalidInput, match=r"notebooks\.max_file_mb"):
        checkpoint_document(histories, path, reason=Reason.MANUAL, max_bytes=1000)
    assert histories.find(str(path)) is None


def test_a_file_that_never_rests_is_unavailable_rather_than_torn(path: Path) -> None:
    """A log that grows all the time cannot be read as of one moment."""
    path.write_bytes(b"0")
    stop = threading.Event()

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"x")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        for _ in range(20):
            try:
                raw = read_document(path).raw
            except Unavailable as error:
                assert error.retryable
                assert str(path) in error.message
            else:
                assert raw.startswith(b"0")
    finally:
        stop.set()
        writer.join()


def test_restoring_what_was_deleted_and_written_anew_continues_the_history_asked_for(
    histories: Histories, path: Path
) -> None:
    """The name was free; what stands there now is kept in the same history first."""
    first = save(histories, path, make_notebook("1"))
    second = save(histories, path, make_notebook("2"))
    histories.delete(str(path))
    path.write_bytes(make_notebook(make_cell("other", "y")))
    done = restore_document(histories, path, first.id)
    assert done.kept is not None
    assert path.read_bytes() == make_notebook("1")
    found = histories.checkpoints(str(path))
    assert [one.history for one in found] == [first.history] * 4
    assert [one.id for one in found[:2]] == [first.id, second.id]


def test_restoring_an_older_state_of_a_deleted_notebook_continues_its_history(
    histories: Histories, path: Path
) -> None:
    first = save(histories, path, make_notebook("1"))
    save(histories, path, make_notebook("2"))
    histories.delete(str(path))
    path.unlink()
    restore_document(histories, path, "head~1")
    assert path.read_bytes() == make_notebook("1")
    assert histories.find(str(path)) == first.history
    assert histories.deleted() == []


def test_undelete_where_another_notebook_was_deleted_outside(
    histories: Histories, path: Path
) -> None:
    """Two histories had the name one after the other, and no file has it now."""
    first = save(histories, path, make_notebook("1"))
    histories.delete(str(path))
    path.unlink()
    second = save(histories, path, make_notebook(make_cell("other", "y")))
    path.unlink()
    undelete_document(histories, first.history)
    assert path.read_bytes() == make_notebook("1")
    assert histories.find(str(path)) == first.history
    assert [info.id for info in histories.deleted()] == [second.history]


def test_undelete_leaves_the_reason_of_the_head(histories: Histories, path: Path) -> None:
    """What was saved by hand is still called a save when the file is back."""
    path.write_bytes(make_notebook("1"))
    before = checkpoint_document(histories, path, reason=Reason.SAVE).checkpoint
    path.unlink()
    histories.delete(str(path))
    done = undelete_document(histories, str(path))
    assert done.checkpoint == before
    assert histories.head(str(path)) == before


def test_a_template_copied_over_a_freed_inode_begins_a_history(
    histories: Histories, folder: Path
) -> None:
    """Deleted homework can be brought back, whatever got its place on the disk."""
    first, second = folder / "hw1.ipynb", folder / "hw2.ipynb"
    rest = [make_cell(f"t{number}", f"x = {number}") for number in range(9)]
    mine = save(histories, first, make_notebook(make_cell("t", "my answer"), *rest))
    inode = first.stat().st_ino
    first.unlink()
    for _ in range(50):
        second.write_bytes(make_notebook(make_cell("t", "answer here"), *rest))
        if second.stat().st_ino == inode:
            break
        second.rename(folder / f"other{clock.new_id()}")
    made = checkpoint_document(histories, second, reason=Reason.SAVE).checkpoint
    assert made.history != mine.history
    undelete_document(histories, str(first))
    assert first.read_bytes() == histories.read(mine)


def test_a_file_moved_with_another_program_and_edited_keeps_its_history(
    histories: Histories, folder: Path
) -> None:
    first, second = folder / "a.ipynb", folder / "b.ipynb"
    mine = save(histories, first, make_notebook("1", "2", "3"))
    first.rename(second)
    made = save(histories, second, make_notebook("1", "2", "33"))
    assert made.history == mine.history


def test_a_pipe_is_refused_at_once(histories: Histories, folder: Path) -> None:
    """Nobody writes to it, so reading would last for ever."""
    os.mkfifo(folder / "pipe.ipynb")
    with pytest.raises(InvalidInput, match="no regular file"):
        checkpoint_document(histories, folder / "pipe.ipynb", reason=Reason.MANUAL)
    assert histories.all() == []


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero"])
def test_a_device_is_refused(histories: Histories, device: str) -> None:
    with pytest.raises(InvalidInput, match="no regular file"):
        checkpoint_document(histories, Path(device), reason=Reason.MANUAL)
    assert histories.all() == []


def test_a_file_that_holds_more_than_it_says_is_read_whole_and_within_the_limit() -> None:
    """Files of the kernel say that they have no bytes."""
    path = Path("/proc/self/maps")
    assert path.stat().st_size == 0
    assert read_document(path).raw.endswith(b"\n")
    with pytest.raises(InvalidInput, match="more than"):
        read_document(path, 100)


def test_undelete_passes_over_a_newest_checkpoint_that_is_lost(
    histories: Histories, path: Path, tmp_path: Path
) -> None:
    """The store was damaged and salvaged: an older state is more than none, and is told."""
    first = save(histories, path, make_notebook("1"))
    [segment] = (tmp_path / "rewind" / "store" / "segments").iterdir()
    before = segment.read_bytes()
    second = save(histories, path, make_notebook(clock.SystemClock().token(60_000).hex()))
    after = segment.read_bytes()
    start = next(at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b)
    with segment.open("r+b") as file:
        file.seek(start + 5_000)
        file.write(bytes(10_000))
    path.unlink()
    done = undelete_document(histories, str(path))
    assert path.read_bytes() == make_notebook("1")
    assert done.source.id == first.id
    assert [one.id for one in done.lost] == [second.id]
    assert done.checkpoint is not None
    assert done.checkpoint.parent == first.id


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
@pytest.mark.parametrize("how", ["undelete", "restore", "output"])
def test_what_comes_back_has_its_permissions_again(
    histories: Histories, path: Path, folder: Path, mode: int, how: str
) -> None:
    """A private notebook is private again, a shared one shared."""
    path.touch(0o644)
    save(histories, path, make_notebook("1"))
    path.chmod(mode)
    checkpoint_document(histories, path, reason=Reason.SAVE)
    path.unlink()
    if how == "undelete":
        undelete_document(histories, str(path))
    elif how == "restore":
        restore_document(histories, path, "head")
    else:
        path = restore_document(histories, path, "head", output=folder / "o.ipynb").path
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_permissions_that_nobody_knows_come_back_as_the_owners_alone(
    histories: Histories, path: Path
) -> None:
    """Checkpoints of an older version tell none, and the notebook may have been private."""
    histories.record(str(path), make_notebook("1"), reason=Reason.SAVE)
    undelete_document(histories, str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_another_program_writes_in_the_last_moment_is_not_overwritten(
    histories: Histories, path: Path
) -> None:
    """It saved while the restored bytes were written aside."""
    first = save(histories, path, make_notebook("1"))
    save(histories, path, make_notebook("2"))

    class SavedMeanwhile(Files):
        def write_new(self, *args: Any, **options: Any) -> Path:
            temporary = super().write_new(*args, **options)
            path.write_bytes(b"saved meanwhile")
            return temporary

    with pytest.raises(RestoreRefused, match="written to while"):
        restore_document(histories, path, first.id, files=SavedMeanwhile())
    assert path.read_bytes() == b"saved meanwhile"
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("how", ["restore", "undelete"])
def test_left_overs_of_a_killed_restore_go_after_a_day(
    histories: Histories, path: Path, folder: Path, how: str
) -> None:
    """A restore that may still be at work is left alone, and so is every file of the user."""
    save(histories, path, make_notebook("1"))
    now = clock.now_ns()
    for name, days in (
        (".old.ipynb.0123456789abcdef.rewind-tmp", 2),
        (".fresh.ipynb.0123456789abcdef.rewind-tmp", 0),
        ("mine.0123456789abcdef.rewind-tmp", 2),
        (".mine.rewind-tmp", 2),
    ):
        (folder / name).write_bytes(b"bytes")
        moment = now - days * 86_400 * 1_000_000_000
        os.utime(folder / name, ns=(moment, moment))
    if how == "undelete":
        path.unlink()
        undelete_document(histories, str(path))
    else:
        restore_document(histories, path, "head")
    assert sorted(each.name for each in folder.iterdir()) == [
        ".fresh.ipynb.0123456789abcdef.rewind-tmp",
        ".mine.rewind-tmp",
        path.name,
        "mine.0123456789abcdef.rewind-tmp",
    ]
