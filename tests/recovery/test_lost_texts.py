"""Text that is lost from a notebook whose code is all there: the folder's list tells of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from jupyter_rewind.recovery import olderversions
from jupyter_rewind.recovery.olderversions import _digest_of
from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.search import look
from jupyter_rewind.recovery.survey import Standing, survey
from tests.support.evidence import SAVED, SECOND
from tests.support.traces import Home

CODE = "prices = load('prices.csv')"
BRIEF = ["# Report\nFirst words.", "What we see"]
LONG = [
    "# Report\nFirst words, and then the whole argument of the paper, which took an hour.",
    "What we see is a linear rise, for three reasons:\n1. heat\n2. time\n3. luck",
]


def book(texts: Sequence[str], code: Sequence[str] = (CODE,)) -> str:
    """A notebook of text cells, and code behind them; each cell has the id that Jupyter drew."""
    cells: list[dict[str, object]] = [
        {"cell_type": "markdown", "id": f"a1b2c3d{at}", "metadata": {}, "source": text}
        for at, text in enumerate(texts)
    ]
    for at, source in enumerate(code):
        made = {"cell_type": "code", "id": f"e1f2a3b{at}", "metadata": {}, "source": source}
        cells.append({**made, "execution_count": None, "outputs": []})
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def put(path: Path, text: str, at: int) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(SAVED + at * SECOND,) * 2)
    return path


def standing(home: Home) -> Standing:
    scope = home.scope(None)
    [only] = survey(scope, look(scope)).standings
    return only


def made_home(tmp_path: Path, now: Sequence[str], then: Sequence[str]) -> Home:
    """A notebook that was saved after its checkpoint was made."""
    home = Home(tmp_path / "home")
    put(home.work / "analysis.ipynb", book(now), 900)
    put(home.work / ".ipynb_checkpoints" / "analysis-checkpoint.ipynb", book(then), 0)
    return home


def test_folder_tells_of_text_that_an_old_tab_wrote_over(tmp_path: Path) -> None:
    """The checkpoint says all that the file says, and much more."""
    told = standing(made_home(tmp_path, BRIEF, LONG))
    assert told.state == "whole"
    assert "another version of it has much more text in 2 cells (Jupyter's" in told.older


@pytest.mark.parametrize(
    "now",
    [LONG, [BRIEF[0], "What we see here"], [BRIEF[0], "All of it was wrong: see below"], BRIEF],
    ids=["grew", "a word", "reworded", "same"],
)
def test_text_that_was_worked_on_since_is_not_lost(tmp_path: Path, now: Sequence[str]) -> None:
    """Who edits says more, or something else: that is no loss, and nothing is told."""
    assert not standing(made_home(tmp_path, now, BRIEF)).older


def test_text_that_was_cut_by_a_few_words_is_not_lost(tmp_path: Path) -> None:
    """A sentence made shorter is an edit."""
    assert not standing(made_home(tmp_path, BRIEF, [BRIEF[0], "What we see here so far"])).older


class Repository:
    """A folder under git, of which the first state was committed at the usual moment."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.git("init", "-q")

    def git(self, *words: str, at: int = 0) -> None:
        moment = f"@{SAVED // SECOND + at} +0000"
        who = {
            f"GIT_{one}_{what}": "a"
            for one in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        when = {"GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment}
        env = {"HOME": str(self.home.path), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(
            ["git", *words],
            cwd=self.home.work,
            check=True,
            env=env | who | when,
            capture_output=True,
        )


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_folder_tells_of_text_that_a_checkout_took(tmp_path: Path) -> None:
    """The file is as it was committed, and a checkpoint of later says something else."""
    home = Home(tmp_path / "home")
    path = put(home.work / "analysis.ipynb", book(LONG), 900)
    repository = Repository(home)
    repository.git("add", "."), repository.git("commit", "-qm", "one")
    checkpoint = home.work / ".ipynb_checkpoints" / "analysis-checkpoint.ipynb"
    put(checkpoint, book([LONG[0], "Something else"]), 300)
    assert "another version of it has a cell more (Jupyter's checkpoint" in standing(home).older
    put(checkpoint, book([LONG[0], "Something else"]), -300)
    assert not standing(home).older, "what was committed after the checkpoint is newer"
    put(checkpoint, book([LONG[0], "Something else"]), 300)
    put(path, book([LONG[0], "Something else again"]), 900)
    assert not standing(home).older, "it was edited since"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_file_is_digested_once_however_many_commits_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large notebook of many commits costs the list one reading."""
    home = made_home(tmp_path, BRIEF, LONG)
    path, repository = home.work / "analysis.ipynb", Repository(home)
    for at in range(5):
        put(path, book([*BRIEF, f"state {at}"]), 900 + at)
        repository.git("add", "analysis.ipynb"), repository.git("commit", "-qm", "one", at=at)
    digested: list[str] = []

    def digest(raw: bytes, form: str, made: Callable[[bytes, str], str] = _digest_of) -> str:
        digested.append(form)
        return made(raw, form)

    monkeypatch.setattr(olderversions, "_digest_of", digest)
    assert standing(home).state == "whole"
    assert digested == ["sha1"]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_dropped_state_of_a_notebook_without_code_is_known_by_its_cells(tmp_path: Path) -> None:
    """Nothing but text was staged and taken away: the ids of the cells say whose it was."""
    home = Home(tmp_path / "home")
    path = put(home.work / "analysis.ipynb", book(BRIEF, ()), 0)
    other = put(home.work / "other.ipynb", book(["Other", "text"], ()).replace("a1b2", "9999"), 0)
    repository = Repository(home)
    repository.git("add", "."), repository.git("commit", "-qm", "one")
    path.write_text(book(LONG, ()))
    repository.git("add", "."), repository.git("reset", "-q", "--hard")
    for each in (home.work / ".git" / "objects").rglob("*"):
        os.utime(each, ns=(SAVED + 100 * SECOND,) * 2)
    os.utime(path, ns=(SAVED + 900 * SECOND,) * 2)
    scope = home.scope(None)
    listed = {each.notebook: each.older for each in survey(scope, look(scope)).standings}
    assert "another version of it has 2 cells more" in listed[path]
    assert not listed[other]
    made = recover(home.scope())
    assert isinstance(made, Recovery)
    [step] = [each for each in made.rebuilt.next_steps if each.startswith("Not taken")]
    assert "100% of its cells in common with this one, by their ids" in step
    assert "--from '" in step
    apart = recover(home.scope("other.ipynb"))
    assert isinstance(apart, Recovery)
    assert any("unlike this one, left out" in each for each in apart.rebuilt.next_steps)
