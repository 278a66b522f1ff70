"""A git history taken in whole: merges, branches, commits of one second, names used again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import InvalidInput, NotFound
from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.notebooks import exchange
from jupyter_rewind.notebooks.history import Histories
from tests.notebooks.support import make_notebook
from tests.notebooks.test_exchange import git

PATH = "/home/a/n.ipynb"
OTHER = "/home/a/other.ipynb"
A, B, C, D, E = (make_notebook(f"x = {name!r}", "y" * 500) for name in "ABCDE")


@pytest.fixture
def repo(folder: Path) -> Path:
    git(folder, "init", "-q", "-b", "main")
    return folder


def commit(repo: Path, raw: bytes, second: int, name: str = "n.ipynb") -> None:
    (repo / name).write_bytes(raw)
    git(repo, "add", name)
    git(repo, "commit", "-qm", "kept", f"--date=2024-01-01T00:00:{second:02}Z")


def states(histories: Histories, path: str = PATH) -> list[bytes]:
    return [histories.read(one) for one in histories.checkpoints(path)]


def test_commits_of_one_second_keep_their_order(histories: Histories, repo: Path) -> None:
    """What was changed back within a second is there again, and the last one is the head."""
    for raw in (A, B, C, A, C):
        commit(repo, raw, 7)
    done = exchange.import_git(histories, repo, "n.ipynb", PATH)
    assert (done.count, done.created) == (5, 5)
    assert states(histories) == [A, B, C, A, C]
    assert exchange.import_git(histories, repo, "n.ipynb", PATH).created == 0
    assert states(histories) == [A, B, C, A, C]


@pytest.mark.parametrize("way", ["git", "folder"])
def test_saves_of_one_moment_come_back_from_an_export(
    histories: Histories, folder: Path, fake_clock: clock.FakeClock, way: str
) -> None:
    """Saves that no clock tells apart go out and in again, in their order."""
    for raw in (A, B, A, C, A):
        histories.record(PATH, raw, reason=Reason.SAVE)
    if way == "git":
        exchange.export_git(histories, PATH, folder)
        done = exchange.import_git(histories, folder, "n.ipynb", OTHER)
    else:
        exchange.export_folder(histories, PATH, folder / "out")
        done = exchange.import_folder(histories, folder / "out", OTHER)
        assert exchange.import_folder(histories, folder / "out", PATH).created == 0
    assert done.created == 5
    assert states(histories, OTHER) == [A, B, A, C, A]


def test_what_a_merge_was_resolved_to_is_taken(histories: Histories, repo: Path) -> None:
    """Two branches changed the notebook, and their merge is a third state: all three are there."""
    commit(repo, A, 1)
    git(repo, "checkout", "-qb", "side")
    commit(repo, B, 2)
    git(repo, "checkout", "-q", "main")
    commit(repo, C, 3)
    git(repo, "merge", "-q", "--no-commit", "-s", "ours", "side")
    commit(repo, D, 4)
    commit(repo, E, 5)
    done = exchange.import_git(histories, repo, "n.ipynb", PATH)
    assert done.count == 5
    assert states(histories) == [A, B, C, D, E]


def test_a_side_that_a_merge_gave_up_is_taken(histories: Histories, repo: Path) -> None:
    """A merge kept one side whole: what the other one held is a state of the notebook as well,
    and the merge itself is none."""
    commit(repo, A, 1)
    git(repo, "checkout", "-qb", "side")
    commit(repo, B, 2)
    git(repo, "checkout", "-q", "main")
    commit(repo, C, 3)
    git(repo, "merge", "-q", "-s", "ours", "-m", "kept ours", "side")
    done = exchange.import_git(histories, repo, "n.ipynb", PATH)
    assert done.count == 3
    assert states(histories) == [A, B, C]


def test_a_rename_and_a_merge_are_followed_together(histories: Histories, repo: Path) -> None:
    """A notebook renamed on one branch and merged is one history; another one that gets its
    former name later is not part of it."""
    commit(repo, A, 1, "old.ipynb")
    git(repo, "checkout", "-qb", "side")
    commit(repo, B, 2, "old.ipynb")
    git(repo, "mv", "old.ipynb", "n.ipynb")
    git(repo, "commit", "-qm", "moved", "--date=2024-01-01T00:00:03Z")
    git(repo, "checkout", "-q", "main")
    commit(repo, make_notebook("elsewhere"), 4, "elsewhere.ipynb")
    git(repo, "merge", "-q", "--no-ff", "-m", "merged", "side")
    commit(repo, D, 6)
    commit(repo, E, 7, "old.ipynb")
    exchange.import_git(histories, repo, "n.ipynb", PATH)
    assert states(histories) == [A, B, D]


def test_a_repository_is_not_put_into_another_one(histories: Histories, repo: Path) -> None:
    """An export refuses a folder of a work tree, and makes nothing there."""
    commit(repo, A, 1)
    histories.record(PATH, B, reason=Reason.SAVE)
    with pytest.raises(InvalidInput, match="within the git repository"):
        exchange.export_git(histories, PATH, repo / "m" / "sub")
    assert sorted(os.listdir(repo)) == [".git", "n.ipynb"]


def test_a_repository_is_not_made_in_vain(histories: Histories, folder: Path) -> None:
    """An export to git refuses a file, and makes nothing for a notebook without a history."""
    histories.record(PATH, B, reason=Reason.SAVE)
    (folder / "file").write_text("mine")
    with pytest.raises(InvalidInput, match="is a file"):
        exchange.export_git(histories, PATH, folder / "file")
    with pytest.raises(NotFound):
        exchange.export_git(histories, "/home/a/none.ipynb", folder / "new")
    assert os.listdir(folder) == ["file"]


def test_a_name_as_long_as_names_can_be_goes_through_git(
    histories: Histories, folder: Path
) -> None:
    """A file name of 255 bytes is exported, and taken back."""
    name = "ü" * 124 + ".ipynb!"
    assert len(name.encode()) == 255
    histories.record(f"/p/{name}", A, reason=Reason.SAVE)
    exchange.export_git(histories, f"/p/{name}", folder)
    exchange.import_git(histories, folder, name, OTHER)
    assert states(histories, OTHER) == [A]
