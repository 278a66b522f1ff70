"""What git still has of a notebook where one of its files is damaged, or git is slow."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from jupyter_rewind.recovery import gitobjects
from jupyter_rewind.recovery.gitobjects import GitRepository
from jupyter_rewind.recovery.gitquestions import GitQuestions, Paths
from tests.recovery.test_trace_git import (
    FINDER,
    begin,
    brought_back,
    found,
    git,
    listing,
    on_two_branches,
    put,
)
from tests.support.traces import Home, look_with, notebook_text, sources

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return begin(tmp_path)


def hurt(home: Home, what: str) -> None:
    """What a power cut leaves of one of git's own files."""
    folder = home.work / ".git"
    match what:
        case "branch":
            branch = git(home, "symbolic-ref", "HEAD").strip()
            (folder / branch).write_bytes(bytes(41))
        case "configuration":
            (folder / "config").write_text("[core\nbroken")
        case "refs":
            shutil.rmtree(folder / "refs")
        case "newest commit":
            name = git(home, "rev-parse", "HEAD").strip()
            place = folder / "objects" / name[:2] / name[2:]
            place.chmod(0o644)
            place.write_bytes(b"")
        case _:
            (folder / what).write_bytes(b"")


@pytest.mark.parametrize(
    ("what", "packed"),
    [
        ("index", False),
        ("HEAD", True),
        ("branch", True),
        ("configuration", False),
        ("refs", True),
        ("newest commit", False),
    ],
)
def test_one_damaged_file_of_git_costs_itself_alone(home: Home, what: str, packed: bool) -> None:
    """After a power cut git opens nothing; every state that its other files hold is found, and
    what git refused is told."""
    first, second, staged = ("a = 1",), ("a = 1", "b = 2"), ("a = 1", "b = 2", "c = 3")
    put(home, *first)
    git(home, "add", "."), git(home, "commit", "-qm", "one")
    put(home, *second)
    git(home, "commit", "-qam", "two")
    if packed:
        git(home, "gc", "-q")
    path = put(home, *staged)
    git(home, "add", ".")
    path.unlink()
    hurt(home, what)
    before = listing(home.work / ".git")
    scope = home.scope()
    traces, problems = look_with(FINDER, scope)
    told = {tuple(sources(FINDER, each, scope)): each for each in traces}
    assert set(told) == {first, second, staged}
    assert told[first].notebook == str(path)
    # The commit alone says when the notebook was like this, and its folder what its name is.
    assert told[second].notebook == str(path)
    assert told[second].words.startswith("Commit" if what != "newest commit" else "Added")
    if what != "index":
        assert told[staged].words == "Staged in git's index"
    [problem] = problems
    assert "git refused" in problem.words
    assert str(home.work) in problem.place
    listed = look_with(FINDER, home.scope(None, folder=home.work))[0]
    assert {each.notebook for each in listed} <= {str(path), None}
    assert str(path) in {each.notebook for each in listed}
    assert listing(home.work / ".git") == before, "git's own files are left alone"


def test_what_was_only_fetched_is_known_without_git(home: Home, tmp_path: Path) -> None:
    """The branch does not read any more: a colleague's newer commit is still not called yours."""
    put(home, "shared", "mine = 1")
    git(home, "add", "."), git(home, "commit", "-qm", "one")
    git(home, "clone", "-q", ".", "../hers")
    hers = tmp_path / "hers"
    (hers / "analysis.ipynb").write_text(notebook_text("shared", "hers = 'more'"))
    who = ("-c", "user.name=She", "-c", "user.email=she@example.org")
    git(home, "-C", str(hers), *who, "commit", "-qam", "two")
    git(home, "fetch", "-q", str(hers), "+HEAD:refs/remotes/hers/main")
    hurt(home, "branch")
    scope = home.scope()
    traces, problems = look_with(FINDER, scope)
    assert problems
    told = {tuple(sources(FINDER, each, scope)): each.words for each in traces}
    assert "fetched" in told[("shared", "hers = 'more'")]
    assert "fetched" not in told[("shared", "mine = 1")]


def test_branch_that_is_checked_out_comes_back_where_another_is_damaged(home: Home) -> None:
    """One ref is garbage: which states are of your branch is known from git's own notes."""
    path = on_two_branches(home)
    git(home, "branch", "third")
    path.unlink()
    (home.work / ".git/refs/heads/third").write_bytes(bytes(41))
    (home.work / ".git/index").unlink()
    assert brought_back(home) == ["a = load()", "b = clean(a)"]


def test_another_work_tree_has_its_own_index_where_git_refuses(home: Home) -> None:
    """HEAD of a work tree is empty: what was staged in that one is found, and not the other's."""
    put(home, "both")
    git(home, "add", "."), git(home, "commit", "-qm", "one")
    git(home, "worktree", "add", "-q", "../second")
    put(home, "mine")
    git(home, "add", ".")
    second = home.work.parent / "second"
    (second / "analysis.ipynb").write_text(notebook_text("theirs"))
    git(home, "-C", str(second), "add", ".")
    (home.work / ".git/worktrees/second/HEAD").write_bytes(b"")
    scope = home.scope(second / "analysis.ipynb", folder=second)
    traces, problems = look_with(FINDER, scope)
    told = {tuple(sources(FINDER, each, scope)): each.words for each in traces}
    assert told[("theirs",)] == "Staged in git's index"
    assert "dropped" in told[("mine",)]
    assert problems


def test_a_damaged_folder_listing_is_told(home: Home) -> None:
    """What a commit had does not read: the other commits are found, and the loss is named."""
    put(home, "first")
    git(home, "add", "."), git(home, "commit", "-qm", "one")
    put(home, "first", "second")
    git(home, "commit", "-qam", "two")
    tree = git(home, "rev-parse", "HEAD^{tree}").strip()
    place = home.work / ".git/objects" / tree[:2] / tree[2:]
    place.chmod(0o644)
    place.write_bytes(b"")
    scope = home.scope()
    traces, problems = look_with(FINDER, scope)
    assert {tuple(sources(FINDER, each, scope)) for each in traces} == {
        ("first",), ("first", "second"),
    }  # fmt: skip
    assert any("1 folder does not read" in each.words for each in problems)


def test_what_was_dropped_is_known_by_name_with_long_hashes(tmp_path: Path) -> None:
    """A repository of SHA-256 tells the name of a dropped state as any other."""
    home = Home(tmp_path)
    git(home, "init", "-q", "--object-format=sha256")
    git(home, "config", "user.email", "someone@example.org")
    git(home, "config", "user.name", "Someone")
    path = put(home, "base")
    git(home, "add", "."), git(home, "commit", "-qm", "one")
    put(home, "stashed")
    git(home, "stash"), git(home, "stash", "drop")
    assert found(home)[("stashed",)] == str(path)
    hurt(home, "HEAD")
    traces, _ = look_with(FINDER, home.scope())
    assert {each.notebook for each in traces} == {str(path)}


def test_a_slow_git_is_not_waited_for_again_and_again(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git does not answer once: it is not asked for what takes longer still, and that is told."""
    monkeypatch.setattr(gitobjects, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(gitobjects, "_LITTLE_SECONDS", 0.1)
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexec sleep 60")
    program.chmod(0o755)
    scope = home.scope(environ={"PATH": f"{program.parent}:{os.environ['PATH']}"})
    asked = GitQuestions(GitRepository(home.work, home.work / ".git", scope.environ), scope)
    paths = Paths(name="analysis.ipynb")
    assert (asked.fetched(paths), asked.versions(paths), asked.staged(paths)) == (set(), [], [])
    assert [each.words for each in asked.problems] == [
        "git did not answer within 0.2 s. It is not known which commits were only fetched.",
        "git did not answer within 0.1 s. Its commits are left out.",
        "git did not answer within 0.1 s. What was staged is found among its objects alone.",
    ]
