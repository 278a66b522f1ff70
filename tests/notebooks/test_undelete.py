"""Deleted notebooks come back, each with its own history."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import Denied, Full, NotFound, RestoreRefused, RewindError, Storage
from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.notebooks import away
from jupyter_rewind.notebooks.documents import (
    checkpoint_document,
    place_to_restore,
    restore_document,
    undelete_document,
)
from jupyter_rewind.notebooks.files import is_file_there
from jupyter_rewind.notebooks.history import Histories
from tests.notebooks.support import make_cell, make_notebook, open_store, save
from tests.support.processes import anybodys_folder, run_unprivileged


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "analysis.ipynb"


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


def test_a_notebook_on_a_disk_that_is_not_there_is_brought_back_elsewhere_alone(
    histories: Histories, path: Path, monkeypatch: pytest.MonkeyPatch, fake_clock: clock.FakeClock
) -> None:
    """In the empty folder that it was mounted on, the file would vanish when the disk is back."""
    last = save(histories, path, make_notebook("1"))
    path.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(away, "name_disk", lambda folder: "another")
        [info] = histories.deleted(lambda place: False)
        assert info.disk_is_away
        with pytest.raises(RestoreRefused, match="disk that it lay on is not there"):
            undelete_document(histories, str(path))
        assert not path.exists()
        other = path.with_name("other.ipynb")
        assert undelete_document(histories, str(path), output=other).source.id == last.id
    other.unlink()
    [info] = histories.deleted(lambda place: False)
    assert not info.disk_is_away
    assert undelete_document(histories, str(other)).path == other


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


def test_a_deleted_notebook_comes_back_though_another_had_its_name_and_moved_on(
    histories: Histories, path: Path
) -> None:
    """`deleted` lists the first of them under that name, so that name means it."""
    first = save(histories, path, make_notebook("1"))
    path.unlink()
    histories.delete(str(path))
    second = save(histories, path, make_notebook("other"))
    other = path.rename(path.with_name("other.ipynb"))
    histories.rename(str(path), str(other))
    assert [info.path for info in histories.deleted()] == [str(path)]
    undelete_document(histories, histories.name_deleted(str(path)))
    assert path.read_bytes() == make_notebook("1")
    assert histories.find(str(path)) == first.history
    assert histories.find(str(other)) == second.history
    assert histories.name_deleted(str(other)) == str(other)


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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork to act as another user")
def test_a_folder_that_may_not_be_listed_gets_its_notebook_back() -> None:
    """A folder that takes files but shows none is no obstacle, and the history goes on."""
    with anybodys_folder() as folder:
        os.chmod(folder, 0o777)

        def child() -> None:
            place = folder / "closed"
            place.mkdir()
            path = place / "a.ipynb"
            with open_store(folder / "rewind") as repository:
                histories = Histories(repository)
                save(histories, path, make_notebook("1"))
                path.unlink()
                histories.delete(str(path))
                os.chmod(place, 0o300)
                try:
                    undelete_document(histories, str(path))
                    assert path.read_bytes() == make_notebook("1")
                    assert histories.deleted() == []
                finally:
                    os.chmod(place, 0o700)

        run_unprivileged(child)


def test_a_folder_in_the_place_is_called_one(histories: Histories, path: Path) -> None:
    """Where a folder has the notebook's name, the refusal says so."""
    save(histories, path, make_notebook("1"))
    path.unlink()
    path.mkdir()
    with pytest.raises(RestoreRefused, match="It is a folder"):
        undelete_document(histories, str(path))


def test_a_notebook_whose_place_is_a_folder_now_comes_back_elsewhere(
    histories: Histories, folder: Path
) -> None:
    """It stands among the deleted ones; one state of it, or all of it, goes where it is told to."""
    path = folder / "a.ipynb"
    save(histories, path, make_notebook("1"))
    save(histories, path, make_notebook("2"))
    path.unlink()
    path.mkdir()
    assert [info.path for info in histories.deleted(is_file_there)] == [str(path)]
    restore_document(histories, path, "head~1", output=folder / "b.ipynb")
    assert (folder / "b.ipynb").read_bytes() == make_notebook("1")
    with pytest.raises(RestoreRefused, match=r"It is a folder\..*Name another place"):
        undelete_document(histories, str(path))
    done = undelete_document(histories, str(path), output=folder / "c.ipynb")
    assert done.path.read_bytes() == make_notebook("2")
    assert len(histories.checkpoints(str(done.path))) == 2
    assert path.is_dir() and histories.find(str(path)) is None


def test_where_a_name_was_used_again_the_deleted_one_is_named(
    histories: Histories, folder: Path
) -> None:
    """Its id is the one name that is left of it."""
    path = folder / "a.ipynb"
    gone = save(histories, path, make_notebook("the old one"))
    path.unlink()
    histories.delete(str(path))
    save(histories, path, make_notebook("another"))
    with pytest.raises(RestoreRefused, match=f"undelete {gone.history} --output PATH") as told:
        undelete_document(histories, str(path))
    assert "no need" in str(told.value)
    done = undelete_document(histories, gone.history, output=folder / "b.ipynb")
    assert done.path.read_bytes() == make_notebook("the old one")


def test_what_was_brought_back_elsewhere_is_not_taken_away_by_its_old_name(
    histories: Histories, path: Path, folder: Path
) -> None:
    """Another notebook under the old name has no part in the history that lives elsewhere."""
    save(histories, path, make_notebook("1"))
    path.unlink()
    histories.delete(str(path))
    there = folder / "there.ipynb"
    undelete_document(histories, str(path), output=there)
    kept = [one.id for one in histories.checkpoints(str(there))]
    for is_written in (False, True):
        if is_written:
            path.write_bytes(make_notebook("another"))
        with pytest.raises(NotFound, match="there.ipynb"):
            restore_document(histories, path, "head")
        with pytest.raises(NotFound, match="there.ipynb"):
            histories.checkpoints(str(path))
        with pytest.raises(NotFound, match="there.ipynb"):
            undelete_document(histories, str(path))
    assert path.read_bytes() == make_notebook("another")
    assert [one.id for one in histories.checkpoints(str(there))] == kept
    save(histories, path, make_notebook("another", "more"))
    assert len(histories.checkpoints(str(path))) == 1


def bring_back(histories: Histories, path: Path, way: str) -> None:
    """The newest state of a deleted notebook is a file again."""
    if way == "undelete":
        undelete_document(histories, str(path))
    else:
        restore_document(histories, path, "head")


@pytest.fixture
def deleted(histories: Histories, path: Path) -> Path:
    """A notebook that had one cell, `1`, and was deleted."""
    save(histories, path, make_notebook("1"))
    path.unlink()
    histories.delete(str(path))
    return path


WAYS = pytest.mark.parametrize("way", ["undelete", "restore"])


@WAYS
def test_a_store_that_takes_nothing_leaves_no_file_behind(
    histories: Histories, deleted: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What says that nothing was changed has changed nothing."""

    @contextmanager
    def refuse(**_: Any) -> Iterator[None]:
        raise Denied("The store is read-only.", hint="Nothing was changed.")
        yield

    monkeypatch.setattr(histories.repository, "transaction", refuse)
    with pytest.raises(Denied) as failed:
        bring_back(histories, deleted, way)
    assert not deleted.exists()
    # What it advises works on the same store.
    told = re.search("restore (\\S+) (\\S+) --output PATH", failed.value.hint)
    assert told is not None
    output = deleted.with_name("elsewhere.ipynb")
    restore_document(
        histories, place_to_restore(histories, told[1], output), told[2], output=output
    )
    assert output.read_bytes() == make_notebook("1")


@WAYS
def test_a_store_that_fails_behind_the_file_says_that_it_is_back(
    histories: Histories, deleted: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise Full("The disk is full.", hint="Nothing was changed.")

    monkeypatch.setattr(histories, "undelete", fail)
    with pytest.raises(Full, match="was brought back") as failed:
        bring_back(histories, deleted, way)
    assert "Nothing was changed" not in str(failed.value)
    assert deleted.read_bytes() == make_notebook("1")


def test_a_notebook_that_nobody_can_look_for_is_not_deleted(
    histories: Histories, path: Path, folder: Path
) -> None:
    """Its folder is shut for the moment: its history stays where it is, and goes on there."""
    last = save(histories, path, make_notebook("1"))
    aside = folder.rename(folder.with_name("aside"))
    folder.symlink_to(folder)  # nobody gets through, not even root
    assert histories.deleted(is_file_there) == []
    with pytest.raises(Storage, match="Could not look for"):
        undelete_document(histories, str(path), output=aside / "other.ipynb")
    folder.unlink()
    aside.rename(folder)
    assert histories.find(str(path)) == last.history
    assert not (folder / "other.ipynb").exists()
