"""Asked for under its new name, a notebook moved outside Jupyter has its history."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from jupyter_rewind.errors import Denied
from jupyter_rewind.model.checkpoint import Checkpoint, Reason
from jupyter_rewind.notebooks.documents import checkpoint_document
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.notebooks.moves import bring_history, follow_file, key_of
from jupyter_rewind.notebooks.stock import take_stock_checkpoint
from tests.notebooks.support import make_cell, make_notebook, save

_CAP = 1 << 20
WORK = make_notebook(
    *(make_cell(f"w{at}", f"value_{at} = {at} # {'long ' * 8}") for at in range(9))
)
OTHER = make_notebook(make_cell("o1", "import pandas"), make_cell("o2", "pandas.read_csv('x')"))


def ids(histories: Histories, path: Path) -> list[str]:
    """What is listed for who asks for `path`."""
    return [one.id for one in histories.checkpoints(key_of(histories, str(path), _CAP))]


@pytest.fixture
def book(folder: Path) -> Path:
    return folder / "analysis.ipynb"


@pytest.fixture
def moved(folder: Path) -> Path:
    return folder / "elsewhere" / "moved.ipynb"


@pytest.fixture
def first(histories: Histories, book: Path, moved: Path) -> Checkpoint:
    moved.parent.mkdir()
    return save(histories, book, WORK)


def test_a_moved_file_brings_its_history_when_it_is_asked_for(
    histories: Histories, book: Path, moved: Path, first: Checkpoint
) -> None:
    book.rename(moved)
    assert ids(histories, moved) == [first.id]
    assert histories.overview(str(moved)).path == str(moved)


def test_a_file_moved_there_and_back_has_its_history_again(
    histories: Histories, book: Path, moved: Path, first: Checkpoint
) -> None:
    book.rename(moved)
    assert ids(histories, moved) == [first.id]
    moved.rename(book)
    assert ids(histories, book) == [first.id]


def test_a_file_moved_by_copying_and_deleting_is_known_by_what_it_says(
    histories: Histories, book: Path, moved: Path, first: Checkpoint
) -> None:
    """As `mv` does to another disk; a server leaves that to its own look at the file."""
    shutil.copyfile(book, moved)
    book.unlink()
    assert not follow_file(histories, moved, _CAP)
    assert ids(histories, moved) == [first.id]
    # From now on it is this file that the history goes with.
    again = moved.with_name("again.ipynb")
    moved.rename(again)
    assert follow_file(histories, again, _CAP)
    assert ids(histories, again) == [first.id]


def test_each_of_two_swapped_files_is_asked_for_with_its_own_history(
    histories: Histories, book: Path, moved: Path, first: Checkpoint
) -> None:
    second = save(histories, moved, OTHER)
    aside = book.with_name("aside.ipynb")
    book.rename(aside)
    moved.rename(book)
    aside.rename(moved)
    assert ids(histories, book) == [second.id]
    assert ids(histories, moved) == [first.id]


def test_a_copy_takes_no_history_away(
    histories: Histories, book: Path, moved: Path, first: Checkpoint
) -> None:
    shutil.copyfile(book, moved)
    assert not bring_history(histories, moved, _CAP)
    assert histories.find(str(moved)) is None
    assert ids(histories, book) == [first.id]


def test_a_store_that_takes_nothing_still_tells_a_moved_files_history(
    histories: Histories,
    book: Path,
    moved: Path,
    first: Checkpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is asked for by its id then; whoever would write the file hears why that cannot be."""

    def refuse(**_: object) -> None:
        raise Denied("The store is read-only.")

    book.rename(moved)
    monkeypatch.setattr(histories.repository, "transaction", refuse)
    assert ids(histories, moved) == [first.id]
    with pytest.raises(Denied):
        key_of(histories, str(moved), _CAP, to_write=True)


def test_what_jupyter_left_beside_the_new_name_begins_no_history_of_a_moved_file(
    histories: Histories, book: Path, moved: Path, first: Checkpoint
) -> None:
    stock = moved.parent / ".ipynb_checkpoints" / "moved-checkpoint.ipynb"
    stock.parent.mkdir()
    stock.write_bytes(OTHER)
    book.rename(moved)
    assert not take_stock_checkpoint(histories, moved)
    assert ids(histories, moved) == [first.id]


def test_a_file_that_is_edited_after_its_move_goes_on_in_its_history(
    histories: Histories, book: Path, moved: Path, first: Checkpoint
) -> None:
    book.rename(moved)
    with open(moved, "r+b") as file:
        edited = WORK.replace(b"value_1 = 1", b"value_1 = 7")
        file.write(edited)
    assert ids(histories, moved)[:1] == [first.id]
    later = checkpoint_document(histories, moved, reason=Reason.MANUAL).checkpoint
    assert ids(histories, moved) == [first.id, later.id]
    assert not os.path.lexists(book)
