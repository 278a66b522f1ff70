"""Where no document is left, other places whose documents have the same code are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.search import Nothing
from tests.support.histories import make_history
from tests.support.traces import Home, notebook_text

STEPS = [f"stage_{n} = measure_{n}(table, depth={n * 7})" for n in range(4)]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """One session ran it all; nothing names its notebook."""
    home = Home(tmp_path)
    make_history(home.path / ".ipython/profile_default/history.sqlite", [STEPS])
    return home


def put(path: Path, *cells: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(notebook_text(*cells))
    return path


def steps(home: Home, name: str) -> tuple[str, ...]:
    found = recover(home.scope(name, folder=(home.work / name).parent))
    told = found.next_steps if isinstance(found, Nothing) else found.rebuilt.next_steps
    return tuple(each for each in told if each.startswith("Is it that one?"))


@pytest.mark.parametrize(
    ("asked", "lost"),
    [
        ("nb.ipynb", "proj/deep/nb.ipynb"),
        ("other/nb.ipynb", "proj/nb.ipynb"),
        ("proj/sub/nb.ipynb", "proj/nb.ipynb"),
        ("nosuch/nb.ipynb", "nb.ipynb"),
        ("NB.ipynb", "nb.ipynb"),
        ("final-study.ipynb", "nb.ipynb"),
    ],
    ids=["a folder too high", "beside", "too deep", "no such folder", "another case", "renamed"],
)
def test_checkpoint_of_a_missing_notebook_is_told(home: Home, asked: str, lost: str) -> None:
    """You stand in another folder, or write another name: the command that has it is told."""
    notebook = home.work / lost
    put(notebook.parent / ".ipynb_checkpoints" / "nb-checkpoint.ipynb", *STEPS[:3])
    [step] = steps(home, asked)
    assert f"A checkpoint of {notebook}, which is missing, has 3 of these 4 cells" in step
    assert step.endswith(f"jupyter rewind recover {notebook}")
    found = recover(home.scope(lost))
    assert isinstance(found, Recovery)
    assert [each.cell.source for each in found.rebuilt.cells] == STEPS


def test_checkpoint_of_the_name_before_is_told_where_it_has_more(tmp_path: Path) -> None:
    """`mv` gave the file another name and left a checkpoint that has cells which are gone."""
    home = Home(tmp_path)
    put(home.work / "final.ipynb", *STEPS[:2])
    put(home.work / ".ipynb_checkpoints" / "nb-checkpoint.ipynb", *STEPS)
    [step] = steps(home, "final.ipynb")
    assert f"A checkpoint of {home.work / 'nb.ipynb'}, which is missing, has 2 of" in step
    put(home.work / "final.ipynb", *STEPS)
    assert steps(home, "final.ipynb") == ()


def test_whole_notebook_in_a_folder_below_is_told(home: Home) -> None:
    """The notebook lies one folder below, and nothing is wrong with it."""
    notebook = put(home.work / "proj" / "nb.ipynb", *STEPS)
    [step] = steps(home, "nb.ipynb")
    assert f"{notebook} has 4 of these 4 cells" in step


def test_name_alone_is_told_where_nothing_was_run(tmp_path: Path) -> None:
    """Without any history: a notebook of that very name below is told."""
    home = Home(tmp_path)
    notebook = put(home.work / "proj" / "nb.ipynb", "a = 1")
    [step] = steps(home, "nb.ipynb")
    assert f"{notebook} has this name" in step


def test_other_notebooks_are_not_told(home: Home) -> None:
    """What has nothing of the code and another name is no answer."""
    put(home.work / "proj" / "other.ipynb", "taxes = 1", "pay(taxes)")
    put(home.work / ".ipynb_checkpoints" / "third-checkpoint.ipynb", STEPS[0], "alone = 1")
    (home.work / "proj" / "broken.ipynb").write_bytes(b"{\0\0")
    assert steps(home, "nb.ipynb") == ()


def test_checkpoint_that_was_named_instead_of_its_notebook_tells_that_one(home: Home) -> None:
    """All other traces go by the notebook's name: the command for that is told."""
    kept = put(home.work / ".ipynb_checkpoints" / "nb-checkpoint.ipynb", *STEPS[:3])
    found = recover(home.scope(str(kept.relative_to(home.work)), folder=kept.parent))
    assert isinstance(found, Recovery)
    step = found.rebuilt.next_steps[0]
    assert step.startswith("This is Jupyter's checkpoint of nb.ipynb.")
    assert step.endswith(f"jupyter rewind recover {home.work / 'nb.ipynb'}")
