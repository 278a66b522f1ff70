"""Sessions of IPython's history, listed by `jupyter rewind sessions` and named to `recover`."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest

from tests.faces.cli.conftest import Rewind, cell, notebook_bytes, sources
from tests.support.histories import make_history


def test_session_of_two_profiles_must_be_named_with_its_profile(
    work: Path, home: Path, rewind: Rewind
) -> None:
    """Two histories have a session 1: you are told both, and nothing is mixed."""
    for profile in ("default", "work"):
        path = home / ".ipython" / f"profile_{profile}" / "history.sqlite"
        make_history(path, [[f"{profile}_only = 1", f"print({profile}_only)"]])
    ended = rewind("recover", "lost.ipynb", "--session", "1")
    assert ended.status == 2
    assert "default, which begins 'default_only = 1'; work, which begins" in ended.err
    assert "--session default:1" in ended.err
    ended = rewind("recover", "lost.ipynb", "--session", "work:1")
    assert ended.status == 0, ended.err
    assert sources(work / "lost.recovered.ipynb")[:1] == ["work_only = 1"]
    assert b"default_only" not in (work / "lost.recovered.ipynb").read_bytes()


def test_sessions_of_one_number_in_two_profiles_are_both_taken(
    home: Path, work: Path, rewind: Rewind
) -> None:
    """Both sessions 1 that you name are in the notebook; one of a second IPYTHONDIR by its path."""
    for place in (".ipython/profile_default", ".ipython/profile_work", "old/profile_work"):
        make_history(home / place / "history.sqlite", [[f"{place.replace('/', '_')[1:]} = 1"]])
    ended = rewind("recover", "lost.ipynb", "--session", "default:1", "--session", "work:1")
    assert ended.status == 0, ended.err
    assert sorted(sources(work / "lost.recovered.ipynb")) == [
        "ipython_profile_default = 1",
        "ipython_profile_work = 1",
    ]
    old = ["--history", home / "old/profile_work/history.sqlite"]
    ended = rewind("recover", "lost.ipynb", *old, "--session", "work:1")
    assert ended.status == 2
    [way] = [each for each in ended.err.split() if each.endswith("history.sqlite:1")]
    ended = rewind("recover", "lost.ipynb", *old, "--session", way)
    assert ended.status == 0, ended.err


def test_session_that_is_not_there_is_told(work: Path, history: Path, rewind: Rewind) -> None:
    """A number that no session has: you are told so, and nothing is guessed."""
    ended = rewind("recover", "lost.ipynb", "--session", "99")
    assert ended.status == 3
    assert "There is no session 99 that ran anything." in ended.err
    assert rewind("recover", "lost.ipynb", "--session", "x").status == 2
    assert list(work.glob("*.recovered.*")) == []


def test_killed_session_is_left_out_by_since_when_its_history_is_older(
    work: Path, history: Path, rewind: Rewind
) -> None:
    """A kernel that was killed wrote no end: it ran nothing after its history was last written."""
    os.utime(history, (1_790_000_000, 1_790_000_000))
    assert len(rewind("sessions", "--since", "2026-09-01").rows) == 2
    assert rewind("sessions", "--since", "2026-10-01").status == 3


def test_code_comes_back_from_sessions_that_you_name(
    work: Path, history: Path, rewind: Rewind
) -> None:
    """No document is left and nothing says which session it was; you say it."""
    ended = rewind("recover", "lost.ipynb", "--session", "1")
    assert ended.status == 0, ended.err
    assert "def area(r):\n    return 3 * r * r" in sources(work / "lost.recovered.ipynb")
    assert "Likely lost" in ended.err


def test_a_session_that_you_name_is_laid_over_an_older_state_of_a_later_time(
    work: Path, home: Path, rewind: Rewind
) -> None:
    """An old state was checked out over newer work after the kernel had ended: the file is newer
    than all that was run. You are told of the session, and name it."""
    ran = [
        "values = [5, 3, 8]",
        "ordered = sorted(values)",
        "top = ordered[-1]",
        "gap = top - ordered[0]",
    ]
    place = home / ".ipython" / "profile_default" / "history.sqlite"
    place.unlink(missing_ok=True)
    make_history(place, [ran])
    with contextlib.closing(sqlite3.connect(place)) as database, database:
        database.execute("UPDATE sessions SET end = '2026-03-02 11:00:00.000000'")
    cells = [
        cell(f"c{at}", source) | {"execution_count": at} for at, source in enumerate(ran[:2], 1)
    ]
    file = work / "old.ipynb"
    file.write_bytes(notebook_bytes(*cells))
    ended = rewind("recover", file)
    assert ended.status == 0 and "Nothing was written" in ended.out
    assert "2 pieces of code that ran are not in it" in ended.err
    assert "--session 1 lays what that session ran over it" in ended.err
    ended = rewind("recover", file, "--report", "page.html")
    assert ended.status == 0 and "No notebook was written" in ended.out
    assert "gap = top" in (work / "page.html").read_text()
    assert not list(work.glob("old.recovered*"))
    assert rewind("recover", file, "--report", "page.html").status == 4
    ended = rewind("recover", file, "--session", "1")
    assert ended.status == 0, ended.err
    assert sources(work / "old.recovered.ipynb") == ran


def test_sessions_are_listed_with_their_notebooks(
    work: Path, history: Path, rewind: Rewind
) -> None:
    """You see what was run when, and which notebook it most likely was."""
    path = work / "areas.ipynb"
    path.write_bytes(
        notebook_bytes(cell("a", "import os"), cell("b", "def area(r):\n    return 3 * r * r"))
    )
    [first, second] = rewind("sessions", "--json").data["sessions"]
    assert (first["session"], first["executions"], first["notebook"]) == (1, 3, str(path))
    assert (second["session"], second["notebook"]) == (2, None)


@pytest.mark.parametrize("more", [[], ["--all"]])
def test_a_session_is_of_one_notebook_that_is_named(
    home: Path, work: Path, rewind: Rewind, more: list[str]
) -> None:
    """It is laid over no other notebook of a folder, and not left out without a word."""
    kept = work / ".ipynb_checkpoints"
    kept.mkdir(exist_ok=True)
    for name in ("one", "other"):
        (kept / f"{name}-checkpoint.ipynb").write_bytes(notebook_bytes(cell("c", f"{name} = 1")))
    make_history(home / ".ipython/profile_default/history.sqlite", [["one = 1", "more = one + 1"]])
    ended = rewind("recover", "--session", "1", *more)
    assert ended.status == 2, ended.out
    assert "--session need a NOTEBOOK" in ended.err
    assert list(work.glob("*.recovered.*")) == []
