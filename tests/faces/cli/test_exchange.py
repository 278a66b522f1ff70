"""Histories carried out and in."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.faces.cli.conftest import FIRST, SECOND, THIRD, Rewind
from tests.faces.cli.test_history import on_a_terminal

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def git(folder: Path, *words: str) -> str:
    """What git says."""
    who = {
        f"GIT_{role}_{what}": "x" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | who,
    )
    return done.stdout


def test_export_and_import_a_folder(book: Path, work: Path, rewind: Rewind) -> None:
    """Every state as a file; and back into another notebook, byte for byte, with labels."""
    rewind("label", book, "head~1", "good one")
    ended = rewind("export", book, "out")
    assert ended.status == 0, ended.err
    states = {path.read_bytes() for path in (work / "out").glob("*.ipynb")}
    assert states == {FIRST, SECOND, THIRD}
    assert rewind("import", "again.ipynb", "out").status == 0
    for ref, state in (("head", THIRD), ("good one", SECOND), ("head~2", FIRST)):
        assert rewind("show", "again.ipynb", ref, "--raw").out.encode() == state
    before = [row[1] for row in rewind("history", book).rows]
    assert [row[1] for row in rewind("history", "again.ipynb").rows] == before


def test_exported_files_stand_in_the_order_of_the_history(
    book: Path, work: Path, rewind: Rewind
) -> None:
    """What a restore kept and what it brought are of one second, and yet one came first."""
    for _ in range(3):
        assert rewind("restore", book, "head~1").status == 0
    assert rewind("export", book, "states").status == 0
    told = [row[0] for row in rewind("history", book, "--oldest-first").rows]
    files = sorted(path.stem for path in (work / "states").glob("*.ipynb"))
    assert [name.rpartition("-")[2] for name in files] == told


def test_export_overwrites_nothing(book: Path, work: Path, rewind: Rewind) -> None:
    """A folder that is not empty is refused."""
    (work / "out").mkdir()
    (work / "out" / "mine.txt").write_text("mine")
    assert rewind("export", book, "out").status == 7
    assert [each.name for each in (work / "out").iterdir()] == ["mine.txt"]


def test_export_needs_one_place(book: Path, rewind: Rewind) -> None:
    """Neither no place nor two."""
    assert rewind("export", book).status == 2
    assert rewind("export", book, "out", "--git", "repo").status == 2


@needs_git
def test_export_to_git(book: Path, work: Path, rewind: Rewind) -> None:
    """One commit a checkpoint, oldest first, on a branch of its own, with the times."""
    ended = rewind("export", book, "--git", "repo")
    assert ended.status == 0, ended.err
    branch = "rewind/analysis.ipynb"
    commits = git(work / "repo", "log", "--reverse", "--format=%H %at", branch).split()
    assert len(commits) == 6
    shown = [git(work / "repo", "show", f"{each}:analysis.ipynb") for each in commits[::2]]
    assert [each.encode() for each in shown] == [FIRST, SECOND, THIRD]
    assert rewind("export", book, "--git", "repo").status == 7
    assert f"the branch {branch} of" in ended.out
    assert git(work / "repo", "symbolic-ref", "--short", "HEAD").strip() == branch
    assert git(work / "repo", "status", "--short") == ""
    assert (work / "repo" / "analysis.ipynb").read_bytes() == THIRD


@needs_git
def test_an_export_to_git_writes_over_no_file(book: Path, work: Path, rewind: Rewind) -> None:
    """A folder that is no repository is not made one over the files that it holds; where its owner
    makes it one, it keeps what it has."""
    mine = work / "repo" / "analysis.ipynb"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    ended = rewind("export", book, "--git", "repo")
    assert ended.status == 7
    assert "git init" in ended.err
    assert os.listdir(work / "repo") == ["analysis.ipynb"]
    git(work / "repo", "init", "--quiet")
    ended = rewind("export", book, "--git", "repo")
    assert ended.status == 0, ended.err
    assert mine.read_bytes() == b"mine"


@needs_git
@pytest.mark.parametrize("has_commits", [False, True])
def test_an_export_to_git_can_be_taken_back(
    book: Path, work: Path, rewind: Rewind, has_commits: bool
) -> None:
    """Into another history, by the same name; also from a repository with commits of its own."""
    repository = work / "repo"
    if has_commits:
        repository.mkdir()
        git(repository, "init", "-q")
        (repository / "notes.txt").write_text("mine")
        git(repository, "add", ".")
        git(repository, "commit", "-qm", "mine")
    done = rewind("export", book, "--git", repository, "--json")
    assert done.data["branch"] == "rewind/analysis.ipynb"
    other = work / "other" / "analysis.ipynb"
    other.parent.mkdir()
    ended = rewind("import", other, "--git", repository, "--json")
    assert (ended.status, ended.err) == (0, ""), ended.err
    assert ended.data["created"] == 3
    found = [rewind("show", other, f"head~{n}", "--raw").out.encode() for n in (2, 1, 0)]
    assert found == [FIRST, SECOND, THIRD]
    if has_commits:
        assert git(repository, "status", "--porcelain") == ""
        assert git(repository, "log", "--format=%s").split() == ["mine"]


@needs_git
def test_import_from_git(work: Path, rewind: Rewind) -> None:
    """The committed states of a notebook come into its history."""
    path = work / "a.ipynb"
    git(work, "init", "-q")
    for state in (FIRST, SECOND):
        path.write_bytes(state)
        git(work, "add", "a.ipynb")
        git(work, "commit", "-qm", "change")
    ended = rewind("import", path, "--git", work, "--json")
    assert ended.status == 0, ended.err
    assert (ended.data["count"], ended.data["created"]) == (2, 2)
    assert rewind("show", path, "head~1", "--raw").out.encode() == FIRST


def test_import_copies(work: Path, rewind: Rewind) -> None:
    """Copies that lie around become the history, ordered by their times."""
    for number, (name, state) in enumerate((("new", SECOND), ("old", FIRST))):
        (work / f"{name}.ipynb").write_bytes(state)
        os.utime(work / f"{name}.ipynb", (1_700_000_000 - number, 1_700_000_000 - number))
    ended = rewind("import", "a.ipynb", "new.ipynb", "old.ipynb")
    assert ended.status == 0, ended.err
    assert "restore a.ipynb head" in ended.err
    assert rewind("show", "a.ipynb", "head~1", "--raw").out.encode() == FIRST
    assert rewind("restore", "a.ipynb", "head").status == 0
    assert (work / "a.ipynb").read_bytes() == SECOND


def test_import_needs_a_source(rewind: Rewind) -> None:
    """Nothing comes from nowhere."""
    assert rewind("import", "a.ipynb").status == 2
    assert rewind("import", "a.ipynb", "nothing.ipynb").status == 3
    assert rewind("import", "a.ipynb", "--git", "nowhere").status == 3


@needs_git
def test_export_to_git_of_a_name_that_is_no_text(work: Path, process: Rewind) -> None:
    """The commits hold the file under its very bytes."""
    name = os.fsdecode(b"\xff.ipynb")
    (work / name).write_bytes(FIRST)
    assert process("checkpoint", name).status == 0
    ended = process("export", name, "--git", "repo")
    assert ended.status == 0, ended.err
    assert '"\\377.ipynb"' in git(work / "repo", "ls-tree", "--name-only", "rewind/-.ipynb")


def test_a_person_sees_how_far_it_is(book: Path) -> None:
    """On a terminal a bar tells how far an export or an import is."""
    _, seen = on_a_terminal("export", str(book), "out")
    assert "Exporting" in seen
    assert "%" in seen
    status, seen = on_a_terminal("import", "again.ipynb", "out")
    assert status == 0
    assert "Importing" in seen
    assert "3 new checkpoints" in seen
