"""`watch`: notebooks that other programs edit, with real edits by other processes."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_rewind.errors import Denied, Full
from jupyter_rewind.faces.cli.watch import Watch
from jupyter_rewind.notebooks.watching import Seen
from tests.faces.cli.conftest import COMMAND, FIRST, SECOND, THIRD, Rewind
from tests.faces.cli.test_schema import check

WAIT_SECONDS = 120


class Watching:
    """A running `watch --json` and its events."""

    def __init__(self, running: subprocess.Popen[bytes]) -> None:
        self.running = running
        self._lines: Queue[bytes] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.running.stdout is not None
        for line in self.running.stdout:
            self._lines.put(line)

    def next(self, event: str, path: Path | None = None) -> dict[str, Any]:
        """The next event of this kind; others in between are passed over."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            line = self._lines.get(timeout=max(0.1, deadline - time.monotonic()))
            data = check(line.decode())["data"]
            if data["event"] == event and path in (None, Path(data["path"])):
                return data

    def is_quiet(self, seconds: float) -> bool:
        """Whether nothing is told for this long."""
        try:
            self._lines.get(timeout=seconds)
        except Empty:
            return True
        return False


@contextmanager
def watching(*words: object) -> Iterator[Watching]:
    """`watch` runs in the block and ends with 0 after it."""
    running = subprocess.Popen(
        [*COMMAND, "watch", *map(str, words), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        watch = Watching(running)
        watch.next("watching")
        yield watch
        running.send_signal(signal.SIGTERM)
        assert running.wait(WAIT_SECONDS) == 0
        assert running.stderr is not None
        assert running.stderr.read() == b""
    finally:
        if running.poll() is None:
            running.kill()
            running.wait()


def write(path: Path, content: bytes) -> None:
    """Another process writes the file."""
    code = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_bytes(sys.stdin.buffer.read())"
    subprocess.run([sys.executable, "-c", code, str(path)], input=content, check=True)


@pytest.mark.parametrize("more", [[], ["--poll"]])
def test_edits_by_others_are_kept(work: Path, more: list[str], rewind: Rewind) -> None:
    """New and changed notebooks, in folders below too, become checkpoints."""
    below = work / "deep" / "er"
    below.mkdir(parents=True)
    path = below / "a.ipynb"
    with watching(work, *more) as watch:
        for state in (FIRST, SECOND, THIRD):
            write(path, state)
            kept = watch.next("kept", path)["checkpoint"]
            assert kept["reason"] == "external-change"
            assert kept["size_bytes"] == len(state)
    for ref, state in (("head", THIRD), ("head~1", SECOND), ("head~2", FIRST)):
        assert rewind("show", path, ref, "--raw").out.encode() == state


def test_what_was_there_before_is_kept_first(work: Path, rewind: Rewind) -> None:
    """The first change after the start loses nothing either."""
    path = work / "a.ipynb"
    path.write_bytes(FIRST)
    with watching(work) as watch:
        write(path, SECOND)
        watch.next("kept", path)
    assert rewind("show", path, "head~1", "--raw").out.encode() == FIRST


def test_a_single_file_is_watched(work: Path) -> None:
    """Also one that its editor replaces by a new file."""
    path, other = work / "a.ipynb", work / "other.ipynb"
    path.write_bytes(FIRST)
    with watching(path) as watch:
        write(other, FIRST)
        fresh = work / ".a.tmp"
        write(fresh, SECOND)
        os.replace(fresh, path)
        assert watch.next("kept")["path"] == str(path)


def test_hidden_files_and_stock_checkpoints_are_left_out(work: Path) -> None:
    """Nothing is kept of what is nobody's work."""
    for folder in (".ipynb_checkpoints", ".hidden", "node_modules"):
        (work / folder).mkdir()
    with watching(work) as watch:
        for name in (".ipynb_checkpoints/a", ".hidden/a", "node_modules/a", ".a"):
            write(work / f"{name}.ipynb", FIRST)
        write(work / "notes.txt", b"text")
        assert watch.is_quiet(3)


def test_an_emptied_notebook_is_told(work: Path, rewind: Rewind) -> None:
    """A broken notebook is named, with the command that brings it back; and it does."""
    path = work / "a.ipynb"
    path.write_bytes(FIRST)
    with watching(work) as watch:
        write(path, b"")
        told = watch.next("broken", path)["text"]
    way = told[told.index("restore ") :].split("`")[0].split()
    assert rewind(*way).status == 0
    assert path.read_bytes() == FIRST


@pytest.mark.parametrize("damage", [FIRST[:150], b"\0" * 300], ids=["cut short", "zeroed"])
@pytest.mark.parametrize("when", ["before", "while"])
def test_a_damaged_notebook_is_told_and_does_not_become_the_head(
    work: Path, damage: bytes, when: str, rewind: Rewind
) -> None:
    """Whether it was damaged before the watch began or meanwhile, `restore head` mends it."""
    path, other = work / "a.ipynb", work / "b.ipynb"
    path.write_bytes(FIRST)
    assert rewind("checkpoint", path).status == 0
    if when == "before":
        write(path, damage)
    with watching(work) as watch:
        if when == "while":
            write(path, damage)
        watch.next("broken", path)
        write(other, SECOND)
        watch.next("kept", other)
    assert len(rewind("history", path).rows) == 1
    assert rewind("restore", path, "head").status == 0
    assert path.read_bytes() == FIRST


def test_what_was_never_a_notebook_is_kept_as_a_file_with_words(work: Path, rewind: Rewind) -> None:
    path = work / "a.ipynb"
    path.write_bytes(FIRST[:150])
    with watching(work) as watch:
        assert "cut short" in watch.next("broken", path)["text"]
    assert rewind("show", path, "head", "--raw").out.encode() == FIRST[:150]


def test_moves_and_deletions(work: Path, rewind: Rewind) -> None:
    """A moved notebook keeps its history; a deleted one is told."""
    path, moved = work / "a.ipynb", work / "b.ipynb"
    path.write_bytes(FIRST)
    with watching(work) as watch:
        path.rename(moved)
        assert f"is {moved} now" in watch.next("gone", path)["text"]
        write(moved, SECOND)
        watch.next("kept", moved)
        moved.unlink()
        told = watch.next("gone", moved)["text"]
    assert f"jupyter rewind undelete {moved}`" in told
    assert len(rewind("history", moved).rows) == 2


def test_a_folder_that_is_renamed_is_told_at_once(
    work: Path, rewind: Rewind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notebooks in it give no notice; no look at everything is waited for."""
    monkeypatch.setenv("JUPYTER_REWIND_NOTEBOOKS_SCAN_SECONDS", "3600")
    path, moved = work / "old" / "deep" / "a.ipynb", work / "new" / "deep" / "a.ipynb"
    path.parent.mkdir(parents=True)
    path.write_bytes(FIRST)
    with watching(work) as watch:
        (work / "old").rename(work / "new")
        assert f"is {moved} now" in watch.next("gone", path)["text"]
        write(moved, SECOND)
        watch.next("kept", moved)
    assert len(rewind("history", moved).rows) == 2


@pytest.mark.parametrize("more", [[], ["--poll"]])
def test_a_folder_that_goes_is_told_and_watched_again_when_it_is_back(
    work: Path, rewind: Rewind, more: list[str]
) -> None:
    """A disk that was taken out, a folder that a tool makes anew: its notebooks are kept again."""
    folder, other = work / "folder", work / "other"
    for each in (folder, other):
        each.mkdir()
        write(each / "a.ipynb", FIRST)
    # Looks at everything would find the changes, too, in the end.
    assert rewind("config", "set", "notebooks.scan_seconds", "3600").status == 0
    with watching(folder, other, *more) as watch:
        folder.rename(work / "away")
        told = watch.next("gone")
        assert Path(told["path"]) == folder
        assert "watched again" in told["text"]
        write(other / "a.ipynb", SECOND)
        watch.next("kept", other / "a.ipynb")
        folder.mkdir()
        watch.next("watching", folder)
        write(folder / "b.ipynb", THIRD)
        watch.next("kept", folder / "b.ipynb")


def test_the_only_folder_that_goes_ends_nothing(work: Path) -> None:
    folder = work / "folder"
    folder.mkdir()
    with watching(folder) as watch:
        folder.rmdir()
        watch.next("gone", folder)
        folder.mkdir()
        write(folder / "b.ipynb", THIRD)
        watch.next("watching", folder)
        watch.next("kept", folder / "b.ipynb")


def test_a_hint_can_be_typed_as_it_stands(work: Path, rewind: Rewind) -> None:
    """The command that brings a deleted notebook back names it, quoted for the shell."""
    path = work / "my book.ipynb"
    path.write_bytes(FIRST)
    with watching(work) as watch:
        path.unlink()
        told = watch.next("gone", path)["text"]
    _, words, _ = told.split("`")
    assert shlex.split(words)[:2] == ["jupyter", "rewind"]
    assert rewind(*shlex.split(words)[2:]).status == 0
    assert path.read_bytes() == FIRST


@pytest.mark.skipif(os.name == "nt", reason="signals are others there")
def test_ctrl_c_ends_it_cleanly(work: Path) -> None:
    """Status 0 and no complaint."""
    running = subprocess.Popen(
        [*COMMAND, "watch", str(work)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout is not None
    assert running.stdout.readline().startswith(b"Watching ")
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=WAIT_SECONDS)
    assert (running.returncode, said) == (0, b"")


def test_nothing_to_watch(work: Path, rewind: Rewind) -> None:
    """A path that is not there is not found."""
    ended = rewind("watch", work / "nothing", "--json")
    assert ended.status == 3
    assert json.loads(ended.err)["error"]["code"] == "not_found"


def test_what_is_tried_again_without_a_change_is_told_once(
    work: Path,
) -> None:
    """A store that is full for an hour is no line a second; another reason is told."""
    told: list[str] = []
    face = SimpleNamespace(event=lambda answer: told.append(answer.data["text"]))
    watched = Watch(
        face, SimpleNamespace(watcher=lambda: None), [work], threading.Event(), poll=False
    )  # type: ignore[arg-type]
    for error in (Full("It is full."), Full("It is full."), Denied("It is shut.")):
        watched._report_scan(Seen(problems={"a.ipynb": error}), 0.0)
    watched._report_scan(Seen(), 0.0)
    watched._report_scan(Seen(problems={"a.ipynb": Denied("It is shut.")}), 0.0)
    assert [each.rpartition(": ")[2] for each in told] == [
        "It is full.",
        "It is shut.",
        "It is shut.",
    ]
