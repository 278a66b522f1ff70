"""What speaks for a move or a copy that nobody told of, and what does not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("is_there", [True, False])
def test_what_many_notebooks_say_makes_no_copy(histories: Histories, is_there: bool) -> None:
    """Cells without ids that say next to nothing: nobody knows of a common origin."""
    keep(histories, A, old_notebook("import pandas as pd"))
    keep(histories, A, old_notebook("import numpy as np"))
    for said in ("import pandas as pd", "import numpy as np"):
        path = f"/work/{said[7:9]}.ipynb"
        keep(histories, path, old_notebook(said), there=lambda path: is_there)
        assert came_from(histories, path) == ""
    long = old_notebook("import pandas as pd", "print('what nobody else says') " * 5)
    keep(histories, A, long)
    keep(histories, B, long, there=lambda path: True)
    assert came_from(histories, B) == A


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


def template(*sources: str) -> bytes:
    """A notebook whose cells have the ids of one template."""
    return make_notebook(*(make_cell(f"t{at}", source) for at, source in enumerate(sources)))


@pytest.mark.parametrize("born", [(None, None), (1, None), (1, 2)])
def test_another_notebook_of_one_template_on_a_freed_inode_is_another(
    histories: Histories, born: tuple[int | None, int | None]
) -> None:
    """The homework of last week was deleted, and that of this week got its inode and its ids."""
    first = keep(histories, A, template("one = 1", "a = 1"), FileIdentity(1, 4711, born[0]))
    made = keep(histories, B, template("one = 2", "a = 2"), FileIdentity(1, 4711, born[1]))
    assert made.history != first.history
    assert [info.path for info in histories.deleted(lambda path: path == B)] == [A]
    assert histories.overview(A).head == first


def test_the_birth_of_the_file_tells_another_one_however_alike(histories: Histories) -> None:
    """Two copies of a long template, each with one answer: nearly all cells agree."""
    rest = ("import os", "x = 1", "y = 2", "z = 3")
    first = keep(histories, A, template("one", *rest), FileIdentity(1, 4711, 1))
    made = keep(histories, B, template("answer here", *rest), FileIdentity(1, 4711, 2))
    assert made.history != first.history
    assert came_from(histories, B) == ""


def test_the_same_file_is_followed_though_what_it_says_was_rewritten(histories: Histories) -> None:
    """Its birth says that it is this very file: then ids are enough."""
    file = FileIdentity(1, 4711, 1)
    first = keep(histories, A, template("one = 1", "two = 2"), file)
    assert keep(histories, B, template("one = 11", "two = 22"), file).history == first.history


@pytest.mark.parametrize("born", [None, 1])
def test_one_cell_of_four_is_too_little_for_a_move(histories: Histories, born: int | None) -> None:
    """Everybody imports something first."""
    file = FileIdentity(1, 4711, born)
    first = keep(histories, A, old_notebook("import os", "a = 1", "b = 1", "c = 1"), file)
    made = keep(histories, B, old_notebook("import os", "d = 1", "e = 1", "f = 1"), file)
    assert made.history != first.history


def test_a_notebook_moved_and_run_is_followed_by_its_sources(histories: Histories) -> None:
    """New outputs everywhere, and no birth to ask for."""
    output = [{"output_type": "stream", "name": "stdout", "text": "done"}]
    first = keep(histories, A, template("one = 1", "two = 2"), FILE)
    cells = [
        make_cell(f"t{at}", one, outputs=output) for at, one in enumerate(("one = 1", "two = 2"))
    ]
    assert keep(histories, B, make_notebook(*cells), FILE).history == first.history


IMPORTS = "import numpy as np\nimport pandas as pd\nimport matplotlib.pyplot as plt"
SHORT_WORK = [f"load('of the {day}.csv', sep=';')" for day in ("first", "second", "third", "last")]


@pytest.mark.parametrize("cells", [["x = 1"], [IMPORTS], ["x = 1", "x"]])
@pytest.mark.parametrize("file", [None, FileIdentity(1, 2, 2), FileIdentity(2, 1)])
def test_a_small_notebook_like_a_removed_one_is_a_notebook_of_its_own(
    histories: Histories, cells: list[str], file: FileIdentity | None
) -> None:
    """Many begin with the same few words; the removed one can still be brought back."""
    first = keep(histories, A, make_notebook(*cells), FileIdentity(1, 1, 1))
    made = keep(histories, B, make_notebook(*cells), file)
    assert made.history != first.history
    assert histories.find(A) == first.history
    assert [info.path for info in histories.deleted(lambda path: path == B)] == [A]


def test_the_same_work_on_another_disk_was_moved_there(histories: Histories) -> None:
    first = keep(histories, A, make_notebook(*SHORT_WORK), FileIdentity(1, 1, 1, disk="one"))
    other = FileIdentity(1, 2, 2, disk="other")
    assert keep(histories, B, make_notebook(*SHORT_WORK), other).history == first.history


def test_another_file_of_the_same_disk_must_say_more(histories: Histories) -> None:
    """Its birth says that it is no moved file: then a page tells, as after a checkout by git."""
    file, other = FileIdentity(1, 1, 1), FileIdentity(1, 2, 2)
    first = keep(histories, A, make_notebook(*SHORT_WORK), file)
    assert keep(histories, B, make_notebook(*SHORT_WORK), other).history != first.history
    assert came_from(histories, B) == A
    page = [text * 4 for text in SHORT_WORK]
    first = keep(histories, "/home/a/page.ipynb", make_notebook(*page), FileIdentity(1, 3, 3))
    assert keep(histories, C, make_notebook(*page), FileIdentity(1, 4, 4)).history == first.history


@pytest.fixture
def linked(folder: Path) -> tuple[str, str]:
    """The names of a notebook: as it was, and as it is since a link took the folder's place."""
    (folder / "disk" / "proj").mkdir(parents=True)
    try:
        (folder / "proj").symlink_to(folder / "disk" / "proj")
    except OSError:
        pytest.skip("links need a privilege here")
    root = os.path.realpath(folder)
    return f"{root}/proj/n.ipynb", f"{root}/disk/proj/n.ipynb"


DISK, OTHER_DISK = FileIdentity(1, 1, 1, disk="one"), FileIdentity(2, 9, 9, disk="other")


@pytest.mark.parametrize("now", ["x = 1", "all else"])
def test_a_link_in_the_old_place_leads_the_history_to_another_disk(
    histories: Histories, linked: tuple[str, str], now: str
) -> None:
    """Its name is the same as before, whatever was written into it since."""
    before, after = linked
    first = keep(histories, before, make_notebook("x = 1"), DISK)
    Path(after).write_bytes(make_notebook(now))
    made = keep(histories, after, make_notebook(now), OTHER_DISK, os.path.lexists)
    assert made.history == first.history
    assert histories.find(before) is None
    assert histories.deleted(os.path.lexists) == []


def test_a_single_notebook_with_a_link_in_its_place_goes_on(
    histories: Histories, folder: Path
) -> None:
    root = Path(os.path.realpath(folder))
    first = keep(histories, str(root / "n.ipynb"), make_notebook(*SHORT_WORK), DISK)
    (root / "moved.ipynb").write_bytes(make_notebook(*SHORT_WORK))
    (root / "n.ipynb").symlink_to("moved.ipynb")
    raw = make_notebook(*SHORT_WORK)
    made = keep(histories, str(root / "moved.ipynb"), raw, DISK, os.path.lexists)
    assert made.history == first.history


@pytest.mark.parametrize("now", ["x = 1", "all else"])
def test_under_another_name_on_another_disk_it_goes_on_while_it_says_the_same(
    histories: Histories, folder: Path, now: str
) -> None:
    """However little that is, the link that was left in its place tells. Changed as well, it has
    nothing in common with what it was: it begins anew, and the earlier history stays."""
    root = Path(os.path.realpath(folder))
    first = keep(histories, str(root / "n.ipynb"), make_notebook("x = 1"), DISK)
    (root / "moved.ipynb").write_bytes(make_notebook(now))
    (root / "n.ipynb").symlink_to("moved.ipynb")
    raw = make_notebook(now)
    made = keep(histories, str(root / "moved.ipynb"), raw, OTHER_DISK, os.path.lexists)
    assert (made.history == first.history) == (now == "x = 1")
    assert histories.read(histories.checkpoints(first.history)[0]) == make_notebook("x = 1")


def test_a_notebook_that_thousands_have_a_copy_of_comes_back_to_its_own_history(
    histories: Histories,
) -> None:
    """Only the newest copies are looked at, and whatever had this very path."""
    raw = make_notebook(*SHORT_WORK)
    first = keep(histories, A, raw, FileIdentity(1, 1, 1))
    histories.delete(A)
    for number in range(80):
        file = FileIdentity(1, 100 + number, 1)
        keep(histories, f"/home/{number}/a.ipynb", raw, file, lambda path: path != A)
    assert keep(histories, A, raw, FileIdentity(1, 9, 9)).history == first.history


def test_a_link_to_another_notebook_of_the_disk_brings_it_no_history(
    histories: Histories, linked: tuple[str, str]
) -> None:
    """The project was put aside, and a link to another one has its name now."""
    before, after = linked
    first = keep(histories, before, make_notebook("mine = 1"), DISK)
    other = FileIdentity(1, 2, 2, disk="one")
    Path(after).write_bytes(make_notebook("theirs = 1"))
    made = keep(histories, after, make_notebook("theirs = 1"), other, os.path.lexists)
    assert made.history != first.history
    assert histories.find(before) == first.history


def test_paths_of_one_name_are_known_whoever_took_them(
    histories: Histories, others: Histories
) -> None:
    """Few or many paths are taken between two looks, here or by another process."""
    wanted = []
    for number, count in enumerate([1, 2, 40, 1]):
        for each in range(count):
            path = f"/home/{number}/{each}/a.ipynb"
            keep(others, path, make_notebook(f"x = {path!r}"))
            wanted.append(path)
        histories.repository.refresh()
        assert sorted(histories.bindings.named("a.ipynb")) == sorted(wanted)
    assert histories.bindings.named("b.ipynb") == []


def test_a_disk_with_a_new_number_is_the_same_disk(histories: Histories) -> None:
    """Started anew, the machine counts its disks in another order; the files are told by theirs."""
    first = keep(histories, A, make_notebook(*SHORT_WORK), FileIdentity(1, 1, 1, disk="one"))
    other = FileIdentity(7, 2, 2, disk="one")
    assert keep(histories, B, make_notebook(*SHORT_WORK), other).history != first.history
