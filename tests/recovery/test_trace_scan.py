"""Folders and files that the user names."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from jupyter_rewind.recovery.evidence import Problem
from jupyter_rewind.recovery.traces.scan import ScanFinder
from tests.support.processes import anybodys_folder, run_unprivileged
from tests.support.traces import Home, look_with, notebook_text, sources, traces_of

FINDER = ScanFinder()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_notebooks_of_any_name_are_found(home: Home) -> None:
    """A browser's download, a cache's copy without a suffix: what begins like a notebook is one."""
    folder = home.path / "downloads"
    for name in ("analysis (1).ipynb.crdownload", ".cache/f_00a1", "deep/x.json", "y.ipynb"):
        put(folder / name, notebook_text(name))
    put(folder / "data.json", '{"rows": []}')
    put(folder / "other.recovered.ipynb", notebook_text("our own work"))
    put(folder / "script.py", "x = 1")
    scope = home.scope(scan=(folder,))
    told = {tuple(sources(FINDER, t, scope)): t.notebook for t in traces_of(FINDER, scope)}
    assert told == {
        ("analysis (1).ipynb.crdownload",): str(home.work / "analysis.ipynb"),
        (".cache/f_00a1",): None,
        ("deep/x.json",): None,
        ("y.ipynb",): None,
    }


def test_a_file_that_is_named_is_the_notebook(home: Home) -> None:
    """When you point at one file, it is taken for the notebook whatever it is called."""
    place = put(home.path / "attachment.bin", notebook_text("mailed"))
    scope = home.scope(scan=(place,))
    [trace] = traces_of(FINDER, scope)
    assert trace.notebook == str(home.work / "analysis.ipynb")
    assert sources(FINDER, trace, scope) == ["mailed"]


def test_a_pipe_or_a_device_that_is_named_is_told_and_left_alone(home: Home) -> None:
    """Nothing was read there, and you are told so; one that lies in a folder is passed over."""
    pipe = home.path / "downloads/pipe.ipynb"
    pipe.parent.mkdir()
    os.mkfifo(pipe)
    traces, problems = look_with(FINDER, home.scope(scan=(pipe, Path(os.devnull), pipe.parent)))
    assert traces == []
    assert [each.place for each in problems] == [str(pipe), os.devnull]
    assert all("no file" in each.words for each in problems)


def test_what_was_brought_back_before_is_told_and_not_built_on(home: Home) -> None:
    """A backup has what an earlier `recover` wrote: the best there is, perhaps, and no trace."""
    kept = put(home.path / "backup/analysis.recovered-2.ipynb", notebook_text("x"))
    put(home.path / "backup/other.recovered.ipynb", notebook_text("y"))
    put(home.work / "analysis.recovered.ipynb", notebook_text("z"))
    told = list(FINDER.find(home.scope(scan=(home.path / "backup", home.work))))
    assert [(type(each), each.place) for each in told] == [(Problem, str(kept))]
    assert "brought back before" in getattr(told[0], "words", "")


def test_nothing_is_scanned_unless_asked(home: Home) -> None:
    """Without --scan no folder is walked through."""
    put(home.work / "other.ipynb", notebook_text("x"))
    assert traces_of(FINDER, home.scope()) == []


def test_a_folder_that_cannot_be_opened_is_told() -> None:
    """Not allowed is not empty."""
    with anybodys_folder() as folder:
        home = Home(folder)
        closed = home.path / "closed"
        closed.mkdir(mode=0)
        closed.chmod(0)

        def check() -> None:
            traces, [problem] = look_with(FINDER, home.scope(scan=(closed,)))
            assert (traces, problem.place) == ([], str(closed))

        run_unprivileged(check)


def test_archives_of_a_folder_are_told(home: Home) -> None:
    """What is packed is not looked into: you are told to unpack it, and it hides nothing."""
    folder = home.path / "downloads"
    put(folder / "analysis.ipynb", notebook_text("x = 1"))
    put(folder / "backup.zip", "PK")
    scope = home.scope(scan=(folder,))
    traces, [problem] = look_with(FINDER, scope)
    assert [each.place for each in traces] == [str(folder / "analysis.ipynb")]
    assert problem.place == str(folder)
    assert "1 archive in it was not looked into (backup.zip)" in problem.words
    for number in range(4):
        put(folder / "deep" / f"part{number}.tar.gz", "x")
    _, [problem] = look_with(FINDER, scope)
    assert "5 archives in it were not looked into" in problem.words
    assert "part2.tar.gz" not in problem.words


def test_archive_that_is_named_is_called_one(home: Home) -> None:
    """A notebook that is still packed is no damaged one."""
    place = home.path / "analysis.ipynb.gz"
    place.write_bytes(gzip.compress(notebook_text("x = 1").encode()))
    scope = home.scope(scan=(place,))
    [trace] = traces_of(FINDER, scope)
    heard = FINDER.read(trace, scope)
    assert heard.documents == ()
    assert "it is packed with gzip: the notebook may be in it once" in heard.problems[0].words
