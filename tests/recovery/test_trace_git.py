"""What git still has of a notebook, in real repositories."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind.errors import Unavailable
from jupyter_rewind.recovery.gitobjects import parse_log, tree_entries
from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.search import look
from jupyter_rewind.recovery.survey import survey
from jupyter_rewind.recovery.traces.git import GitFinder
from tests.support.evidence import SECOND
from tests.support.traces import Home, notebook_text, sources, traces_of

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
FINDER = GitFinder()


def begin(folder: Path) -> Home:
    """A home whose work is a repository."""
    home = Home(folder)
    git(home, "init", "-q")
    git(home, "config", "user.email", "someone@example.org")
    git(home, "config", "user.name", "Someone")
    return home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return begin(tmp_path)


def git(home: Home, *words: str) -> str:
    env = {"HOME": str(home.path), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(
        ["git", *words], cwd=home.work, check=True, capture_output=True, text=True, env=env
    ).stdout


def put(home: Home, *cells: str, name: str = "analysis.ipynb") -> Path:
    path = home.work / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(notebook_text(*cells))
    return path


def found(home: Home) -> dict[tuple[str, ...], str | None]:
    """The cells of every state that is found, and the notebook it is said to be of."""
    scope = home.scope()
    return {
        tuple(sources(FINDER, trace, scope)): trace.notebook for trace in traces_of(FINDER, scope)
    }


def test_every_commit_of_every_branch_is_found(home: Home) -> None:
    """A notebook that you committed can come back from any commit, of any branch."""
    path = put(home, "first")
    git(home, "add", "."), git(home, "commit", "-qm", "one")
    git(home, "checkout", "-qb", "side")
    put(home, "side")
    git(home, "commit", "-qam", "two")
    git(home, "checkout", "-q", "-")
    path.unlink()
    git(home, "commit", "-qam", "gone")
    assert found(home) == {("first",): str(path), ("side",): str(path)}


def test_what_was_staged_and_overwritten_is_found(home: Home) -> None:
    """A state that was only added, never committed, and added over again, is still there."""
    put(home, "staged once")
    git(home, "add", ".")
    put(home, "staged twice")
    git(home, "add", ".")
    told = found(home)
    assert told[("staged twice",)] == str(home.work / "analysis.ipynb")
    assert ("staged once",) in told


def test_a_dropped_stash_and_an_amended_commit_are_found_by_name(home: Home) -> None:
    """What git throws away keeps its folder listing, and that names the notebook."""
    path = put(home, "base")
    git(home, "add", "."), git(home, "commit", "-qm", "one")
    put(home, "stashed")
    git(home, "stash")
    git(home, "stash", "drop")
    put(home, "amended away")
    git(home, "commit", "-qam", "two")
    put(home, "final")
    git(home, "add", "."), git(home, "commit", "-q", "--amend", "-m", "three")
    git(home, "reflog", "expire", "--expire=now", "--all")
    told = found(home)
    assert {told[("stashed",)], told[("amended away",)], told[("final",)]} == {str(path)}


def test_a_dropped_state_of_another_folders_namesake_is_not_taken(home: Home) -> None:
    """Two notebooks of one name: what git threw away of the other one is not said to be yours."""
    put(home, "mine", name="analysis.ipynb")
    put(home, "yours", name="other/analysis.ipynb")
    git(home, "add", "."), git(home, "commit", "-qm", "one")
    put(home, "yours, amended away", name="other/analysis.ipynb")
    git(home, "commit", "-qam", "two")
    put(home, "yours, final", name="other/analysis.ipynb")
    git(home, "add", "."), git(home, "commit", "-q", "--amend", "-m", "three")
    git(home, "reflog", "expire", "--expire=now", "--all")
    told = found(home)
    assert told[("mine",)] == str(home.work / "analysis.ipynb")
    assert told[("yours, amended away",)] is None


def test_what_is_staged_is_newer_than_what_was_committed(home: Home) -> None:
    """The state that you added last is known to be younger than the commit before it."""
    path = put(home, "committed")
    git(home, "add", "."), git(home, "commit", "-qm", "one", "--date", "2020-01-01T00:00:00")
    put(home, "staged")
    git(home, "add", ".")
    path.unlink()
    scope = home.scope()
    times = {tuple(sources(FINDER, t, scope)): t.time_ns for t in traces_of(FINDER, scope)}
    committed, staged = times[("committed",)], times[("staged",)]
    assert committed is not None and staged is not None
    assert committed <= staged + 1_000_000_000, "git tells the time of a commit in seconds"


def test_what_was_only_fetched_does_not_replace_your_own_work(home: Home, tmp_path: Path) -> None:
    """A colleague's newer commit, fetched and not merged, is another version; yours comes back."""
    path = put(home, "shared", "mine = 1")
    git(home, "add", "."), git(home, "commit", "-qm", "one")
    git(home, "clone", "-q", ".", "../hers")
    hers = tmp_path / "hers"
    (hers / "analysis.ipynb").write_text(notebook_text("shared", "hers = 'more'", "hers_too = 2"))
    who = ("-c", "user.name=She", "-c", "user.email=she@example.org")
    git(home, "-C", str(hers), *who, "commit", "-qam", "two")
    git(home, "fetch", "-q", str(hers), "+HEAD:refs/remotes/hers/main")
    told = {tuple(sources(FINDER, t, home.scope())): t for t in traces_of(FINDER, home.scope())}
    theirs = told[("shared", "hers = 'more'", "hers_too = 2")]
    assert "fetched" in theirs.words
    for damaged in (b"", path.read_bytes()[:-120], None):
        path.unlink() if damaged is None else path.write_bytes(damaged)
        found = recover(home.scope())
        assert isinstance(found, Recovery)
        assert [each.cell.source for each in found.rebuilt.cells] == ["shared", "mine = 1"]
        assert theirs.place in {each.trace.place for each in found.others}


def test_untracked_notebooks_in_a_stash_are_found(home: Home) -> None:
    """`git stash -u` takes notebooks away that were never added; they come back by name."""
    put(home, "other", name="other.ipynb")
    git(home, "add", "."), git(home, "commit", "-qm", "one")
    path = put(home, "never added")
    git(home, "stash", "-qu")
    assert not path.exists()
    assert found(home) == {("never added",): str(path)}


def test_notebooks_of_other_names_are_not_taken_for_this_one(home: Home) -> None:
    """Another notebook's committed states are no trace of yours."""
    put(home, "mine")
    put(home, "yours", name="yours.ipynb")
    git(home, "add", "."), git(home, "commit", "-qm", "one")
    assert list(found(home)) == [("mine",)]


def test_packed_leftovers_are_found(home: Home) -> None:
    """`git gc` packs what nothing refers to; it is looked for there, too."""
    put(home, "lost in a pack")
    git(home, "add", ".")
    put(home, "kept")
    git(home, "add", "."), git(home, "commit", "-qm", "one")
    git(home, "repack", "-q", "-d", "-a", "--cruft")
    assert ("lost in a pack",) in found(home)


def test_a_folder_shows_all_its_notebooks(home: Home) -> None:
    """Without a name, every notebook below the folder that git knows is listed."""
    one, two = put(home, "a"), put(home, "b", name="deep [1]/b.ipynb")
    git(home, "add", "."), git(home, "commit", "-qm", "one")
    scope = home.scope(None, folder=home.work)
    assert {trace.notebook for trace in traces_of(FINDER, scope)} == {str(one), str(two)}
    scope = home.scope(None, folder=two.parent)
    assert {trace.notebook for trace in traces_of(FINDER, scope)} == {str(two)}


def test_a_notebook_in_a_folder_that_is_gone_is_found(home: Home) -> None:
    """The whole folder was deleted; git still has the notebook in it."""
    path = put(home, "deep", name="sub/deep/analysis.ipynb")
    git(home, "add", "."), git(home, "commit", "-qm", "one")
    shutil.rmtree(home.work / "sub")
    scope = home.scope("sub/deep/analysis.ipynb")
    [trace] = traces_of(FINDER, scope)
    assert (trace.notebook, sources(FINDER, trace, scope)) == (str(path), ["deep"])


def test_the_repository_is_not_changed_and_runs_nothing(home: Home, tmp_path: Path) -> None:
    """A repository whose configuration names programs to run gets none of them run."""
    put(home, "mine")
    git(home, "add", "."), git(home, "commit", "-qm", "one")
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "gpg.program", "core.sshCommand", "diff.external"):
        git(home, "config", key, str(program))
    git(home, "config", "log.showSignature", "true")
    before = listing(home.work / ".git")
    assert list(found(home)) == [("mine",)]
    assert not ran.exists()
    assert listing(home.work / ".git") == before


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    files = (each for each in folder.rglob("*") if each.is_file())
    return {str(each): (each.stat().st_size, each.stat().st_mtime_ns) for each in files}


@given(raw=st.binary(max_size=400), good=st.booleans())
def test_any_bytes_of_git_end_in_an_answer(raw: bytes, good: bool) -> None:
    """Trees, loose objects and logs that are damaged are read as far as they go."""
    head = b"100644 analysis.ipynb\0" + bytes(20) if good else b""
    entries = list(tree_entries(head + raw))
    assert not good or entries[0] == ("analysis.ipynb", "0" * 40)
    list(parse_log(raw))
    list(parse_log(b"\x01" + b"a" * 40 + b" 17\0\n:1 2 3 " + raw + b"\0name\0"))


def test_damaged_loose_objects_cost_themselves_alone(home: Home) -> None:
    """One of git's files is garbage; what the others hold is still found."""
    put(home, "lost")
    git(home, "add", ".")
    put(home, "kept")
    git(home, "add", ".")
    for number in range(3):
        bad = home.work / ".git/objects" / f"0{number}" / f"{number:038}"
        bad.parent.mkdir(exist_ok=True)
        bad.write_bytes(b"garbage" * number)
    assert ("lost",) in found(home)


def test_a_folder_without_a_repository_has_no_trace(tmp_path: Path) -> None:
    """Where there is no git, there is nothing of git's."""
    home = Home(tmp_path)
    assert traces_of(FINDER, home.scope()) == []


def test_a_repository_that_git_will_not_open_is_told(tmp_path: Path) -> None:
    """A broken repository is a problem that is named, not an empty answer."""
    home = Home(tmp_path)
    (home.work / ".git").write_text("gitdir: nowhere\n")
    with pytest.raises(Unavailable):
        list(FINDER.find(home.scope()))


def test_folder_lists_what_was_staged_and_then_reset(home: Home) -> None:
    """`git add` and `git reset --hard`: the folder finds the blob that recovering by name takes."""
    path = put(home, "a = load()", "b = clean(a)")
    put(home, "other = 1", "thing = 2", name="other.ipynb")
    git(home, "add", "."), git(home, "commit", "-qm", "one")
    lost = ["a = load()", "b = clean(a)", "c = fit(b)", "d = plot(c)"]
    put(home, *lost)
    git(home, "add", "."), git(home, "reset", "-q", "--hard")
    scope = home.scope(None)
    listed = {each.notebook: each for each in survey(scope, look(scope)).standings}
    assert (listed[path].state, listed[path].can_gain) == ("outdated", True)
    assert "2 cells more" in listed[path].words
    assert listed[home.work / "other.ipynb"].state == "whole"
    assert not listed[home.work / "other.ipynb"].older
    made = recover(home.scope())
    assert isinstance(made, Recovery)
    assert [each.cell.source for each in made.rebuilt.cells] == lost


def test_folder_tells_of_edits_that_were_staged_and_then_reset(home: Home) -> None:
    """The cells are the same ones with other texts: git took the edits away, nobody made newer."""
    steps = [f"stage_{n} = measure_{n}(table, depth={n * 7})" for n in range(5)]
    path = put(home, *steps)
    git(home, "add", "."), git(home, "commit", "-qm", "one")
    put(home, *steps[:3], f"{steps[3]}.round()", f"{steps[4]}.round()")
    git(home, "add", "."), git(home, "reset", "-q", "--hard")
    now = path.stat().st_mtime_ns
    for each in (home.work / ".git" / "objects").rglob("*"):
        os.utime(each, ns=(now + 3 * SECOND,) * 2)
    os.utime(path, ns=(now + 5 * SECOND,) * 2)
    scope = home.scope(None)
    [standing] = survey(scope, look(scope)).standings
    assert "another version of it has 2 cells more" in standing.older
    made = recover(home.scope())
    assert isinstance(made, Recovery)
    assert [each.cells for each in made.others] == [2]
    put(home, *steps[:3], f"{steps[3]}.round(2)", f"{steps[4]}.round(2)")
    [standing] = survey(scope, look(scope)).standings
    assert not standing.older


def with_tries(home: Home, *, kept: int) -> list[str]:
    """An old checkpoint has six tries besides what the file keeps of the steps, which you commit;
    the cells of the checkpoint."""
    steps = [f"step_{number} = final({number})" for number in range(8)]
    every = [*steps, *(f"try_{number} = debug({number})" for number in range(6))]
    copy = put(home, *every, name=".ipynb_checkpoints/analysis-checkpoint.ipynb")
    path = put(home, *steps[:kept])
    os.utime(copy, ns=(path.stat().st_mtime_ns - 1000 * SECOND,) * 2)
    git(home, "add", "analysis.ipynb"), git(home, "commit", "-qm", "one")
    return every


def test_folder_does_not_call_outdated_what_was_committed_without_its_tries(home: Home) -> None:
    """Recovering by name leaves them out, too; both tell of the version that has them."""
    with_tries(home, kept=8)
    scope = home.scope(None)
    [standing] = survey(scope, look(scope)).standings
    assert (standing.state, standing.can_gain) == ("whole", False)
    assert "another version of it has 6 cells more" in standing.older
    made = recover(home.scope())
    assert isinstance(made, Recovery)
    assert made.adds_nothing
    [told] = [each for each in made.rebuilt.next_steps if "6 cells that are not in it" in each]
    assert "--from" in told


def test_folder_calls_outdated_what_was_committed_after_it_was_emptied(home: Home) -> None:
    """A hook committed what an accident left: nobody cleans up so; recovering brings it back."""
    every = with_tries(home, kept=2)
    scope = home.scope(None)
    [standing] = survey(scope, look(scope)).standings
    assert (standing.state, standing.can_gain) == ("outdated", True)
    made = recover(home.scope())
    assert isinstance(made, Recovery)
    assert [each.cell.source for each in made.rebuilt.cells] == every


def on_two_branches(home: Home) -> Path:
    """Another branch has a newer commit; the one that is checked out has its own state."""
    path = put(home, "a = load()", "b = clean(a)")
    git(home, "add", "."), git(home, "commit", "-qm", "one")
    git(home, "checkout", "-qb", "side")
    put(home, "a = load()", "b = clean(a, hard=True)", "side = try_out(b)", "more = side + 1")
    git(home, "commit", "-qam", "two")
    git(home, "checkout", "-q", "-")
    return path


def brought_back(home: Home) -> list[str]:
    made = recover(home.scope())
    assert isinstance(made, Recovery)
    return [each.cell.source for each in made.rebuilt.cells]


def test_branch_that_is_checked_out_comes_back(home: Home) -> None:
    """Another branch has newer commits: what was lost is the state of yours; theirs is told."""
    path = on_two_branches(home)
    path.unlink()
    assert brought_back(home) == ["a = load()", "b = clean(a)"]
    made = recover(home.scope())
    assert isinstance(made, Recovery)
    [other] = made.others
    assert "on a branch that is not checked out" in other.trace.words
    assert other.cells == 3
    git(home, "checkout", "-q", "side"), path.unlink()
    assert brought_back(home)[1] == "b = clean(a, hard=True)"


def test_notebook_of_another_branch_alone_comes_back(home: Home) -> None:
    """The branch that is checked out never had it: the newest commit of any other is taken."""
    put(home, "unlike = 1", name="other.ipynb")
    git(home, "add", "."), git(home, "commit", "-qm", "zero")
    git(home, "checkout", "-qb", "side")
    put(home, "a = load()")
    git(home, "add", "."), git(home, "commit", "-qm", "one")
    put(home, "a = load()", "b = clean(a)")
    git(home, "commit", "-qam", "two")
    git(home, "checkout", "-q", "-")
    assert brought_back(home) == ["a = load()", "b = clean(a)"]


@pytest.mark.parametrize("state", ["detached", "unborn"])
def test_newest_commit_counts_where_no_branch_is_checked_out(home: Home, state: str) -> None:
    """In the middle of a rebase, or on a branch without a commit, no branch is yours."""
    path = on_two_branches(home)
    words = ("--detach", "HEAD") if state == "detached" else ("--orphan", "fresh")
    git(home, "checkout", "-q", *words)
    git(home, "rm", "-q", "-f", "--ignore-unmatch", path.name)
    assert brought_back(home)[-1] == "more = side + 1"
