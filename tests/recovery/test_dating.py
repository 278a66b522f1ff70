"""An old state over newer work: the file is newer than what was lost, and says nothing of it."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.notebooks.documents import checkpoint_document
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.evidence import EvidenceCell, Executed, FoundDocument, Trace
from jupyter_rewind.recovery.outputs import EARLIER
from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.survey import Standing, survey
from jupyter_rewind.store.repository import Repository
from tests.support.evidence import (
    CHECKPOINT,
    SAVED,
    SECOND,
    TARGET,
    document,
    rebuilt_of,
    session,
    sources_of,
    text_output,
)
from tests.support.histories import make_history
from tests.support.traces import Home, notebook_text

STEPS = [f"stage_{n} = measure_{n}(table, {n}, depth={n * 7})" for n in range(20)]
FILE = Trace("file", str(TARGET), str(TARGET), words="The file on disk")
COMMIT = Trace("git", "/home/ann: git object 1", str(TARGET), words="Commit 1 of git")


def shown(source: str, count: int) -> EvidenceCell:
    return EvidenceCell("code", source, (text_output(f"stage {count}"),), count)


def saved(*, steps: int, at: int, trace: Trace = FILE) -> FoundDocument:
    """The notebook with its first cells, as they stand in the file when they have run."""
    cells = [shown(source, count) for count, source in enumerate(STEPS[:steps], 1)]
    return document(*cells, at=at, trace=trace)


def test_checkout_of_an_older_state_does_not_hide_what_ran_since() -> None:
    """git checkout wrote the committed state over work that was not committed: it comes back."""
    ran = session(1, STEPS, at=-300, lasting=600)
    old = saved(steps=17, at=0, trace=COMMIT)
    rebuilt = rebuilt_of([saved(steps=17, at=900), old], [ran])
    assert sources_of(rebuilt) == STEPS
    assert all(each.confidence >= 0.9 for each in rebuilt.cells[:17])


def test_state_of_another_branch_is_not_mixed_with_what_was_committed_since() -> None:
    """You checked an older branch out: what you ran since is committed, and stays out."""
    ran = session(1, STEPS, at=-300, lasting=600)
    others = [saved(steps=17, at=0, trace=COMMIT), saved(steps=20, at=400, trace=COMMIT)]
    rebuilt = rebuilt_of([saved(steps=17, at=900), *others], [ran])
    assert sources_of(rebuilt) == STEPS[:17]


def test_one_cell_that_was_tried_and_deleted_is_told_and_not_laid_over() -> None:
    """You saved, tried a cell, deleted it and saved again: the file is no old state for that."""
    ran = session(1, STEPS[:18], at=-300, lasting=600)
    old = saved(steps=17, at=0, trace=COMMIT)
    rebuilt = rebuilt_of([saved(steps=17, at=900), old], [ran])
    assert sources_of(rebuilt) == STEPS[:17]
    assert any(each.startswith("1 piece of code ran after all") for each in rebuilt.next_steps)


@pytest.mark.parametrize("trace", [CHECKPOINT, COMMIT], ids=["old tab", "checkout"])
@pytest.mark.parametrize("lasting", [600, None], ids=["ended", "goes-on"])
def test_old_outputs_are_marked_though_a_restart_gave_their_numbers_anew(
    trace: Trace, lasting: int | None
) -> None:
    """You restarted, ran everything and went on; then the state of before the restart came back.

    Its numbers are those of the new run too, and what it shows is not what that run showed.
    """
    old = saved(steps=15, at=0, trace=trace)
    runs = [
        session(1, STEPS[:15], at=-600, lasting=300),
        session(2, STEPS, at=100, lasting=lasting),
    ]
    rebuilt = rebuilt_of([saved(steps=15, at=900), old], runs)
    assert sources_of(rebuilt) == STEPS
    assert all(EARLIER in each.words for each in rebuilt.cells[:15])
    assert all(each.cell.execution_count is None for each in rebuilt.cells[:15])
    assert any(each.startswith("New outputs of 15 cells") for each in rebuilt.likely_lost)


def test_a_notebook_that_came_out_the_same_again_shows_its_last_run() -> None:
    """You restarted, ran everything and saved what is the same: nothing was lost."""
    old = saved(steps=15, at=0, trace=CHECKPOINT)
    runs = [session(n, STEPS[:15], at=n * 300 - 900, lasting=200) for n in (1, 4)]
    rebuilt = rebuilt_of([saved(steps=15, at=900), old], runs)
    assert not any(each.words for each in rebuilt.cells)
    assert [each.cell.execution_count for each in rebuilt.cells] == list(range(1, 16))


@pytest.mark.parametrize("at", [100, 1000], ids=["before the file", "after it"])
def test_a_number_that_is_equal_by_chance_makes_no_output_new(at: int) -> None:
    """Four cells ran in another kernel, one of them with the number that its cell has."""
    again = [STEPS[11], STEPS[9], STEPS[7], STEPS[3], *STEPS[15:]]
    runs = [session(1, STEPS[:15], at=-600, lasting=300), session(2, again, at=at, lasting=None)]
    rebuilt = rebuilt_of([saved(steps=15, at=900)], runs)
    assert set(sources_of(rebuilt)) == set(STEPS)
    marked = {each.cell.source for each in rebuilt.cells if EARLIER in each.words}
    assert marked == set(again[:4])


BRANCH = replace(COMMIT, place="/home/ann: git object 2", handle={"branch": "yes"})


@pytest.mark.parametrize("present", [True, False], ids=["checked out", "deleted"])
def test_what_was_saved_on_another_branch_is_not_laid_over_the_own_one(present: bool) -> None:
    """You worked on another branch, committed and came back: its code is not mixed into yours."""
    other = [shown(f"trial_{n} = attempt(table, {n})", n + 1) for n in range(8)]
    ran = session(1, [each.source for each in other], at=100, lasting=600, notebook=str(TARGET))
    docs = [saved(steps=5, at=0, trace=COMMIT), document(*other, at=800, trace=BRANCH)]
    docs += [saved(steps=5, at=900)] if present else []
    assert sources_of(rebuilt_of(docs, [ran])) == STEPS[:5]
    later = session(2, [*STEPS[:5], STEPS[5]], at=1000, notebook=str(TARGET))
    assert sources_of(rebuilt_of(docs, [ran, later])) == STEPS[:6]


def test_document_without_numbers_is_as_old_as_its_file() -> None:
    """Without outputs and numbers a saved notebook is often the same again: nothing is told."""
    bare = document(*(EvidenceCell("code", each) for each in STEPS[:17]), at=900, trace=FILE)
    ran = session(1, [*STEPS[:17], "stage_0.plot(kind='area')"], at=-300, lasting=600)
    old = replace(bare, trace=COMMIT, time_ns=SAVED)
    assert sources_of(rebuilt_of([bare, old], [ran])) == STEPS[:17]


def test_what_ran_after_all_that_the_file_shows_is_told_with_the_command() -> None:
    """Nothing tells an old state from cells that you deleted: both are said, and what to do."""
    ran = session(1, STEPS, at=-300, lasting=600)
    rebuilt = rebuilt_of([saved(steps=17, at=900)], [ran])
    assert sources_of(rebuilt) == STEPS[:17]
    [step] = [each for each in rebuilt.next_steps if "ran after all that" in each]
    assert step.startswith("3 pieces of code ran after all that analysis.ipynb shows")
    assert step.endswith("jupyter rewind recover /home/ann/analysis.ipynb --session 1")
    asked = replace(ran, notebook=str(TARGET), certain=True, asked=True)
    assert sources_of(rebuilt_of([saved(steps=17, at=900)], [asked])) == STEPS


@pytest.mark.parametrize(
    "after", [[], ["stage_3.head()"], ["stage_3 = ("], [STEPS[4]]],
    ids=["nothing", "look", "broken", "again"],
)  # fmt: skip
def test_nothing_is_told_where_nothing_is_missing(after: list[str]) -> None:
    """Looks, tries that could not run and cells that ran again are no lost work."""
    ran = session(1, [*STEPS[:17], *after], at=-300, lasting=600)
    rebuilt = rebuilt_of([saved(steps=17, at=900)], [ran])
    assert not any("ran after all that" in each for each in rebuilt.next_steps)


@pytest.mark.parametrize("lasting", [600, None], ids=["ended", "goes-on"])
def test_times_in_the_journal_do_not_hide_what_an_old_tab_wrote_over(lasting: int | None) -> None:
    """The journal has times, the file is newer than all of them, and yet lacks what ran."""
    ran = [
        Executed(line, source, time_ns=SAVED + line * SECOND)
        for line, source in enumerate(STEPS, 1)
    ]
    late = session(1, ran, at=0, lasting=lasting, notebook=str(TARGET))
    rebuilt = rebuilt_of([saved(steps=5, at=900)], [late])
    assert sources_of(rebuilt) == STEPS


def make_home(tmp_path: Path, steps: int, *, kept: bool) -> tuple[Home, Path]:
    """A notebook whose session ran all steps and ended; its file was written later, with fewer."""
    home = Home(tmp_path / "home")
    history = home.path / ".ipython" / "profile_default" / "history.sqlite"
    make_history(history, [STEPS])
    with closing(sqlite3.connect(history)) as database, database:
        database.execute("UPDATE sessions SET start = '2026-03-02 10:01:00.000000'")
        database.execute("UPDATE sessions SET end = '2026-03-02 11:01:00.000000'")
    book = json.loads(notebook_text(*STEPS[:steps]))
    for count, each in enumerate(book["cells"], 1):
        each["execution_count"] = count
    notebook = home.work / "analysis.ipynb"
    notebook.write_text(json.dumps(book))
    if kept:
        copy = home.work / ".ipynb_checkpoints" / "analysis-checkpoint.ipynb"
        copy.parent.mkdir()
        copy.write_text(json.dumps(book))
        os.utime(copy, (1_772_360_000, 1_772_360_000))  # on 1 March: before the session
    return home, notebook


def standing(home: Home) -> Standing:
    scope = home.scope(None)
    [found] = survey(scope, search.look(scope)).standings
    return found


def recovered(home: Home) -> Recovery:
    made = recover(home.scope())
    assert isinstance(made, Recovery)
    return made


def test_folder_and_notebook_tell_the_same_of_an_old_state(tmp_path: Path) -> None:
    """What the folder lists as unsaved is what recovering by name brings back."""
    home, notebook = make_home(tmp_path, 17, kept=True)
    found = standing(home)
    assert (found.state, found.can_gain) == ("unsaved", True)
    assert "3 cells were run that the file does not hold" in found.words
    made = recovered(home)
    assert not made.adds_nothing
    assert sources_of(made.rebuilt) == STEPS
    assert notebook.exists()


def test_folder_calls_nothing_up_to_date_that_lacks_what_ran_last(tmp_path: Path) -> None:
    """Where nothing tells how old the file is, the folder says what ran and isn't in it."""
    home, _ = make_home(tmp_path, 17, kept=False)
    found = standing(home)
    assert found.state == "whole"
    assert "3 pieces of code ran after all that it shows" in found.words
    made = recovered(home)
    assert made.adds_nothing
    assert any("--session 1" in each for each in made.rebuilt.next_steps)


def test_folder_and_notebook_tell_the_same_where_rewind_kept_the_old_state(tmp_path: Path) -> None:
    """An old tab saved over newer work, and Rewind kept its state when it was the newest."""
    home, notebook = make_home(tmp_path, 17, kept=False)
    raw = notebook.read_bytes()
    store, keys = tmp_path / "store", tmp_path / "keys"
    with Repository.open(store, key_folder=keys) as repository:
        histories = Histories(repository)
        passing = notebook_text("passing = 1").encode()
        days = ((1, raw), (2, passing), (20, raw), (21, passing))
        for seed, (day, content) in enumerate(days):  # before the session, and after it
            notebook.write_bytes(content)
            begin = 1_772_300_000 + day * 86_400
            with clock.use(clock.FakeClock(begin * SECOND, seed)):
                checkpoint_document(histories, notebook, reason=Reason.SAVE)
        notebook.write_bytes(raw)
    scope = home.scope(None, store=store, store_keys=keys)
    [found] = survey(scope, search.look(scope)).standings
    assert found.state == "unsaved"
    assert "3 cells were run" in found.words
    made = recover(home.scope(store=store, store_keys=keys))
    assert isinstance(made, Recovery)
    assert sources_of(made.rebuilt) == STEPS
