"""A home or a project that is reached through a link is the same one under each of its names."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.notebooks.documents import checkpoint_document
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.evidence import Finder, Scope
from jupyter_rewind.recovery.filestate import MISSING
from jupyter_rewind.recovery.survey import UNSAVED, Survey, survey
from jupyter_rewind.recovery.traces.backups import BackupFinder
from jupyter_rewind.recovery.traces.connections import ConnectionFinder
from jupyter_rewind.recovery.traces.fileids import FileIdFinder
from jupyter_rewind.recovery.traces.openfiles import OpenFileFinder
from jupyter_rewind.recovery.traces.rewind import RewindFinder
from jupyter_rewind.recovery.traces.trash import TrashFinder
from jupyter_rewind.recovery.traces.vscode import VSCodeFinder, folder_name
from jupyter_rewind.recovery.walking import settle
from tests.support import kernels
from tests.support.traces import Home, notebook_text, sources, traces_of

NAME = "analysis.ipynb"
CELLS = ["val = load_turbines()", "res = fit(val)", "plot_curve(res)", "save_all(res)"]
STARTED = 1_700_000_000


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def link(home: Home) -> Path:
    """Another name of the folder for work."""
    link = home.path / "shortcut"
    link.symlink_to(home.work)
    return link


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def start_kernel(home: Home, notebook: Path) -> None:
    path = home.path / ".local/share/jupyter/runtime/kernel-1.json"
    write(path, json.dumps({"kernel_name": "python3", "jupyter_session": str(notebook)}))
    os.utime(path, (STARTED, STARTED))


def keep_in_vscode(home: Home, notebook: Path) -> None:
    folder = home.path / ".config/Code/User/History/1a2b"
    entries = {"resource": notebook.as_uri(), "entries": [{"id": "aaaa.ipynb", "timestamp": 1}]}
    write(folder / "entries.json", json.dumps(entries))
    write(folder / "aaaa.ipynb", notebook_text(*CELLS))


def throw_away(home: Home, notebook: Path) -> None:
    trash = home.path / ".local/share/Trash"
    write(trash / "files" / notebook.name, notebook_text(*CELLS))
    write(trash / "info" / f"{notebook.name}.trashinfo", f"[Trash Info]\nPath={notebook}\n")


def back_up(home: Home, notebook: Path) -> None:
    name = f"{notebook}~".replace("/", "!")
    write(home.path / ".emacs.d/backups" / name, notebook_text(*CELLS))


@pytest.mark.parametrize(
    ("finder", "leave"),
    [(ConnectionFinder(), start_kernel), (VSCodeFinder(), keep_in_vscode),
     (TrashFinder(), throw_away), (BackupFinder(), back_up)],
)  # fmt: skip
@pytest.mark.parametrize("entered", ["link", "folder"])
def test_what_names_a_folder_by_another_name_is_found_for_all_of_it(
    home: Home, link: Path, finder: Finder, leave: Callable[[Home, Path], None], entered: str
) -> None:
    """It is listed, spelled as you entered the folder."""
    here, there = (link, home.work) if entered == "link" else (home.work, link)
    leave(home, there / "deep" / NAME)
    [trace] = traces_of(finder, home.scope(None, folder=here))
    assert trace.notebook == str(here / "deep" / NAME)


def test_a_folder_thrown_away_under_another_name_has_the_notebook(home: Home, link: Path) -> None:
    """The folder is gone; what leads to where it was is a link."""
    trash = home.path / ".local/share/Trash"
    write(trash / "files/deep" / NAME, notebook_text(*CELLS))
    write(trash / "info/deep.trashinfo", f"[Trash Info]\nPath={link / 'deep'}\n")
    [trace] = traces_of(TrashFinder(), home.scope(Path("deep") / NAME))
    assert trace.notebook == str(home.work / "deep" / NAME)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="Linux tells what is open")
def test_a_deleted_file_that_is_open_is_found_where_the_folder_is_a_link(
    home: Home, link: Path
) -> None:
    """The system tells the real path of what a program has open, whatever you entered."""
    path = home.work / NAME
    write(path, notebook_text(*CELLS))
    code = "import sys; file = open(sys.argv[1]); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdin is not None and holder.stdout is not None
        assert holder.stdout.readline()
        path.unlink()
        scope = home.scope(None, folder=link)
        [trace] = traces_of(OpenFileFinder(), scope)
        assert trace.notebook == str(link / NAME)
        assert sources(OpenFileFinder(), trace, scope) == CELLS
        holder.stdin.close()


def test_the_store_has_it_under_each_of_its_names(tmp_path: Path) -> None:
    """Rewind kept the notebook by the path that Jupyter was started under."""
    home = kernels.Home(tmp_path)
    folder = home.notebook.parent
    link = tmp_path / "shortcut"
    link.symlink_to(folder)
    (tmp_path / "scratch").mkdir()
    with home.repository() as repository:
        (folder / NAME).write_text(notebook_text(*CELLS))
        checkpoint_document(Histories(repository), link / NAME, reason=Reason.SAVE)
    for here in (folder, link):
        scope = Scope(
            None, here, tmp_path, tmp_path / "scratch",
            store=tmp_path / "data/rewind", store_keys=tmp_path / "config/rewind-keys",
        )  # fmt: skip
        for asked in (scope, replace(scope, notebook=here / NAME)):
            [trace] = traces_of(RewindFinder(), asked)
            assert trace.notebook == str(here / NAME)
            assert sources(RewindFinder(), trace, asked) == CELLS


def test_copies_that_vscode_has_not_listed_are_found_by_each_name_of_the_folder(
    home: Home, link: Path
) -> None:
    """The name of their folder is a hash of the path that the editor opened."""
    kept = home.path / ".config/Code/User/History" / folder_name(home.work / NAME)
    write(kept / "aaaa.ipynb", notebook_text(*CELLS))
    for here in (home.work, link):
        [trace] = traces_of(VSCodeFinder(), home.scope(here / NAME))
        assert trace.notebook == str(here / NAME)


def test_copies_that_vscode_has_not_listed_are_found_where_the_home_is_a_link(
    tmp_path: Path,
) -> None:
    """The system tells where the folder really lies; the editor was started from the home."""
    (tmp_path / "var/ann").mkdir(parents=True)
    (tmp_path / "ann").symlink_to(tmp_path / "var/ann")
    home = Home(tmp_path / "ann")
    kept = home.path / ".config/Code/User/History" / folder_name(home.work / NAME)
    write(kept / "aaaa.ipynb", notebook_text(*CELLS))
    for here in (home.work, tmp_path / "var/ann/work"):
        [trace] = traces_of(VSCodeFinder(), home.scope(here / NAME))
        assert trace.notebook == str(here / NAME)


def test_the_id_of_a_notebook_is_known_by_each_name_of_its_folder(home: Home, link: Path) -> None:
    """Jupyter's table has the path under which the server was started."""
    table = home.path / ".local/share/jupyter/file_id_manager.db"
    table.parent.mkdir(parents=True)
    moved = home.work / "moved.ipynb"
    moved.write_text(notebook_text(*CELLS))
    rows = [("one", str(link / NAME), moved.stat().st_ino), ("two", str(home.path / NAME), 0)]
    with closing(sqlite3.connect(table)) as database, database:
        database.execute("CREATE TABLE Files (id TEXT, path TEXT, ino INTEGER)")
        database.executemany("INSERT INTO Files VALUES (?, ?, ?)", rows)
    for here in (home.work, link):
        scope = home.scope(here / NAME)
        [trace] = traces_of(FileIdFinder(), scope)
        names = FileIdFinder().read(trace, scope).names
        assert {each.notebook for each in names} == {str(here / NAME)}
        assert {each.file_id for each in names} == {"one"}
        assert {each.name for each in names} == {"", str(moved)}


def run_session(home: Home) -> None:
    path = home.path / ".ipython/profile_default/history.sqlite"
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as history, history:
        history.executescript(
            "CREATE TABLE sessions (session integer primary key autoincrement, start timestamp,"
            " end timestamp, num_cmds integer, remark text);"
            "CREATE TABLE history (session integer, line integer, source text, source_raw text);"
            "CREATE TABLE output_history (session integer, line integer, output text);"
        )
        begun = datetime.fromtimestamp(STARTED + 1).isoformat(" ")
        history.execute("INSERT INTO sessions VALUES (1, ?, NULL, NULL, '')", (begun,))
        history.executemany(
            "INSERT INTO history VALUES (1, ?, ?, ?)",
            [(line, cell, cell) for line, cell in enumerate(CELLS, 1)],
        )


def surveyed(scope: Scope) -> Survey:
    return survey(scope, search.look(scope))


@pytest.mark.parametrize("entered", ["link", "folder"])
def test_the_list_of_a_folder_has_what_jupyter_knew_by_another_name(
    home: Home, link: Path, entered: str
) -> None:
    """Jupyter was started through the link, the list is made in the folder, or the reverse."""
    here, there = (link, home.work) if entered == "link" else (home.work, link)
    start_kernel(home, there / NAME)
    run_session(home)
    scope = home.scope(None, folder=here)
    [standing] = surveyed(scope).standings
    assert (standing.notebook, standing.state) == (here / NAME, MISSING)
    (home.work / NAME).write_text(notebook_text(*CELLS[:2]))
    os.utime(home.work / NAME, (STARTED + 60, STARTED + 60))
    [standing] = surveyed(scope).standings
    assert (standing.notebook, standing.state) == (here / NAME, UNSAVED)


def test_names_outside_the_folder_and_impossible_ones_stay_as_they_are(
    home: Home, link: Path
) -> None:
    """What lies elsewhere is told as its trace tells it."""
    scope = home.scope(None)
    assert settle(link / NAME, scope) == home.work / NAME
    for other in (home.path / NAME, Path("work") / NAME, Path(f"/a\0b/{NAME}")):
        assert settle(other, scope) == other
    everywhere = replace(scope, folder=Path("/"))
    assert settle(link / NAME, everywhere) == link / NAME
