"""A notebook is moved outside Jupyter, and another one has its name before anybody looks."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from jupyter_rewind.model.checkpoint import Checkpoint, FileIdentity, Reason
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


def test_a_notebook_known_under_its_new_name_stays_what_it_is(
    histories: Histories, name: Path, moved: Path
) -> None:
    """Moved over another notebook, whose history goes on there: nothing is taken from it."""
    name.write_bytes(WORK)
    begun = look(histories, name)
    moved.write_bytes(OTHER)
    theirs = look(histories, moved)
    os.replace(name, moved)
    name.write_bytes(BLANK)
    assert look(histories, name).history == begun.history
    assert look(histories, moved).history == theirs.history


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
