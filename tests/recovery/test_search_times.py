"""`--since` and `--until` hold for all that was run, whichever trace tells of it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import zipfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.notebooks.documents import checkpoint_document
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.recovery import thinning
from jupyter_rewind.recovery.evidence import Evidence, Executed
from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.search import look, until
from jupyter_rewind.recovery.survey import survey
from jupyter_rewind.recovery.thinning import MOST_DOCUMENTS, left_in_words, select
from tests.support import kernels
from tests.support.evidence import SAVED, SECOND, document, session
from tests.support.histories import make_history
from tests.support.traces import Home, notebook_text


def ran(*seconds: int) -> Evidence:
    """A run whose end nobody knows, as the journal of a killed kernel tells of it."""
    executed = [
        Executed(line, f"x = {line}", time_ns=SAVED + at * SECOND)
        for line, at in enumerate(seconds, 1)
    ]
    return Evidence(runs=(session(0, executed, at=seconds[0], lasting=None),))


@pytest.mark.parametrize(
    ("since", "last", "left"),
    [
        (None, None, ["x = 1", "x = 2"]),
        (150, None, ["x = 1", "x = 2"]),
        (250, None, []),
        (None, 250, ["x = 1", "x = 2"]),
        (None, 150, ["x = 1"]),
        (None, 50, []),
        (50, 250, ["x = 1", "x = 2"]),
    ],
)
def test_runs_of_other_times_are_left_out(
    tmp_path: Path, since: int | None, last: int | None, left: list[str]
) -> None:
    """What ran after --until is left out, and a run that was over before --since."""

    def moment(at: int | None) -> int | None:
        return None if at is None else SAVED + at * SECOND

    scope = Home(tmp_path).scope(since_ns=moment(since), until_ns=moment(last))
    heard = until(ran(100, 200), scope)
    assert [each.source for run in heard.runs for each in run.executions] == left


def test_session_that_is_named_is_kept(tmp_path: Path) -> None:
    """A session that you name yourself is not left out for its time."""
    evidence = Evidence((document("a = 1"),), (session(4, ["x = 1"], at=10, lasting=5),))
    scope = replace(Home(tmp_path).scope(sessions=(4,)), since_ns=SAVED + 9_000 * SECOND)
    assert until(evidence, scope) == evidence
    assert until(evidence, replace(scope, sessions=())).runs == ()


def test_time_that_is_still_to_come_makes_nothing_the_newest(tmp_path: Path) -> None:
    """A checkpoint that a wrong clock dated years ahead does not stand above the notebook."""
    home = Home(tmp_path)
    (home.work / "analysis.ipynb").write_text(notebook_text("a = 1", "b = 2"))
    kept = home.work / ".ipynb_checkpoints/analysis-checkpoint.ipynb"
    kept.parent.mkdir()
    kept.write_text(notebook_text("a = 1", "old = 2"))
    os.utime(kept, (8_000_000_000, 8_000_000_000))
    found = recover(home.scope())
    assert isinstance(found, Recovery)
    assert found.adds_nothing
    [trace] = [each for each in found.found.traces if each.place == str(kept)]
    assert (trace.time_ns, trace.problem) == (None, "its time is still to come")
    scope = home.scope(None)
    [standing] = survey(scope, look(scope)).standings
    assert standing.state == "whole"
    (home.work / "analysis.ipynb").unlink()
    alone = recover(home.scope())
    assert isinstance(alone, Recovery)
    assert [each.cell.source for each in alone.rebuilt.cells] == ["a = 1", "old = 2"]


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_member_of_an_archive_of_a_time_to_come_is_not_the_newest(
    tmp_path: Path, form: str
) -> None:
    """A wrong clock dated a version in a backup ahead: the newest of the others is built on."""
    home = Home(tmp_path)
    versions = {"old": ("old = 1", 2100), "new": ("new = 1", 2020)}
    place = home.path / f"backup.{form}"
    with zipfile.ZipFile(place, "w") if form == "zip" else tarfile.open(place, "w") as made:
        for folder, (text, year) in versions.items():
            raw = notebook_text(text).encode()
            if isinstance(made, zipfile.ZipFile):
                made.writestr(
                    zipfile.ZipInfo(f"{folder}/analysis.ipynb", (year, 1, 1, 0, 0, 0)), raw
                )
            else:
                member = tarfile.TarInfo(f"{folder}/analysis.ipynb")
                member.size, member.mtime = len(raw), int(datetime(year, 1, 1).timestamp())
                made.addfile(member, io.BytesIO(raw))
    found = recover(home.scope(scan=(place,)))
    assert isinstance(found, Recovery)
    assert [each.cell.source for each in found.rebuilt.cells] == ["new = 1"]
    told = {each.place.partition(": ")[2]: each for each in found.found.traces}
    old = told["old/analysis.ipynb"]
    assert (old.time_ns, old.problem) == (None, "its time is still to come")


VERSIONS = (
    ("old = 1", "scratch = 2", "scratch = 3"),
    ("old = 1", "model = fit()"),
    ("old = 1", "model = best()"),
)
AHEAD_NS = 5 * 86_400 * SECOND


def test_a_history_whose_clock_was_ahead_keeps_its_order(tmp_path: Path) -> None:
    """Rewind's own checkpoints stand one behind the other, whatever the clock told."""
    home = kernels.Home(tmp_path)
    ahead = clock.FakeClock(clock.now_ns() + AHEAD_NS)
    with clock.use(ahead), home.repository() as repository:
        for cells in VERSIONS:
            ahead.advance(60)
            home.notebook.write_text(notebook_text(*cells))
            checkpoint_document(Histories(repository), home.notebook, reason=Reason.SAVE)
    home.notebook.unlink()
    found = recover(home.scope())
    assert isinstance(found, Recovery)
    assert [each.cell.source for each in found.rebuilt.cells] == [*VERSIONS[-1]]


def test_commits_whose_clock_was_ahead_keep_their_order(tmp_path: Path) -> None:
    """The first commit was made by a right clock, and is the oldest all the same."""
    home = Home(tmp_path)
    git = ["git", "-C", str(home.work), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    notebook = home.work / "analysis.ipynb"
    for at, cells in enumerate(VERSIONS):
        notebook.write_text(notebook_text(*cells))
        when = (clock.now_ns() + (AHEAD_NS if at else -AHEAD_NS)) // SECOND + at
        dated = {f"GIT_{who}_DATE": f"@{when} +0000" for who in ("AUTHOR", "COMMITTER")}
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-qm", "x"], check=True, env={**os.environ, **dated})
    subprocess.run([*git, "rm", "-q", "analysis.ipynb"], check=True)
    found = recover(home.scope())
    assert isinstance(found, Recovery)
    assert [each.cell.source for each in found.rebuilt.cells] == [*VERSIONS[-1]]


def test_a_commit_of_a_time_that_no_calendar_has_is_read(tmp_path: Path) -> None:
    """As broken converters make them: it costs the time of that commit alone."""
    home = Home(tmp_path)
    (home.work / "analysis.ipynb").write_text(notebook_text("old = 1"))

    def git(*words: str, given: str | None = None) -> str:
        command = ["git", "-C", str(home.work), *words]
        done = subprocess.run(command, input=given, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "-q")
    git("add", ".")
    who = "a <a@b> 253402300800 +0000"
    commit = f"tree {git('write-tree')}\nauthor {who}\ncommitter {who}\n\nx\n"
    made = git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", given=commit)
    git("update-ref", "HEAD", made)
    git("rm", "-qf", "analysis.ipynb")
    found = recover(home.scope())
    assert isinstance(found, Recovery)
    assert [each.cell.source for each in found.rebuilt.cells] == ["old = 1"]
    assert "its time is none that a calendar has" in {each.problem for each in found.found.traces}


@pytest.mark.parametrize("moment", [-1_000, 5_000_000_000])
def test_of_very_many_versions_without_a_time_the_largest_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """An archive can hold any number, dated by nothing; the others are listed. Where they were
    dated ahead one after the other, half of those that are read are the last."""
    monkeypatch.setattr(thinning, "_MOST_UNDATED", MOST_DOCUMENTS)
    home = Home(tmp_path)
    place = home.path / "backup.tar"
    with tarfile.open(place, "w") as made:
        for number in range(2 * MOST_DOCUMENTS):
            raw = notebook_text("old = 1", f"text = '{'x' * number}'").encode()
            member = tarfile.TarInfo(f"{number}/analysis.ipynb")
            member.size, member.mtime = len(raw), moment - number
            made.addfile(member, io.BytesIO(raw))
    scope = home.scope(scan=(place,))
    chosen = select(scope, look(scope).traces)
    read = {int(each.place.rpartition(": ")[2].partition("/")[0]) for each in chosen.read}
    largest = set(range(MOST_DOCUMENTS, 2 * MOST_DOCUMENTS))
    half = MOST_DOCUMENTS // 2
    last = {*range(half), *range(2 * MOST_DOCUMENTS - half, 2 * MOST_DOCUMENTS)}
    assert read == (largest if moment < 0 else last)
    assert len(chosen.left) == MOST_DOCUMENTS
    [told] = left_in_words(home.work / "analysis.ipynb", chosen.left)
    assert told.startswith("24 versions of it whose time nobody knows were not read: the largest")
    asked = select(scope, look(scope).traces, f": {MOST_DOCUMENTS - 3}/analysis.ipynb")
    assert len(asked.read) == MOST_DOCUMENTS + 1
    assert len(asked.left) == MOST_DOCUMENTS - 1


def test_time_before_all_notebooks_is_none(tmp_path: Path) -> None:
    """Some file systems keep any number as a time: a date that cannot be is not told."""
    home = Home(tmp_path)
    notebook = home.work / "analysis.ipynb"
    kept = home.work / ".ipynb_checkpoints/analysis-checkpoint.ipynb"
    kept.parent.mkdir()
    for path in (notebook, kept):
        path.write_text(notebook_text("a = 1"))
        os.utime(path, (-86_400, -86_400))
    found = look(home.scope())
    told = [each for each in found.traces if each.place in (str(notebook), str(kept))]
    assert [(each.time_ns, each.problem) for each in told] == [
        (None, "its time is before 1970")
    ] * 2
    [problem] = found.problems
    assert problem.place == str(notebook)
    assert problem.words.startswith("Its time is before 1970: a clock was wrong.")


STEPS = [f"stage_{n} = measure_{n}(table, depth={n * 7})" for n in range(6)]


YEARS = 8_000_000_000


def dated_ahead(tmp_path: Path, *, share: float = 1.0, moment: float = YEARS) -> Home:
    """A notebook with four of the six cells that ran, which a wrong clock dated ahead."""
    home = Home(tmp_path)
    make_history(home.path / ".ipython/profile_default/history.sqlite", [STEPS])
    book = json.loads(notebook_text(*STEPS[:4]))
    for count, each in enumerate(book["cells"], 1):
        each["execution_count"] = count
    raw = json.dumps(book, indent=1).encode()
    notebook = home.work / "analysis.ipynb"
    notebook.write_bytes(raw[: int(len(raw) * share)])
    os.utime(notebook, (moment, moment))
    return home


@pytest.mark.parametrize(
    ("share", "ahead"),
    [(1.0, YEARS), (0.6, YEARS), (1.0, 5 * 3600)],
    ids=["whole", "cut", "by hours"],
)
def test_notebook_of_a_time_to_come_gets_what_ran_since_by_its_numbers(
    tmp_path: Path, share: float, ahead: int
) -> None:
    """A wrong clock dated your notebook ahead: what it lacks comes back, and the date is told."""
    moment = clock.now_ns() / SECOND + ahead
    found = recover(dated_ahead(tmp_path, share=share, moment=moment).scope())
    assert isinstance(found, Recovery)
    assert [each.cell.source for each in found.rebuilt.cells] == STEPS
    assert any("still to come" in each.words for each in found.problems)


def test_folder_tells_what_a_notebook_of_a_time_to_come_lacks(tmp_path: Path) -> None:
    """The folder does not call up to date what a wrong clock dated ahead."""
    home = dated_ahead(tmp_path)
    scope = home.scope(None)
    found = look(scope)
    [standing] = survey(scope, found).standings
    assert (standing.state, standing.can_gain) == ("unsaved", True)
    assert "2 cells were run" in standing.words
    assert any("still to come" in each.words for each in found.problems)


def test_notebook_of_a_time_to_come_stands_above_its_checkpoint(tmp_path: Path) -> None:
    """Of a file whose time nobody knows and an older checkpoint, the file is built on."""
    home = dated_ahead(tmp_path)
    kept = home.work / ".ipynb_checkpoints/analysis-checkpoint.ipynb"
    kept.parent.mkdir()
    kept.write_text(notebook_text(STEPS[0], "old = 2"))
    found = recover(home.scope())
    assert isinstance(found, Recovery)
    assert [each.cell.source for each in found.rebuilt.cells] == STEPS
