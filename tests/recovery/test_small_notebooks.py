"""Small notebooks whose newer work was taken away: little is left to say which session it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.kernels.journal import Journal
from jupyter_rewind.kernels.log import EntryLog
from jupyter_rewind.model.execution import Execution, Run
from jupyter_rewind.model.ids import ExecutionId, RunId
from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.evidence import Evidence, FoundDocument, Trace
from jupyter_rewind.recovery.namesakes import only_telling
from jupyter_rewind.recovery.rebuild import rebuild
from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.survey import survey
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.layout import open_layout
from tests.support.evidence import (
    SAVED,
    SECOND,
    TARGET,
    code,
    document,
    rebuilt_of,
    session,
    sources_of,
)
from tests.support.histories import make_history
from tests.support.traces import Home, notebook_text

READ = "rows = list(csv.reader(open('sales.csv')))"
SUM = "total = sum(int(row[1]) for row in rows)"
LATER = [f"stage_{n} = model_{n}.fit(frame_{n}, depth={n * 7})" for n in range(10)]
FILE = Trace("file", str(TARGET), str(TARGET), words="The file on disk")
COPY = Trace("file", "/home/ann/copy.ipynb", "/home/ann/copy.ipynb", words="The file on disk")


def counted(*sources: str, trace: Trace = FILE) -> FoundDocument:
    """A notebook that was run from its top and saved, after all that ran."""
    cells = (replace(code(each), execution_count=at) for at, each in enumerate(sources, 1))
    return document(*cells, at=9000, trace=trace)


def test_two_cells_at_their_counts_name_the_session_that_ran_much_more() -> None:
    """Most of the session is not in the old state; two saved cells at their numbers say whose."""
    rebuilt = rebuilt_of([counted(READ, SUM)], [session(1, [READ, SUM, *LATER])])
    assert sources_of(rebuilt) == [READ, SUM, *LATER]
    assert [each.words for each in rebuilt.sessions] == [
        "its cells have the code and the counts of this session"
    ]


@pytest.mark.parametrize("begin", [["import csv", "%matplotlib inline"], ["rows", "len(rows)"]])
def test_cells_that_begin_many_notebooks_name_none(begin: list[str]) -> None:
    """Imports and looks stand at the same numbers everywhere."""
    rebuilt = rebuilt_of([counted(*begin)], [session(1, [*begin, *LATER])])
    assert not rebuilt.sessions
    assert not any("Session 1" in each for each in rebuilt.next_steps)


def test_session_of_a_copy_stays_the_copys() -> None:
    """A copy begins with the same cells at the same numbers, and has what ran then: it is its."""
    evidence = Evidence(
        (counted(READ, SUM),),
        (session(1, [READ, SUM, *LATER]),),
        siblings=(counted(READ, SUM, *LATER, trace=COPY),),
    )
    rebuilt = rebuild(TARGET, evidence)
    assert sources_of(rebuilt) == [READ, SUM]
    assert not any("its newer work" in each for each in rebuilt.next_steps)


def test_two_sessions_that_began_so_are_told_and_none_is_guessed() -> None:
    """The saved numbers are of either: the newer one is named, with the command that takes it."""
    runs = [session(n, [READ, SUM, *LATER[n : n + 8]], at=n * 1000) for n in (1, 2)]
    rebuilt = rebuilt_of([counted(READ, SUM)], runs)
    assert sources_of(rebuilt) == [READ, SUM]
    [told] = [each for each in rebuilt.next_steps if "its newer work" in each]
    assert told.startswith("Session 2 ran 2 cells of analysis.ipynb, then 8 pieces of code")
    assert told.endswith("jupyter rewind recover /home/ann/analysis.ipynb --session 2")


@pytest.mark.parametrize("count", [1, None], ids=["at its number", "saved without one"])
def test_one_cell_is_told_with_the_command(count: int | None) -> None:
    """One cell may be chance: nothing is laid over, and what to type is said."""
    left = document(replace(code(READ), execution_count=count), at=9000, trace=FILE)
    rebuilt = rebuilt_of([left], [session(1, [READ, *LATER])])
    assert sources_of(rebuilt) == [READ]
    [told] = [each for each in rebuilt.next_steps if "its newer work" in each]
    assert told.startswith("Session 1 ran a cell of analysis.ipynb, then 10 pieces of code")
    assert {each.source for each in rebuilt.alternatives} == set(LATER)


OLD = [f"part_{n} = prepare(rows, step={n * 11})" for n in range(15)]
DAY = 80_000


@pytest.mark.parametrize("again", [[0, 2, 4, 5, 7], [1, 3, 6], [9, 8]])
@pytest.mark.parametrize("before", [True, False], ids=["run yesterday", "never run"])
def test_part_that_ran_again_names_todays_session(again: list[int], before: bool) -> None:
    """Most of the file was run yesterday, or never; cells at today's counts say whose today is."""
    runs = [session(1, OLD, at=0)] if before else []
    runs.append(session(2, [*(OLD[at] for at in again), *LATER], at=DAY))
    counts = {at: at + 1 if before else None for at in range(len(OLD))}
    counts |= {at: count for count, at in enumerate(again, 1)}
    cells = (replace(code(each), execution_count=counts[at]) for at, each in enumerate(OLD))
    rebuilt = rebuilt_of([document(*cells, at=2 * DAY, trace=FILE)], runs)
    assert {each.run.session for each in rebuilt.sessions} >= {2}
    assert set(sources_of(rebuilt)) == {*OLD, *LATER}


def test_cells_pasted_from_a_notebook_that_is_gone_take_nothing_from_it() -> None:
    """Two cells came with their counts from the middle of another notebook: its session is its."""
    pasted = {5: OLD[4], 6: OLD[5]}
    cells = [replace(code(each), execution_count=None) for each in LATER]
    cells += [replace(code(each), execution_count=count) for count, each in pasted.items()]
    rebuilt = rebuilt_of([document(*cells, at=2 * DAY, trace=FILE)], [session(1, OLD)])
    assert not rebuilt.sessions


def test_cells_pasted_from_another_notebook_take_nothing_from_it() -> None:
    """The other one has far more of the session's code, and was run again since."""
    cells = [replace(code(each), execution_count=at) for at, each in enumerate(OLD[:2], 1)]
    cells += [replace(code(each), execution_count=None) for each in LATER]
    theirs = (replace(code(each), execution_count=90 + at) for at, each in enumerate(OLD))
    evidence = Evidence(
        (document(*cells, at=2 * DAY, trace=FILE),),
        (session(1, OLD),),
        siblings=(document(*theirs, at=2 * DAY, trace=COPY),),
    )
    assert not rebuild(TARGET, evidence).sessions


def test_session_that_began_as_the_one_before_is_told() -> None:
    """Today's first cells have yesterday's counts: nothing decides, so it is told, with how to
    take it, and all that it ran is kept beside the notebook."""
    runs = [session(1, OLD, at=0), session(2, [*OLD[:4], *LATER], at=DAY)]
    cells = (replace(code(each), execution_count=at) for at, each in enumerate(OLD, 1))
    rebuilt = rebuilt_of([document(*cells, at=2 * DAY, trace=FILE)], runs)
    [told] = [each for each in rebuilt.next_steps if "its newer work" in each]
    assert told.startswith("Session 2 ran 4 cells of analysis.ipynb, then 10 pieces of code")
    assert told.endswith("--session 2")
    assert {each.source for each in rebuilt.alternatives} >= set(LATER)


def make_home(tmp_path: Path) -> tuple[Home, Path]:
    """One session; the file was written later, by git, and has its first cell alone."""
    home = Home(tmp_path / "home")
    make_history(home.path / ".ipython/profile_default/history.sqlite", [[READ, *LATER]])
    notebook = home.work / "analysis.ipynb"
    book = json.loads(notebook_text(READ))
    book["cells"][0]["execution_count"] = 1
    notebook.write_text(json.dumps(book))
    return home, notebook


def test_folder_tells_of_a_session_that_may_hold_newer_work(tmp_path: Path) -> None:
    """The list does not call a notebook up to date of which a session seems to go on."""
    home, _ = make_home(tmp_path)
    scope = home.scope(None)
    [found] = survey(scope, search.look(scope)).standings
    assert found.state == "whole"
    assert "session 1 ran a cell of it, then 10 pieces of code that it has not" in found.words


def test_folder_knows_what_the_journal_of_rewind_knows(tmp_path: Path) -> None:
    """Rewind's journal names the notebook of a run: the list has it as recovering does."""
    home, notebook = make_home(tmp_path)
    store, keys = tmp_path / "store", tmp_path / "keys"
    with clock.use(clock.FakeClock(SAVED + SECOND)):
        began = clock.now_ns()
        run = Run(
            RunId("a" * 16), "k", "/c.json", 1, "host", "boot", "3.11", "python", str(notebook),
            began,
        )  # fmt: skip
        journal = Journal(EntryLog(open_layout(store, keys, Files(), create=True)), run)
        journal.begin_run()
        for count, source in enumerate([READ, *LATER], 1):
            name = ExecutionId(f"{count:016x}")
            journal.begin(
                Execution(name, run.id, count, None, str(notebook), source, began + count)
            )
            journal.end(name, "ok", began + count + 1)
        journal.close()
    scope = home.scope(None, store=store, store_keys=keys)
    [found] = survey(scope, search.look(scope)).standings
    assert (found.state, found.can_gain) == ("unsaved", True)
    assert "10 cells were run that the file does not hold" in found.words
    made = recover(home.scope(store=store, store_keys=keys))
    assert isinstance(made, Recovery)
    assert sources_of(made.rebuilt) == [READ, *LATER]


@pytest.mark.timeout(20)
def test_a_cell_of_many_blank_lines_takes_no_time() -> None:
    """Whether a cell only imports is asked of each line."""
    blank = "import csv" + "\n" * 5000
    assert only_telling([blank, blank + "x = 1"]) == {blank + "x = 1"}
