"""Pipes, devices, loops of links and files with holes, wherever a trace is looked for."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.evidence import Evidence, Scope
from jupyter_rewind.recovery.grep import by_pattern, grep
from jupyter_rewind.recovery.regular import NotRegular, open_file, read_file
from jupyter_rewind.recovery.sessions import list_sessions
from jupyter_rewind.recovery.survey import survey
from jupyter_rewind.recovery.traces.vscode import folder_name
from tests.support.histories import make_history
from tests.support.traces import Home, notebook_text

DEADLINE_SECONDS = 120
CODE = ".config/Code"
PROFILE = ".ipython/profile_default"
RUNTIME = ".local/share/jupyter/runtime"
TRASH = ".local/share/Trash"
PLACES = [
    "work/analysis.ipynb",
    "work/.ipynb_checkpoints/analysis-checkpoint.ipynb",
    "work/.~analysis.ipynb",
    "work/analysis.ipynb.invalid",
    "work/analysis.ipynb~",
    "work/.analysis.ipynb.swp",
    "work/analysis.ipynb.bak",
    "work/analysis (conflicted copy).ipynb",
    "work/analysis.py",
    "work/analysis.md",
    "work/analysis.html",
    "work/analysis.nbconvert.ipynb",
    "work/.git/HEAD",
    "work/.git/index",
    "work/.git/objects/ab/" + "cd" * 19,
    "work/.jupyter_ystore.db",
    f"{PROFILE}/history.sqlite",
    f"{PROFILE}/history-corrupt.sqlite",
    f"{PROFILE}/ipython_config.py",
    f"{RUNTIME}/kernel-aaa.json",
    f"{RUNTIME}/jpserver-1.json",
    ".local/share/jupyter/file_id_manager.db",
    ".local/share/jupyter/rewind/format.json",
    f"{CODE}/User/History/abc/entries.json",
    f"{CODE}/User/History/NAMED/aB0x.ipynb",
    f"{CODE}/Backups/x/file/q",
    f"{TRASH}/files/analysis.ipynb",
    f"{TRASH}/info/analysis.ipynb.trashinfo",
    "named/analysis.ipynb",
    "named/q",
]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def pipe(place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    os.mkfifo(place)
    return place


def within_a_while(act: Callable[[], None]) -> None:
    """Runs `act`; a wait that never ends is a failure, not a test that hangs."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive(), "it waits for a pipe"
    if failures:
        raise failures[0]


def ask_everything(home: Home) -> Evidence:
    """Whatever the commands of recovery ask, for the notebook and for its folder."""
    store = home.path / ".local/share/jupyter/rewind"
    more = {"scan": (home.path / "named",), "store": store, "store_keys": store}

    def hear(scope: Scope) -> Evidence:
        return search.gather(scope, search.look(scope).traces)

    folder = home.scope(None, **more)
    survey(folder, search.look(folder))
    list_sessions(folder)
    list(grep(folder, by_pattern("x")))
    return hear(folder) + hear(home.scope(**more))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize("place", PLACES)
def test_a_pipe_is_never_waited_for(home: Home, place: str) -> None:
    """Something that is no file lies where a trace should: it is left alone, the rest is read."""
    (home.path / "named").mkdir()
    subprocess.run(["git", "init", "-q", str(home.work)], check=True)
    make_history(home.path / PROFILE / "history.sqlite", [["kept = 1"]])
    kept = home.work / ".ipynb_checkpoints" / "analysis-checkpoint.ipynb"
    kept.parent.mkdir()
    kept.write_text(notebook_text("old = 1"))
    if TRASH in place:
        info = home.path / TRASH / "info" / "analysis.ipynb.trashinfo"
        info.parent.mkdir(parents=True)
        info.write_text(f"[Trash Info]\nPath={home.work}/analysis.ipynb\n")
        (home.path / TRASH / "files").mkdir()
        (home.path / TRASH / "files/analysis.ipynb").write_text(notebook_text("thrown = 1"))
    named = folder_name(home.work / "analysis.ipynb")
    pipe(home.path / place.replace("NAMED", named))

    def check() -> None:
        heard = ask_everything(home)
        ran = {each.source for run in heard.runs for each in run.executions}
        assert ran == (set() if place.endswith("/history.sqlite") else {"kept = 1"})
        if not place.endswith("analysis-checkpoint.ipynb"):
            assert "old = 1" in {c.source for d in heard.documents for c in d.cells}

    within_a_while(check)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize(
    "place", [f"{PROFILE}/history.sqlite", "work/.ipynb_checkpoints/analysis-checkpoint.ipynb"]
)
def test_a_pipe_in_the_place_of_a_trace_is_told(home: Home, place: str) -> None:
    """What cannot be read is named; it is not passed over as if there were nothing."""
    found = pipe(home.path / place)
    looked = search.look(home.scope())
    assert [str(found)] == [each.place for each in looked.problems]
    assert str(found) not in {each.place for each in looked.traces}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize("suffix", ["-journal", "-wal"])
def test_a_pipe_beside_a_history_hides_nothing(home: Home, suffix: str) -> None:
    """What SQLite would recover from is a pipe: the database itself is read all the same."""
    history = home.path / PROFILE / "history.sqlite"
    make_history(history, [["kept = 1"]])
    pipe(Path(f"{history}{suffix}"))

    def check() -> None:
        heard = ask_everything(home)
        assert {each.source for run in heard.runs for each in run.executions} == {"kept = 1"}

    within_a_while(check)


def test_what_is_no_file_is_refused_in_words(tmp_path: Path) -> None:
    """A socket or a device is said to be one."""
    place = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place))
        with pytest.raises(NotRegular, match="no file but a socket"):
            open_file(place)
    with pytest.raises(NotRegular, match="no file but a device"):
        read_file("/dev/zero")
    with pytest.raises(IsADirectoryError):
        open_file(tmp_path)


def test_a_loop_of_links_costs_itself_alone(home: Home) -> None:
    """A link that leads to itself is told, and everything else is read."""
    (home.work / "analysis.ipynb").symlink_to("analysis.ipynb")
    (home.work / "loop").symlink_to(home.work, target_is_directory=True)
    make_history(home.path / PROFILE / "history.sqlite", [["kept = 1"]])
    (home.path / "named").symlink_to("named")
    within_a_while(lambda: ask_everything(home) and None)


def test_a_file_of_holes_is_not_held_in_memory(home: Home) -> None:
    """A terabyte that is nothing but a hole is told as too large; it takes no terabyte."""
    place = home.work / "analysis.ipynb"
    with place.open("wb") as file:
        file.truncate(1 << 40)
    scope = home.scope()
    heard = search.gather(scope, search.look(scope).traces)
    [problem] = [each for each in heard.problems if each.place == str(place)]
    assert "more than can be held" in problem.words


def test_reading_takes_as_much_room_as_the_file(tmp_path: Path) -> None:
    """A small file is read in little memory, whatever the most is that may be read."""
    place = tmp_path / "small.ipynb"
    place.write_bytes(b"x" * 100_000)
    tracemalloc.start()
    try:
        assert len(read_file(place)) == 100_000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
