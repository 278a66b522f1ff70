"""What speaks for a move or a copy that nobody told of, and what does not."""

from __future__ import annotations

import json
from collections.abc import Callable

from jupyter_rewind.model.checkpoint import Checkpoint, FileIdentity, Reason
from jupyter_rewind.notebooks.history import Histories
from tests.notebooks.support import make_cell, make_notebook

A, B, C = "/home/a/a.ipynb", "/home/a/b.ipynb", "/home/a/c.ipynb"
FILE = FileIdentity(1, 4711)


def keep(
    histories: Histories,
    path: str,
    raw: bytes,
    identity: FileIdentity | None = None,
    there: Callable[[str], bool] = lambda path: False,
) -> Checkpoint:
    return histories.record(
        path, raw, reason=Reason.EXTERNAL_CHANGE, identity=identity, exists=there
    ).checkpoint


def came_from(histories: Histories, path: str) -> str:
    return histories.overview(path).came_from


def old_notebook(*sources: str) -> bytes:
    """A notebook of nbformat 4.4, whose cells have no ids."""
    cells = [make_cell("", source) for source in sources]
    for cell in cells:
        del cell["id"]
    book = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    return json.dumps(book, indent=1).encode()


def test_a_copy_of_an_older_state_says_where_it_came_from(histories: Histories) -> None:
    """The copy is seen only after the original was saved again."""
    keep(histories, A, make_notebook("1"))
    keep(histories, A, make_notebook("2"))
    made = keep(histories, B, make_notebook("1"), there=lambda path: True)
    assert made.history != histories.find(A)
    assert came_from(histories, B) == A


def test_a_copy_whose_original_was_deleted_outside_since_is_no_move(histories: Histories) -> None:
    """What the original became is not in the copy, so it does not continue it."""
    keep(histories, A, make_notebook("1"))
    keep(histories, A, make_notebook("2"))
    made = keep(histories, B, make_notebook("1"))
    assert histories.find(A) not in (None, made.history)
    assert came_from(histories, B) == A


def test_a_file_moved_and_edited_at_once_is_recognised_by_half_its_cells(
    histories: Histories,
) -> None:
    first = keep(histories, A, old_notebook("one = 1", "two = 2", "three = 3"), FILE)
    made = keep(histories, B, old_notebook("one = 1", "two = 22", "three = 3"), FILE)
    assert made.history == first.history
    assert histories.find(A) is None


def test_empty_cells_do_not_make_a_reused_inode_a_move(histories: Histories) -> None:
    """Without ids all empty cells are alike; a new notebook with one is nobody's kin."""
    first = keep(histories, A, old_notebook("one = 1", ""), FILE)
    assert keep(histories, B, old_notebook("other = 1", ""), FILE).history != first.history
    assert keep(histories, C, old_notebook(""), FILE).history != first.history
    assert came_from(histories, B) == came_from(histories, C) == ""


def test_a_new_empty_notebook_on_the_inode_of_an_empty_one_is_new(histories: Histories) -> None:
    first = keep(histories, A, old_notebook(""), FILE)
    assert keep(histories, B, old_notebook(""), FILE).history != first.history


def test_a_text_file_moved_outside_is_followed_by_its_content(histories: Histories) -> None:
    text = b"import this\n" * 20
    first = keep(histories, "/home/a/x.py", text)
    assert keep(histories, "/home/a/y.py", text).history == first.history


def test_the_file_speaks_louder_than_the_content(histories: Histories) -> None:
    """Of two equal notebooks whose files are gone, the one with this very file was moved."""
    other = keep(histories, A, make_notebook("1"), FileIdentity(1, 1))
    mine = keep(histories, B, make_notebook("1"), FILE, there=lambda path: True)
    assert mine.history != other.history
    assert keep(histories, C, make_notebook("1"), FILE).history == mine.history
    assert histories.find(A) == other.history


def test_the_same_inode_on_another_device_is_another_file(histories: Histories) -> None:
    first = keep(histories, A, make_notebook("1", "2"), FILE)
    other = FileIdentity(2, FILE.inode)
    assert keep(histories, B, make_notebook("1", "3"), other).history != first.history


def test_out_of_the_trash_by_hand_continues_the_history(histories: Histories) -> None:
    """Deleted in Jupyter, which moved the file; taken back to another place outside."""
    first = keep(histories, A, make_notebook("1"), FILE)
    histories.delete(A)
    assert keep(histories, B, make_notebook("1"), FILE).history == first.history
    assert histories.deleted() == []


def test_a_copy_of_a_deleted_notebook_is_a_copy(histories: Histories) -> None:
    """Another file with its content, elsewhere: the deleted one can still be brought back."""
    first = keep(histories, A, make_notebook("1"), FILE)
    histories.delete(A)
    made = keep(histories, B, make_notebook("1"), FileIdentity(1, 1))
    assert made.history != first.history
    assert came_from(histories, B) == A
    assert [info.id for info in histories.deleted()] == [first.history]


def test_a_file_that_gets_another_inode_is_still_followed(histories: Histories) -> None:
    """Editors write a new file and rename it into place."""
    first = keep(histories, A, make_notebook("1"), FILE)
    keep(histories, A, make_notebook("1"), FileIdentity(1, 99))
    assert len(histories.checkpoints(A)) == 1
    edited = make_notebook("1", "2")
    assert keep(histories, B, edited, FileIdentity(1, 99)).history == first.history
