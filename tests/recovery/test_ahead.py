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
from jupyter_rewind.notebooks.documents import checkpoint_document
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.recovery.ahead import TO_COME, in_order
from jupyter_rewind.recovery.evidence import Scope, Trace
from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.remembered import UNSURE
from tests.support import kernels
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
    git = ["git", "-C", str(home.work), "-c", "user.name=a", "-c", "user.email=a@b"]
    notebook = home.work / "analysis.ipynb"
    notebook.write_text(notebook_text("a = 1", "old = 3"))
    when = (clock.now_ns() + AHEAD_NS) // SECOND
    dated = {f"GIT_{who}_DATE": f"@{when} +0000" for who in ("AUTHOR", "COMMITTER")}
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True, env={**os.environ, **dated})
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
    (tmp_path / "scratch").mkdir()
    scope = Scope(
        notebook=home.notebook, folder=home.notebook.parent, home=tmp_path,
        scratch=tmp_path / "scratch", store=tmp_path / "data/rewind",
        store_keys=tmp_path / "config/rewind-keys",
    )  # fmt: skip
    assert rebuilt(scope) == [*NEWEST]


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


NOW = 1_000_000


@given(st.lists(st.integers(1, NOW - 1), unique=True), st.data())
def test_versions_keep_their_places_whichever_were_dated_ahead(
    times: list[int], data: st.DataObject
) -> None:
    """As listed, the newest first: right dates stay, the others keep their order among them."""
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
    placed = [(each.time_ns or 0, each.order if each.time_ns is None else 0) for each in found]
    for at, each in enumerate(found):
        if at not in wrong:
            assert each == traces[at]
            continue
        assert each.problem == TO_COME
        older_is_right = any(one not in wrong for one in range(at + 1, len(found)))
        assert (each.time_ns is not None) == older_is_right
        if each.time_ns is not None:
            older = min(one for one in range(at + 1, len(found)) if one not in wrong)
            assert right[older] < each.time_ns < right[older] + SECOND
    behind = [each for at, each in enumerate(placed) if found[at].time_ns is not None]
    assert behind == sorted(behind, reverse=True)
    of_none = [each for at, each in enumerate(placed) if found[at].time_ns is None]
    assert of_none == sorted(of_none, reverse=True)
