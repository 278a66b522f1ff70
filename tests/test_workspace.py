"""All verbs of the faces, through the one door, with the paths that users write."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.errors import InvalidInput, NotFound
from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.settings import Settings
from jupyter_rewind.workspace import Workspace
from tests.notebooks.support import make_notebook


@pytest.fixture
def overrides(tmp_path: Path) -> dict[str, str]:
    return {
        "store.path": str(tmp_path / "store"),
        "store.key.folder": str(tmp_path / "keys"),
        "store.durability": "process",
    }


@pytest.fixture
def workspace(overrides: dict[str, str]) -> Iterator[Workspace]:
    with Workspace.open(Settings.load(overrides)) as opened:
        yield opened


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A notebook in the working folder, named as on a command line."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path("a.ipynb").write_bytes(make_notebook("x = 1"))
    return "a.ipynb"


def test_a_looking_command_makes_no_store(overrides: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        Workspace.open(Settings.load(overrides), create=False)
    assert not (tmp_path / "store").exists()


def test_the_way_of_a_notebook_through_all_verbs(
    workspace: Workspace, notebook: str, tmp_path: Path
) -> None:
    first = workspace.checkpoint(notebook, label="first").checkpoint
    Path(notebook).write_bytes(make_notebook("x = 2"))
    second = workspace.checkpoint(notebook).checkpoint
    assert [one.id for one in workspace.checkpoints(notebook)] == [first.id, second.id]
    assert workspace.resolve(notebook, "first").id == first.id
    assert workspace.read(first) == make_notebook("x = 1")
    assert workspace.notebook(second)["cells"][0]["source"] == "x = 2"
    assert workspace.diff(notebook, "first", "head").differs
    assert not workspace.diff(notebook).differs
    assert len(workspace.search(notebook, "x = ").hits) == 2
    done = workspace.restore(notebook, "first")
    assert Path(notebook).read_bytes() == make_notebook("x = 1")
    assert done.kept is not None
    assert done.kept.id == second.id
    os.unlink(notebook)
    assert [info.path for info in workspace.deleted()] == [os.path.realpath(notebook)]
    workspace.undelete(notebook)
    assert Path(notebook).read_bytes() == make_notebook("x = 1")
    assert workspace.deleted() == []
    assert workspace.pin(notebook).pinned
    assert not workspace.unpin(notebook).pinned
    assert workspace.unlabel(notebook, "first", "first").labels == ()
    exported = workspace.export(notebook, tmp_path / "out")
    assert exported.count == len(workspace.checkpoints(notebook)) == 3
    imported = workspace.import_states([tmp_path / "out"], "copy.ipynb")
    assert imported.created == 3
    assert workspace.verify(read_data=True).ok
    assert workspace.stats()


def test_a_notebook_is_the_same_by_whatever_path(workspace: Workspace, notebook: str) -> None:
    """Relative, absolute, through a symbolic link, with dots: one history."""
    made = workspace.checkpoint(notebook).checkpoint
    os.symlink("a.ipynb", "link.ipynb")
    os.mkdir("sub")
    for path in ("./a.ipynb", "sub/../a.ipynb", os.path.abspath("a.ipynb"), "link.ipynb"):
        assert workspace.resolve(path, "head").id == made.id
    assert workspace.overview(made.history).id == made.history


def test_a_history_is_asked_for_by_its_id(workspace: Workspace, notebook: str) -> None:
    made = workspace.checkpoint(notebook).checkpoint
    os.unlink(notebook)
    workspace.undelete(made.history, output="elsewhere.ipynb")
    assert Path("elsewhere.ipynb").read_bytes() == make_notebook("x = 1")
    assert workspace.resolve("elsewhere.ipynb", "head").history == made.history


def test_the_policy_is_that_of_the_settings(overrides: dict[str, str], notebook: str) -> None:
    none = dict.fromkeys(("retention.hourly", "retention.daily", "retention.weekly"), "0")
    settings = Settings.load({**overrides, **none, "retention.keep_last": "2"})
    with Workspace.open(settings) as workspace:
        for number in range(5):
            Path(notebook).write_bytes(make_notebook(f"x = {number}"))
            workspace.checkpoint(notebook, reason=Reason.SAVE)
        plan = workspace.plan_expiry()
        assert plan.count == 3
        assert len(workspace.checkpoints(notebook)) == 5
        assert len(workspace.expire(plan)) == 3
        assert len(workspace.checkpoints(notebook)) == 2
        assert workspace.plan_expiry().count == 0


def test_upkeep_is_done_once_in_a_while(overrides: dict[str, str], notebook: str) -> None:
    with Workspace.open(Settings.load(overrides)) as workspace:
        workspace.checkpoint(notebook)
        workspace.keep_up()
        assert not workspace.keep_up()
        assert len(workspace.checkpoints(notebook)) == 1


def test_files_above_the_limit_are_refused(overrides: dict[str, str], notebook: str) -> None:
    settings = Settings.load({**overrides, "notebooks.max_file_mb": "1"})
    Path(notebook).write_bytes(make_notebook("x" * (2 << 20)))
    with Workspace.open(settings) as workspace, pytest.raises(InvalidInput):
        workspace.checkpoint(notebook)


def test_the_last_good_state_is_found_behind_broken_ones(
    workspace: Workspace, notebook: str
) -> None:
    good = workspace.checkpoint(notebook).checkpoint
    for raw in (b"", b"{ broken"):
        Path(notebook).write_bytes(raw)
        workspace.checkpoint(notebook)
    assert workspace.last_good(notebook) == good
    assert workspace.condition(b"", notebook).state == "empty"
