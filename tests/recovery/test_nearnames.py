"""Copies beside a lost notebook, mistyped names, and folders that were moved: told, never taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.search import Nothing
from tests.support.histories import make_history
from tests.support.traces import Home, notebook_text

STEPS = [f"stage_{n} = measure_{n}(table, depth={n * 7})" for n in range(4)]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def put(path: Path, *cells: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(notebook_text(*cells))
    return path


def checkpoint(home: Home, name: str, *cells: str) -> None:
    put(home.work / ".ipynb_checkpoints" / f"{Path(name).stem}-checkpoint.ipynb", *cells)


def told(home: Home, name: str, **more: Any) -> tuple[str, ...]:
    found = recover(home.scope(name, **more))
    return found.next_steps if isinstance(found, Nothing) else found.rebuilt.next_steps


def connection(home: Home, notebook: Path) -> None:
    """The connection file of a kernel that ran for the notebook."""
    runtime = home.path / ".local/share/jupyter/runtime"
    runtime.mkdir(parents=True, exist_ok=True)
    place = runtime / f"kernel-{notebook.parent.name}.json"
    place.write_text(json.dumps({"jupyter_session": str(notebook), "key": "x"}))


@pytest.mark.parametrize(
    "copy",
    [
        "l-Copy1.ipynb", "Copy of l.ipynb", "l (1).ipynb", "l_backup.ipynb", "l.ipynb.txt",
        "l.ipynb.crdownload", ".l.ipynb.a8Xk2Q",
    ],
)  # fmt: skip
def test_copy_beside_a_lost_notebook_is_named_with_the_command(home: Home, copy: str) -> None:
    """Jupyter's Duplicate, a browser's download, what rsync left: nothing else is there, and the
    command that is told brings it back."""
    place = put(home.work / copy, *STEPS)
    [step] = [each for each in told(home, "l.ipynb") if each.startswith(copy)]
    assert "has 4 cells. If it is one: jupyter rewind recover" in step
    brought = recover(home.scope("l.ipynb", scan=(place,)))
    assert isinstance(brought, Recovery)
    assert [each.cell.source for each in brought.rebuilt.cells] == STEPS


def test_copy_that_has_more_than_what_came_back_is_named(home: Home) -> None:
    """The checkpoint is built on; the copy has a cell more: it is told, and not taken."""
    checkpoint(home, "l.ipynb", *STEPS[:3])
    put(home.work / "l-Copy1.ipynb", *STEPS)
    put(home.work / "l-Copy2.ipynb", *STEPS[:2])
    steps = told(home, "l.ipynb")
    assert ["has 1 cell that is not in what came back" in each for each in steps] == [True]


def test_copy_of_a_whole_notebook_is_left_alone(home: Home) -> None:
    """Nothing is lost: who duplicated a notebook wanted another one."""
    put(home.work / "l.ipynb", *STEPS[:2])
    put(home.work / "l-Copy1.ipynb", *STEPS)
    assert not any("l-Copy1" in each for each in told(home, "l.ipynb"))


def test_notebook_of_a_longer_name_is_no_copy(home: Home) -> None:
    """`l2.ipynb` and `l_new_data.ipynb` are notebooks of their own."""
    put(home.work / "l2.ipynb", *STEPS)
    put(home.work / "l_new_data.ipynb", *STEPS)
    assert not any("called like a copy" in each for each in told(home, "l.ipynb"))


@pytest.mark.parametrize(
    "asked", ["SalesReport.ipynb", "SALES-REPORT.ipynb", "Sales-Report.ipynb", "Slaes Report.ipynb"]
)
def test_mistyped_name_is_answered_with_the_one_that_left_traces(home: Home, asked: str) -> None:
    """Another case, no blank, two letters exchanged: the name that has traces is told."""
    checkpoint(home, "Sales Report.ipynb", *STEPS)
    checkpoint(home, "train.ipynb", "other = 1")
    [step] = [each for each in told(home, asked) if each.startswith("Did you mean")]
    assert step.startswith("Did you mean Sales Report.ipynb? It is gone: jupyter rewind recover '")
    assert step.endswith("Sales Report.ipynb'")


def test_mistyped_name_is_asked_about_beside_a_guess(home: Home) -> None:
    """The newest session is offered for a name that no trace knows: it may be a slip."""
    make_history(home.path / ".ipython/profile_default/history.sqlite", [STEPS])
    put(home.work / "Sales Report.ipynb", "other = 1")
    steps = told(home, "sales_report.ipynb")
    assert any(each.startswith("Did you mean Sales Report.ipynb? It is here") for each in steps)


def test_name_that_a_trace_knows_is_not_asked_about(home: Home) -> None:
    """It has a checkpoint of its own: no other name is meant."""
    checkpoint(home, "report1.ipynb", *STEPS)
    checkpoint(home, "report2.ipynb", "other = 1")
    assert not any("Did you mean" in each for each in told(home, "report1.ipynb"))


def test_names_that_are_nothing_alike_are_not_asked_about(home: Home) -> None:
    """A guess at random helps nobody."""
    checkpoint(home, "train.ipynb", *STEPS)
    assert not any("Did you mean" in each for each in told(home, "poem.ipynb"))


def test_few_missing_notebooks_beside_it_may_be_its_earlier_names(home: Home) -> None:
    """Renamed in Jupyter while its kernel ran, then deleted: all that ran is under the old name."""
    connection(home, home.work / "draft.ipynb")
    [step] = [each for each in told(home, "report.ipynb") if "another name" in each]
    assert step.startswith("Had it another name before? draft.ipynb was here, and is gone: jupyter")
    assert step.endswith(f"recover {home.work / 'draft.ipynb'}")
    for number in range(4):
        put(home.work / ".ipynb_checkpoints" / f"x{number * 'yz'}-checkpoint.ipynb", *STEPS)
    assert not any("another name" in each for each in told(home, "report.ipynb"))


def test_missing_notebook_of_the_name_in_a_folder_that_was_moved_is_named(home: Home) -> None:
    """`mv proj proj2`, then the notebook is lost: its kernel was started for `proj/n.ipynb`."""
    gone = home.work / "proj/n.ipynb"
    (home.work / "proj2").mkdir()
    connection(home, gone)
    connection(home, home.work / "third/other.ipynb")
    [step] = [each for each in told(home, "proj2/n.ipynb", folder=home.work / "proj2")
              if each.startswith("Is it that one?")]  # fmt: skip
    assert f"{gone}, which is missing, has left a trace" in step
    assert step.endswith(f"jupyter rewind recover {gone}")


def test_notebook_of_the_name_that_is_there_is_not_called_missing(home: Home) -> None:
    """The other project's `n.ipynb` is whole: it was not moved here."""
    connection(home, put(home.work / "proj/n.ipynb", "x = 1"))
    (home.work / "proj2").mkdir()
    steps = told(home, "proj2/n.ipynb", folder=home.work / "proj2")
    assert not any("which is missing" in each for each in steps)


def test_checkpoint_and_connection_of_one_notebook_are_told_once(home: Home) -> None:
    """Two traces lead to the same command: it stands there once."""
    checkpoint(home, "n.ipynb", *STEPS)
    connection(home, home.work / "n.ipynb")
    (home.work / "sub").mkdir()
    steps = told(home, "sub/n.ipynb", folder=home.work / "sub")
    command = f"jupyter rewind recover {home.work / 'n.ipynb'}"
    assert [each.endswith(command) for each in steps if command in each] == [True]


def test_folder_that_is_not_there_costs_no_guess(home: Home) -> None:
    """A folder that is not there: nothing fails, and the history still gives its guess."""
    make_history(home.path / ".ipython/profile_default/history.sqlite", [STEPS])
    found = recover(home.scope("nosuch/n.ipynb", folder=home.work / "nosuch"))
    assert isinstance(found, Recovery)
    assert [each.cell.source for each in found.rebuilt.cells] == STEPS
