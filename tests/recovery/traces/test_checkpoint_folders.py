"""Checkpoints where Jupyter's configuration says, and not in `.ipynb_checkpoints`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.recover import recover
from jupyter_rewind.recovery.traces.checkpoints import CheckpointFinder
from tests.support.traces import Home, notebook_text, traces_of


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def keep(folder: Path, *cells: str) -> Path:
    path = folder / "analysis-checkpoint.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(notebook_text(*cells))
    return path


CONFIGURATIONS = {
    ".jupyter/jupyter_server_config.py": "c.FileCheckpoints.checkpoint_dir = r'{}'\n",
    ".jupyter/jupyter_notebook_config.py": 'c.FileCheckpoints.checkpoint_dir="{}"\n',
    ".jupyter/jupyter_server_config.json": '{{"FileCheckpoints": {{"checkpoint_dir": "{}"}}}}',
    ".jupyter/jupyter_server_config.d/own.json": '{{"FileCheckpoints":{{"checkpoint_dir":"{}"}}}}',
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_checkpoints_of_another_name_are_found(home: Home, name: str) -> None:
    """Who wants no folders of Jupyter's among the work gives them another name."""
    told = home.path / name
    told.parent.mkdir(parents=True)
    told.write_text(CONFIGURATIONS[name].format("_kept/checkpoints"))
    place = keep(home.work / "_kept/checkpoints", "x = 1")
    for scope in (home.scope(), home.scope(None)):
        [trace] = traces_of(CheckpointFinder(), scope)
        assert (trace.place, trace.notebook) == (str(place), str(home.work / "analysis.ipynb"))


def test_checkpoints_of_all_folders_in_one_are_judged_by_their_code(home: Home) -> None:
    """There the name alone says whose each is: another notebook's state changes nothing."""
    kept = home.path / "checkpoints"
    told = home.path / ".jupyter/jupyter_server_config.py"
    told.parent.mkdir()
    told.write_text("c.FileCheckpoints.checkpoint_dir = '~/checkpoints'\n")
    own = [f"part_{n} = load({n}, 'rows')" for n in range(3)]
    place = keep(kept, *own, "more = join(part_1)")
    [trace] = traces_of(CheckpointFinder(), home.scope())
    assert trace.place == str(place)
    assert traces_of(CheckpointFinder(), home.scope(None)) == []
    saved = home.work / "analysis.ipynb"
    saved.write_text(notebook_text(*own)[:-80])
    assert len(recovered(home)) == 4
    saved.write_text(notebook_text("shop = open_shop()", "sales = shop.sell(3)", "print(sales)"))
    os.utime(saved, (1_700_000_000, 1_700_000_000))
    assert len(recovered(home)) == 3


def recovered(home: Home) -> list[str]:
    made = recover(home.scope())
    assert not isinstance(made, search.Nothing)
    return [each.cell.source for each in made.rebuilt.cells]


@pytest.mark.parametrize(
    "text", ["checkpoint_dir = 3", "{", json.dumps({"checkpoint_dir": "a\0b"})]
)
def test_odd_configurations_cost_nothing(home: Home, text: str) -> None:
    """What does not say a folder leaves the usual one."""
    for name in CONFIGURATIONS:
        told = home.path / name
        told.parent.mkdir(parents=True, exist_ok=True)
        told.write_text(text)
    place = keep(home.work / ".ipynb_checkpoints", "x = 1")
    [trace] = traces_of(CheckpointFinder(), home.scope())
    assert trace.place == str(place)
