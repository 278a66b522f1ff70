"""Versions that a clock dated ahead keep their store's order and outrank no right date."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind import clock
from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.model.draft import Opening
from jupyter_rewind.model.ids import DraftId
from jupyter_rewind.notebooks.documents import checkpoint_document
from jupyter_rewind.notebooks.drafts import Drafts
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.recovery.ahead import TO_COME, age_of, in_order
from jupyter_rewind.recovery.evidence import FoundDocument, Scope, Trace
from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.remembered import UNSURE
from jupyter_rewind.recovery.search import look
from jupyter_rewind.recovery.traces.rewind import CHECKPOINT, KEPT_AS
from jupyter_rewind.recovery.traces.scan import MEMBER
from tests.support import kernels
from tests.support.drafts import Editor
from tests.support.evidence import SECOND
from tests.support.traces import Home, notebook_text

AHEAD_NS = 5 * 86_400 * SECOND
NEWEST = ("a = 1", "model = fit(a)", "model.score()")


def rebuilt(scope: Scope) -> list[str]:
    found = recover(scope)
    assert isinstance(found, Recovery)
    return [each.cell.source for each in found.rebuilt.cells]


@pytest.mark.parametrize("newer", ["the file", "its checkpoint"])
def test_a_commit_that_was_dated_ahead_is_not_above_newer_work(tmp_path: Path, newer: str) -> None:
    """A colleague's clock was five days ahead: what was written since is newer all the same."""
    home = Home(tmp_path)
    notebook = commit(home, (clock.now_ns() + AHEAD_NS) // SECOND, "a = 1", "old = 3")
    if newer == "its checkpoint":
        notebook.unlink()
        notebook = home.work / ".ipynb_checkpoints/analysis-checkpoint.ipynb"
        notebook.parent.mkdir()
    notebook.write_text(notebook_text(*NEWEST))
    assert rebuilt(home.scope()) == [*NEWEST]


@pytest.mark.parametrize("newer", ["the file", "a checkpoint"])
def test_checkpoints_that_were_dated_ahead_are_not_above_newer_work(
    tmp_path: Path, newer: str
) -> None:
    """The clock was set right again: what was saved since is the newest."""
    home = kernels.Home(tmp_path)
    ahead = clock.FakeClock(clock.now_ns() + AHEAD_NS)
    with home.repository() as repository:
        histories = Histories(repository)
        with clock.use(ahead):
            for cells in (("a = 1", "old = 2"), ("a = 1", "old = 3")):
                ahead.advance(60)
                home.notebook.write_text(notebook_text(*cells))
                checkpoint_document(histories, home.notebook, reason=Reason.SAVE)
        home.notebook.write_text(notebook_text(*NEWEST))
        if newer == "a checkpoint":
            checkpoint_document(histories, home.notebook, reason=Reason.SAVE)
            home.notebook.unlink()
    assert rebuilt(home.scope()) == [*NEWEST]


@pytest.mark.parametrize("saved_since", [True, False])
def test_edits_that_were_dated_ahead_stand_behind_what_they_are_edits_of(
    tmp_path: Path, saved_since: bool
) -> None:
    """Edits were left unsaved while the clock was ahead: what was saved since is newer, and what
    was saved before is older."""
    home = kernels.Home(tmp_path)
    with home.repository() as repository:
        histories = Histories(repository)
        home.notebook.write_text(notebook_text("x = 1", "y = 2"))
        with clock.use(turned := clock.FakeClock(clock.now_ns() - AHEAD_NS)):
            checkpoint_document(histories, home.notebook, reason=Reason.SAVE)
            [head] = histories.checkpoints(str(home.notebook))
            turned.time_ns += 2 * AHEAD_NS
            editor = Editor()
            editor.set_source("1", "y = 'typed'")
            opening = Opening(DraftId("d" * 32), head.history, head.id, "me", "here")
            Drafts(histories).begin(opening, head, editor.whole())
        if saved_since:
            home.notebook.write_text(notebook_text(*NEWEST))
            checkpoint_document(histories, home.notebook, reason=Reason.SAVE)
    home.notebook.unlink()
    assert rebuilt(home.scope()) == ([*NEWEST] if saved_since else ["x = 1", "y = 'typed'"])


def test_an_archive_that_is_dated_ahead_keeps_its_order(tmp_path: Path) -> None:
    """This machine's clock is behind: the last of the versions is built on, likely and not sure."""
    home = Home(tmp_path)
    versions = (
        ("a = 1", "b = 2", "scratch = 3", "try_1 = 4", "try_2 = 5"),
        ("a = 1", "b = 2", "model = fit(a)"),
        ("a = 1", "b = 2", "model = fit(a, b)"),
    )
    place = home.path / "backup.tar"
    with tarfile.open(place, "w") as made:
        for at, cells in enumerate(versions):
            raw = notebook_text(*cells).encode()
            member = tarfile.TarInfo(f"day{at}/analysis.ipynb")
            member.size, member.mtime = len(raw), (clock.now_ns() + AHEAD_NS) // SECOND + at * 60
            made.addfile(member, io.BytesIO(raw))
    found = recover(home.scope(scan=(place,)))
    assert isinstance(found, Recovery)
    assert [each.cell.source for each in found.rebuilt.cells] == [*versions[-1]]
    assert all(each.confidence == UNSURE for each in found.rebuilt.cells)


def commit(home: Home, moment: int, *cells: str) -> Path:
    """The notebook, committed as of a moment in seconds."""
    git = ["git", "-C", str(home.work), "-c", "user.name=a", "-c", "user.email=a@b"]
    notebook = home.work / "analysis.ipynb"
    notebook.write_text(notebook_text(*cells))
    dated = {f"GIT_{who}_DATE": f"@{moment} +0000" for who in ("AUTHOR", "COMMITTER")}
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True, env={**os.environ, **dated})
    return notebook


def test_what_is_missing_since_a_commit_that_was_dated_ahead_comes_back(tmp_path: Path) -> None:
    """Nobody told git to keep the notebook without these cells, whatever the dates are."""
    home, ahead = Home(tmp_path), (clock.now_ns() + AHEAD_NS) // SECOND
    commit(home, ahead, "a = 1", "b = 2")
    notebook = commit(home, ahead + 60, "a = 1", "b = 2", *NEWEST[1:], "more = 3")
    notebook.write_text(notebook_text("a = 1", "b = 2"))
    assert rebuilt(home.scope()) == ["a = 1", "b = 2", *NEWEST[1:], "more = 3"]


def test_nothing_counts_as_run_since_a_commit_that_was_dated_ahead(tmp_path: Path) -> None:
    """When it was nobody knows: what was run and deleted before it stays out."""
    home, now = Home(tmp_path), clock.now_ns()
    day = 86_400 * SECOND
    commit(home, (now - 30 * day) // SECOND, "a = 1")
    commit(home, (now + AHEAD_NS) // SECOND, "a = 1", "b = 3")
    found = look(home.scope()).traces
    assert [(each.time_ns is None, each.after_ns) for each in found if each.kind == "git"] == [
        (True, (now - 30 * day) // SECOND * SECOND + 1),
        (False, None),
    ]


NOW = 1_000_000


@given(st.lists(st.integers(1, NOW - 1), unique=True), st.data())
def test_versions_keep_their_places_whichever_were_dated_ahead(
    times: list[int], data: st.DataObject
) -> None:
    """As listed, the newest first: right dates stay, the others are where they were among them."""
    right = [each * SECOND for each in sorted(times, reverse=True)]
    wrong = data.draw(st.sets(st.sampled_from(range(len(right))))) if right else set()
    told = [
        data.draw(st.integers(2 * NOW, 3 * NOW)) * SECOND if at in wrong else each
        for at, each in enumerate(right)
    ]
    traces = [
        Trace("git", f"commit {at}", "/a.ipynb", time_ns=each) for at, each in enumerate(told)
    ]
    found = in_order(traces, NOW * SECOND)
    assert [each.place for each in found] == [each.place for each in traces]
    for at, each in enumerate(found):
        if at not in wrong:
            assert each == traces[at]
            continue
        assert (each.time_ns, each.problem) == (None, TO_COME)
        older = [one for one in range(at + 1, len(found)) if one not in wrong]
        assert (each.after_ns is not None) == bool(older)
        if each.after_ns is not None:
            assert right[older[0]] < each.after_ns < right[older[0]] + SECOND
    ages = [age_of(FoundDocument(each, (), time_ns=each.time_ns)) for each in found]
    known = [age for age, each in zip(ages, found, strict=True) if each.time_ns or each.after_ns]
    assert known == sorted(known, reverse=True)
    unknown = [each for each in found if not each.time_ns and not each.after_ns]
    assert unknown == sorted(unknown, key=lambda each: each.order, reverse=True)


def test_what_several_stores_dated_ahead_is_in_the_order_of_its_dates() -> None:
    """Checkpoints that are newer than a commit stay so, also where its last right date is later."""
    checkpoint = {CHECKPOINT: "1", KEPT_AS: "/a.ipynb"}
    traces = [
        Trace("git", "commit ahead", "/a.ipynb", time_ns=20 * SECOND),
        Trace("git", "commit", "/a.ipynb", time_ns=3 * SECOND),
        Trace("rewind", "later", "/a.ipynb", time_ns=30 * SECOND, handle=checkpoint),
        Trace("rewind", "right again", "/a.ipynb", time_ns=8 * SECOND, handle=checkpoint),
        Trace("rewind", "ahead", "/a.ipynb", time_ns=25 * SECOND, handle=checkpoint),
        Trace("rewind", "checkpoint", "/a.ipynb", time_ns=2 * SECOND, handle=checkpoint),
    ]
    found = in_order(traces, 10 * SECOND)
    found.sort(key=lambda each: age_of(FoundDocument(each, (), time_ns=each.time_ns)))
    wanted = ["checkpoint", "commit", "commit ahead", "ahead", "right again", "later"]
    assert [each.place for each in found] == wanted
    alone = [each for each in traces if each.time_ns and each.time_ns > 10 * SECOND]
    member = Trace("scan", "member", "/a.ipynb", time_ns=22 * SECOND, handle={MEMBER: "a"})
    file = Trace("checkpoint", "file", "/a.ipynb", time_ns=28 * SECOND, problem=TO_COME)
    found = sorted(in_order([*alone, member, file], 10 * SECOND), key=lambda each: each.order)
    assert {each.after_ns for each in found} == {None}
    assert [each.place for each in found] == ["commit ahead", "member", "ahead", "file", "later"]


def test_an_index_that_was_set_back_puts_no_commit_below_an_older_one() -> None:
    """git reset lists an old state first: the last commit, dated ahead, is the newest all the
    same."""
    times = (3, 20, 5, 3)
    traces = [Trace("git", f"{at}", "/a.ipynb", time_ns=each) for at, each in enumerate(times)]
    placed = in_order(traces, 10)[1]
    assert placed.after_ns == 6


def test_what_was_dated_ahead_is_not_of_an_earlier_time(tmp_path: Path) -> None:
    """--until leaves out what is later than a version that is later."""
    home, day = Home(tmp_path), 86_400
    now = clock.now_ns() // SECOND
    commit(home, now - 30 * day, "a = 1", "wanted = 2", "plan = 3")
    commit(home, now - 3 * day, "a = 1", "later = 5")
    commit(home, now + 5 * day, "a = 1", "later = 6").unlink()
    assert rebuilt(home.scope()) == ["a = 1", "later = 6"]
    until = (now - 10 * day) * SECOND
    assert rebuilt(home.scope(until_ns=until)) == ["a = 1", "wanted = 2", "plan = 3"]
