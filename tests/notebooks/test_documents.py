"""Files on a disk: kept, restored whole or by cells, brought back; failure changes nothing."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import (
    Denied,
    Full,
    Integrity,
    NotFound,
    RestoreRefused,
)
from jupyter_rewind.model.checkpoint import Checkpoint, Reason
from jupyter_rewind.notebooks import documents
from jupyter_rewind.notebooks.documents import (
    checkpoint_document,
    restore_document,
    undelete_document,
)
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.durable import Files
from tests.notebooks.support import make_cell, make_notebook, save


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


def test_a_restore_that_another_one_overtook_does_not_turn_the_history_back(
    histories: Histories, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at once: the second one is refused, and the head is what the first one brought."""
    first = save(histories, path, make_notebook("1"))
    save(histories, path, make_notebook("2"))
    read = documents.read_or_none

    def read_before_another(place: Path) -> Any:
        found = read(place)
        monkeypatch.setattr(documents, "read_or_none", read)
        restore_document(histories, path, first.id)
        return found

    monkeypatch.setattr(documents, "read_or_none", read_before_another)
    with pytest.raises(RestoreRefused, match="written to while"):
        restore_document(histories, path, "head~1")
    head = histories.head(str(path))
    assert head is not None
    assert histories.read(head) == path.read_bytes() == make_notebook("1")


class ClosedFolder(Files):
    """Takes no new names, and lies on a disk that takes no more than `limit` bytes of the file."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def write_new(self, path: Path, data: bytes | memoryview, **_: Any) -> Path:
        raise Denied(f"Could not create {path}: permission denied.")

    def write_at(
        self, descriptor: int, parts: list[bytes | memoryview], offset: int, path: Path
    ) -> int:
        data = b"".join(parts)
        super().write_at(descriptor, [data[: self._limit - offset]], offset, path)
        if len(data) > self._limit - offset:
            raise Full(f"Could not write to {path}: the disk is full.")
        return len(data)


def test_a_restore_in_place_on_a_full_disk_changes_nothing(
    histories: Histories, path: Path
) -> None:
    """The folder takes no new names, so the file is written in place; the disk is full, and the
    file holds what it held."""
    first = save(histories, path, make_notebook("1" * 5_000))
    path.write_bytes(b"now" * 100)
    with pytest.raises(Full) as refused:
        restore_document(histories, path, first.id, files=ClosedFolder(300))
    assert path.read_bytes() == b"now" * 100
    assert "holds what it held before" in refused.value.hint
    restore_document(histories, path, first.id, files=ClosedFolder(1 << 20))
    assert path.read_bytes() == make_notebook("1" * 5_000)


def test_a_restore_in_place_that_tears_the_file_says_so(histories: Histories, path: Path) -> None:
    """Not even the old bytes can be put back: the words do not call the file whole."""
    first = save(histories, path, make_notebook("1" * 5_000))
    path.write_bytes(b"now" * 100)

    class FailingDisk(ClosedFolder):
        def write_at(self, *args: Any) -> int:
            try:
                return super().write_at(*args)
            finally:
                self._limit = 0

    with pytest.raises(Full, match="is damaged") as refused:
        restore_document(histories, path, first.id, files=FailingDisk(64))
    assert "restore it again" in refused.value.hint
    restore_document(histories, path, first.id)
    assert path.read_bytes() == make_notebook("1" * 5_000)
    kept = [histories.read(one) for one in histories.checkpoints(str(path))]
    assert b"now" * 100 in kept


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
