"""Folders that may not be entered: of other people, above, beside and below the notebook's."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from jupyter_rewind import rescue
from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.evidence import Problem
from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.traces.fileids import FileIdFinder
from tests.support.histories import make_history
from tests.support.processes import anybodys_folder, run_unprivileged
from tests.support.traces import Home, notebook_text

RAN = ["rows = [3, 1, 2]", "rows.sort()", "spread = max(rows) - min(rows)"]


@pytest.fixture
def home() -> Iterator[Home]:
    """Ann's home; Bob's beside it is closed, and so is a folder in hers."""
    with anybodys_folder() as top:
        (top / "bob" / "work").mkdir(parents=True)
        made = Home(top / "ann")
        (made.work / "closed" / "inner").mkdir(parents=True)
        (made.path / "scratch").chmod(0o777)
        yield made
        for each in (top / "bob", made.work / "closed"):
            each.chmod(0o755)


def close(home: Home) -> None:
    (home.path.parent / "bob").chmod(0o000)
    (home.work / "closed").chmod(0o000)


@pytest.mark.parametrize("name", ["analysis.ipynb", None], ids=["notebook", "folder"])
def test_closed_folder_costs_itself_alone(home: Home, name: str | None) -> None:
    """On a machine of many people a script beside the notebook is found all the same."""
    script = home.work / "analysis.py"
    script.write_text("# %%\nx = 1\n\n# %% [markdown]\n# # Rows\n")
    (home.work / "analysis.ipynb").write_text(notebook_text("x = 1"))
    close(home)

    def look() -> None:
        found = search.look(home.scope(name))
        assert str(script) in {each.place for each in found.traces}
        titles = {each.title for each in found.places}
        assert not [each for each in found.problems if each.place in titles], found.problems

    run_unprivileged(look)


def test_configuration_that_may_not_be_read_hides_no_checkpoint(home: Home) -> None:
    """Jupyter's configuration is in a folder of another person: the usual place is looked at."""
    kept = home.work / ".ipynb_checkpoints" / "analysis-checkpoint.ipynb"
    kept.parent.mkdir()
    kept.write_text(notebook_text("x = 1"))
    close(home)
    environ = {"JUPYTER_CONFIG_DIR": str(home.path.parent / "bob" / "work")}

    def look() -> None:
        found = search.look(home.scope(environ=environ))
        assert str(kept) in {each.place for each in found.traces}

    run_unprivileged(look)


def test_notebook_in_a_closed_folder_comes_back_from_what_ran(home: Home) -> None:
    """Its folder may not be entered any more; what was run is told all the same."""
    history = home.path / ".ipython/profile_default/history.sqlite"
    make_history(history, [RAN])
    close(home)

    def bring() -> None:
        made = recover(home.scope("closed/analysis.ipynb", folder=home.work / "closed"))
        assert isinstance(made, Recovery)
        assert [each.cell.source for each in made.rebuilt.cells] == RAN
        assert any(str(home.work / "closed") in each.place for each in made.problems)

    run_unprivileged(bring)


def test_moved_notebook_is_found_beside_a_closed_folder(home: Home) -> None:
    """One folder that may not be listed does not hide where the file was moved to."""
    old, new = home.work / "analysis.ipynb", home.work / "zoo" / "report.ipynb"
    new.parent.mkdir()
    new.write_text(notebook_text("x = 1"))
    table = home.path / ".local/share/jupyter/file_id_manager.db"
    table.parent.mkdir(parents=True)
    with closing(sqlite3.connect(table)) as database, database:
        database.execute("CREATE TABLE Files (id TEXT, path TEXT, ino INTEGER)")
        row = ("one", str(old), os.stat(new).st_ino)
        database.execute("INSERT INTO Files VALUES (?, ?, ?)", row)
    close(home)

    def look() -> None:
        finder, scope = FileIdFinder(), home.scope()
        (trace,) = (each for each in finder.find(scope) if not isinstance(each, Problem))
        assert str(new) in {each.name for each in finder.read(trace, scope).names}

    run_unprivileged(look)


def test_name_in_a_closed_folder_is_a_notebooks(home: Home) -> None:
    """What cannot be seen is looked for by its name, and not refused."""
    path = home.work / "closed" / "analysis"
    close(home)
    wanted = path.with_suffix(".ipynb"), path.parent
    run_unprivileged(lambda: check(rescue.target_of(str(path)) == wanted))


def check(holds: bool) -> None:
    assert holds
