"""A notebook is moved outside Jupyter, and another one has its name before anybody looks."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from jupyter_rewind.model.checkpoint import Checkpoint, FileIdentity, Reason
from jupyter_rewind.notebooks.absence import is_missing
from jupyter_rewind.notebooks.files import identify
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.notebooks.takeover import has_moved_to
from tests.notebooks.support import make_cell, make_notebook

WORK = make_notebook(
    make_cell("w1", "import numpy as np"),
    make_cell("w2", "data = np.arange(12)"),
    make_cell("w3", "data.sum()"),
)
LATER = make_notebook(
    make_cell("w1", "import numpy as np"),
    make_cell("w2", "data = np.arange(12)"),
    make_cell("w3", "data.mean()"),
)
OTHER = make_notebook(make_cell("o1", "import pandas"), make_cell("o2", "pandas.read_csv('x')"))
BLANK = make_notebook(make_cell("n1", ""))


def look(histories: Histories, path: Path, reason: Reason = Reason.EXTERNAL_CHANGE) -> Checkpoint:
    """What a look at the file keeps."""
    return histories.record(
        str(path),
        path.read_bytes(),
        reason=reason,
        identity=identify(path),
        exists=os.path.lexists,
    ).checkpoint


@pytest.fixture
def name(folder: Path) -> Path:
    return folder / "Untitled.ipynb"


@pytest.fixture
def moved(folder: Path) -> Path:
    return folder / "analysis.ipynb"


def has_birth(path: Path) -> bool:
    found = identify(path)
    return found is not None and found.born_ns is not None


@pytest.mark.parametrize("new", [OTHER, BLANK], ids=["another", "blank"])
@pytest.mark.parametrize("first", ["the new one", "the moved one"])
@pytest.mark.parametrize("reason", [Reason.EXTERNAL_CHANGE, Reason.AUTOSAVE])
def test_the_history_goes_with_the_file_whoever_is_seen_first(
    histories: Histories, name: Path, moved: Path, new: bytes, first: str, reason: Reason
) -> None:
    name.write_bytes(WORK)
    begun = look(histories, name)
    name.rename(moved)
    name.write_bytes(new)
    pair = [name, moved] if first == "the new one" else [moved, name]
    for path in pair:
        look(histories, path, reason)
    assert [one.id for one in histories.checkpoints(str(moved))] == [begun.id]
    [other] = histories.checkpoints(str(name))
    assert histories.read(other) == new
    assert other.history != begun.history
    assert histories.overview(str(name)).came_from == ""


def test_a_moved_notebook_that_was_edited_is_followed_by_its_file(
    histories: Histories, name: Path, moved: Path
) -> None:
    name.write_bytes(WORK)
    if not has_birth(name):
        pytest.skip("this file system does not tell when a file was made")
    begun = look(histories, name)
    name.rename(moved)
    moved.write_bytes(LATER)
    name.write_bytes(OTHER)
    assert look(histories, name).history != begun.history
    assert look(histories, moved).history == begun.history


def test_an_editors_backup_takes_no_history_along(
    histories: Histories, name: Path, folder: Path
) -> None:
    """Some editors rename the old file and write a new one in its place."""
    name.write_bytes(WORK)
    begun = look(histories, name)
    backup = folder / "Untitled-backup.ipynb"
    name.rename(backup)
    name.write_bytes(LATER)
    assert look(histories, name).history == begun.history
    copy = look(histories, backup)
    assert copy.history != begun.history
    assert histories.overview(str(backup)).came_from == str(name)
    assert len(histories.checkpoints(str(name))) == 2


@pytest.mark.parametrize("damaged", [b"", b"\0" * 400, WORK[:150]])
def test_damage_under_the_old_name_takes_the_history_nowhere(
    histories: Histories, name: Path, moved: Path, damaged: bytes
) -> None:
    """A program that puts the old file aside and fails to write the new one."""
    name.write_bytes(WORK)
    begun = look(histories, name)
    name.rename(moved)
    name.write_bytes(damaged)
    assert look(histories, name).history == begun.history


def test_a_hard_link_is_no_move(histories: Histories, name: Path, moved: Path) -> None:
    name.write_bytes(WORK)
    begun = look(histories, name)
    os.link(name, moved)
    assert not has_moved_to(histories, str(moved), _identity(moved))
    assert look(histories, moved).history != begun.history
    assert look(histories, name).history == begun.history


def test_a_restore_of_something_else_beside_a_hard_link_stays(
    histories: Histories, name: Path, moved: Path
) -> None:
    """What a restore writes is of the history, however unlike its last state."""
    name.write_bytes(OTHER)
    begun = look(histories, name)
    name.write_bytes(WORK)
    look(histories, name)
    os.link(name, moved)
    name.unlink()
    name.write_bytes(OTHER)
    assert look(histories, name, Reason.RESTORE).history == begun.history
    assert len(histories.checkpoints(str(name))) == 3


def test_another_notebook_over_the_old_one_continues_its_history(
    histories: Histories, name: Path
) -> None:
    """As a checkout of another branch: the file that was there is nowhere any more."""
    name.write_bytes(WORK)
    begun = look(histories, name)
    name.unlink()
    name.write_bytes(OTHER)
    assert look(histories, name).history == begun.history


def names_of(histories: Histories) -> dict[str, list[bytes]]:
    """What each history that has a name holds, by the name of its file."""
    return {
        Path(info.path).name: [histories.read(one) for one in histories.checkpoints(info.id)]
        for info in histories.all()
        if not info.deleted
    }


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_two_notebooks_that_swap_names_keep_their_histories(
    histories: Histories, folder: Path, order: str
) -> None:
    a, b = folder / "a.ipynb", folder / "b.ipynb"
    a.write_bytes(WORK)
    b.write_bytes(OTHER)
    for path in (a, b):
        look(histories, path)
    a.rename(folder / "t.ipynb")
    b.rename(a)
    (folder / "t.ipynb").rename(b)
    for letter in order:
        look(histories, folder / f"{letter}.ipynb")
    assert names_of(histories) == {"a.ipynb": [OTHER], "b.ipynb": [WORK]}
    assert histories.deleted() == []


@pytest.mark.parametrize("order", ["cur old", "old cur"])
def test_names_that_go_on_by_one_take_their_histories_along(
    histories: Histories, folder: Path, order: str
) -> None:
    """`mv cur old; mv new cur`: what `old` was is overwritten, and can be brought back."""
    third = make_notebook(make_cell("z", "third = 3"), make_cell("y", "print(third)"))
    for name, raw in (("cur", WORK), ("old", OTHER), ("new", third)):
        (folder / f"{name}.ipynb").write_bytes(raw)
        look(histories, folder / f"{name}.ipynb")
    os.replace(folder / "cur.ipynb", folder / "old.ipynb")
    os.replace(folder / "new.ipynb", folder / "cur.ipynb")
    for name in order.split():
        look(histories, folder / f"{name}.ipynb")
    assert names_of(histories) == {"cur.ipynb": [third], "old.ipynb": [WORK]}
    [lost] = histories.deleted()
    assert Path(lost.path).name == "old.ipynb"
    assert histories.read(histories.checkpoints(lost.id)[0]) == OTHER


@pytest.mark.parametrize("order", ["ana ana-old", "ana-old ana"])
def test_a_draft_that_becomes_the_notebook_brings_its_history(
    histories: Histories, folder: Path, order: str
) -> None:
    """`cp ana new`, edits of `new`, `mv ana ana-old; mv new ana`: both go on, however alike."""
    ana, new = folder / "ana.ipynb", folder / "new.ipynb"
    ana.write_bytes(WORK)
    look(histories, ana)
    shutil.copy(ana, new)
    look(histories, new)
    new.write_bytes(LATER)
    look(histories, new)
    ana.rename(folder / "ana-old.ipynb")
    new.rename(ana)
    for name in order.split():
        look(histories, folder / f"{name}.ipynb")
    assert names_of(histories) == {"ana.ipynb": [WORK, LATER], "ana-old.ipynb": [WORK]}
    assert histories.deleted() == []


def test_a_notebook_over_an_unlike_one_brings_its_history(
    histories: Histories, name: Path, moved: Path
) -> None:
    """As a rename in Jupyter does; the overwritten one stands among the deleted."""
    name.write_bytes(WORK)
    begun = look(histories, name)
    moved.write_bytes(OTHER)
    theirs = look(histories, moved)
    os.replace(name, moved)
    assert has_moved_to(histories, str(moved), _identity(moved))
    name.write_bytes(BLANK)
    assert look(histories, moved).history == begun.history
    assert look(histories, name).history not in (begun.history, theirs.history)
    assert [one.id for one in histories.deleted()] == [theirs.history]


def test_a_program_that_writes_a_known_copy_and_renames_it_changes_no_history(
    histories: Histories, name: Path, folder: Path
) -> None:
    """Where the copy was seen before it had the name: what it holds is an edit of the notebook.
    And its own history, whose file lives, is not counted as gone."""
    name.write_bytes(WORK)
    begun = look(histories, name)
    temporary = folder / "tmp-of-a-tool.ipynb"
    temporary.write_bytes(LATER)
    other = look(histories, temporary)
    os.replace(temporary, name)
    assert look(histories, name).history == begun.history
    assert len(histories.checkpoints(str(name))) == 2
    assert not has_moved_to(histories, str(name), _identity(name))
    place = histories.bindings.place(other.history)
    assert place is not None
    assert place.bound
    assert not is_missing(histories, other.history, place)
    name.unlink()
    assert is_missing(histories, other.history, place)


def test_what_is_deleted_is_not_kept_for_another_notebook(
    histories: Histories, name: Path, moved: Path
) -> None:
    name.write_bytes(WORK)
    begun = look(histories, name)
    name.rename(moved)
    name.write_bytes(OTHER)
    last = look(histories, name, Reason.BEFORE_DELETE)
    histories.delete(str(name))
    assert last.history != begun.history
    assert names_of(histories) == {"analysis.ipynb": [WORK]}
    assert look(histories, moved).history == begun.history


@pytest.mark.parametrize("where", ["beside", "elsewhere"])
def test_a_new_notebook_under_a_vacated_name_begins_a_history(
    histories: Histories, folder: Path, name: Path, where: str
) -> None:
    """Jupyter says that it makes a new one; the moved one is found when it is seen."""
    name.write_bytes(WORK)
    begun = look(histories, name)
    target = folder / ("analysis.ipynb" if where == "beside" else "deep/analysis.ipynb")
    target.parent.mkdir(exist_ok=True)
    name.rename(target)
    name.write_bytes(BLANK)
    histories.vacate(str(name))
    new = look(histories, name, Reason.SAVE)
    assert new.history != begun.history
    assert look(histories, target).history == begun.history
    assert [one.id for one in histories.checkpoints(str(name))] == [new.id]


def test_a_name_without_history_is_vacant(histories: Histories, name: Path) -> None:
    histories.vacate(str(name))
    assert histories.all() == []


def test_a_moved_file_is_known_where_it_is_listed(
    histories: Histories, name: Path, moved: Path
) -> None:
    name.write_bytes(WORK)
    look(histories, name)
    assert not has_moved_to(histories, str(name), _identity(name))
    shutil.copy2(name, moved)
    assert not has_moved_to(histories, str(moved), _identity(moved))
    moved.unlink()
    name.rename(moved)
    assert has_moved_to(histories, str(moved), _identity(moved))
    name.write_bytes(OTHER)
    assert has_moved_to(histories, str(moved), _identity(moved))
    look(histories, moved)
    assert not has_moved_to(histories, str(moved), _identity(moved))


def _identity(path: Path) -> FileIdentity:
    found = identify(path)
    assert found is not None
    return found
