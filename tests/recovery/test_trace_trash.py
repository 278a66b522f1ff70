"""Notebooks in the trash. Linux: thrown away by the real programs. Windows: from the format."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind.recovery.traces.trash import TrashFinder
from jupyter_rewind.recovery.trashcans import parse_recycle_note
from tests.support.processes import anybodys_folder, run_unprivileged
from tests.support.traces import Home, look_with, notebook_text, sources, traces_of

FINDER = TrashFinder()
Throw = Callable[[Path], None]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def put(home: Home, name: str, *cells: str) -> Path:
    path = home.work / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(notebook_text(*cells))
    return path


@pytest.fixture(params=["send2trash", "gio"])
def throw(request: pytest.FixtureRequest, home: Home) -> Throw:
    """Throws a file away as Jupyter's Delete does, or as GNOME does."""
    python = "import sys; from send2trash import send2trash; send2trash(sys.argv[1])"
    commands = {"send2trash": [sys.executable, "-c", python], "gio": ["gio", "trash"]}
    command = commands[request.param]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    env = {"HOME": str(home.path), "PATH": os.environ["PATH"]}

    def run(path: Path) -> None:
        subprocess.run([*command, str(path)], env=env, check=True, capture_output=True)
        assert not path.exists()

    return run


def test_a_notebook_in_the_trash_is_found(home: Home, throw: Throw) -> None:
    """You deleted it; it lies in the trash, known by where it was."""
    path = put(home, "ana lysis ü.ipynb", "x = 1", "x")
    put(home, "other.ipynb", "y")
    throw(path)
    throw(home.work / "other.ipynb")
    scope = home.scope(path.name)
    [trace] = traces_of(FINDER, scope)
    assert (trace.notebook, sources(FINDER, trace, scope)) == (str(path), ["x = 1", "x"])


def test_a_notebook_in_a_folder_in_the_trash_is_found(home: Home, throw: Throw) -> None:
    """You deleted the whole folder; the notebook in it and its checkpoint are found."""
    path = put(home, "project/deep/analysis.ipynb", "now")
    put(home, "project/deep/.ipynb_checkpoints/analysis-checkpoint.ipynb", "before")
    throw(home.work / "project")
    scope = home.scope("project/deep/analysis.ipynb")
    found = traces_of(FINDER, scope)
    assert [sources(FINDER, each, scope) for each in found] == [["now"], ["before"]]
    assert {each.notebook for each in found} == {str(path)}
    everything = traces_of(FINDER, home.scope(None))
    assert [each.notebook for each in everything] == [str(path)]


def test_what_was_thrown_away_twice_is_found_twice(home: Home, throw: Throw) -> None:
    """Two states of one notebook can lie in the trash under two names."""
    for text in ("first", "second"):
        throw(put(home, "analysis.ipynb", text))
    scope = home.scope()
    found = [sources(FINDER, each, scope) for each in traces_of(FINDER, scope)]
    assert sorted(found) == [["first"], ["second"]]


def test_a_trash_can_of_another_disk_is_found(home: Home) -> None:
    """On another disk the trash can lies at its top, with paths relative to that."""
    can = home.work / f".Trash-{os.getuid()}"
    for folder in ("files", "info"):
        (can / folder).mkdir(parents=True)
    (can / "files/analysis.ipynb").write_text(notebook_text("far away"))
    note = "[Trash Info]\nPath=sub%20folder/analysis.ipynb\nDeletionDate=2026-11-20T10:00:00\n"
    (can / "info/analysis.ipynb.trashinfo").write_text(note)
    scope = home.scope("sub folder/analysis.ipynb")
    [trace] = traces_of(FINDER, scope)
    assert sources(FINDER, trace, scope) == ["far away"]


def test_a_broken_note_leaves_the_name(home: Home) -> None:
    """Where the note is lost, a file of the notebook's name is still offered."""
    can = home.path / ".local/share/Trash"
    (can / "files").mkdir(parents=True)
    (can / "info").mkdir()
    (can / "files/analysis.ipynb").write_text(notebook_text("noteless"))
    (can / "info/analysis.ipynb.trashinfo").write_bytes(b"\xff\0garbage=")
    scope = home.scope()
    [trace] = traces_of(FINDER, scope)
    assert sources(FINDER, trace, scope) == ["noteless"]


@given(
    note=st.binary(max_size=200) | st.text(max_size=80).map(lambda text: f"Path={text}".encode())
)
def test_any_note_ends_in_an_answer(note: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever stands in a note, what was thrown away is still looked at."""
    home = Home(tmp_path_factory.mktemp("home"))
    can = home.path / ".local/share/Trash"
    (can / "files").mkdir(parents=True)
    (can / "info").mkdir()
    (can / "files/analysis.ipynb").write_text(notebook_text("x"))
    (can / "info/analysis.ipynb.trashinfo").write_bytes(note)
    assert len(traces_of(FINDER, home.scope())) <= 1


def test_macos_trash_is_matched_by_name(home: Home) -> None:
    """macOS notes no origin; a second file of one name gets the time added (from the format)."""
    trash = home.path / ".Trash"
    trash.mkdir()
    for name in ("analysis.ipynb", "analysis 10.32.11 AM.ipynb", "other.ipynb"):
        (trash / name).write_text(notebook_text(name))
    scope = home.scope(platform="darwin")
    found = {Path(each.place).name for each in traces_of(FINDER, scope)}
    assert found == {"analysis.ipynb", "analysis 10.32.11 AM.ipynb"}


def test_a_trash_can_that_cannot_be_opened_is_told() -> None:
    """Not allowed is not empty."""
    with anybodys_folder() as folder:
        home = Home(folder)
        files = home.path / ".local/share/Trash/files"
        files.mkdir(parents=True)
        files.chmod(0)

        def check() -> None:
            traces, [problem] = look_with(FINDER, home.scope())
            assert (traces, problem.place) == ([], str(files))

        run_unprivileged(check)


def ticks(moment: datetime) -> int:
    return int((moment - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10_000_000


@pytest.mark.parametrize("version", [1, 2])
def test_windows_notes_are_read(version: int) -> None:
    """Both versions of the note in the Recycle Bin name the notebook (from the format)."""
    moment = datetime(2026, 11, 20, 10, tzinfo=UTC)
    path = str(PureWindowsPath("C:/Users/me/análisis.ipynb"))
    text = path.encode("utf-16-le") + b"\0\0"
    raw = struct.pack("<qqQ", version, 1234, ticks(moment))
    raw += text.ljust(520, b"\0") if version == 1 else struct.pack("<I", len(text) // 2) + text
    assert parse_recycle_note(raw) == (path, int(moment.timestamp() * 1e9))


@pytest.mark.parametrize(
    "raw", [b"", b"\1", b"\7" * 600, struct.pack("<qqQ", 2, 0, 0) + b"\xff" * 8]
)
def test_broken_windows_notes_are_no_failure(raw: bytes) -> None:
    """A note that is damaged names nothing, and costs nothing else."""
    told = parse_recycle_note(raw)
    assert told is None or isinstance(told[0], str)
