"""Sessions that only likeness gives to a notebook: how sure they are, and what they may do."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.evidence import (
    Evidence,
    EvidenceCell,
    Executed,
    FoundDocument,
    FoundRun,
    Trace,
)
from jupyter_rewind.recovery.rebuild import Rebuilt, rebuild
from jupyter_rewind.recovery.survey import survey
from jupyter_rewind.recovery.unnamed import rebuild_named
from tests.support.evidence import CHECKPOINT, SAVED, TARGET, kernel, session, sources_of
from tests.support.histories import make_history
from tests.support.traces import Home, notebook_text

BEGIN = [
    "import numpy as np",
    "df = pd.read_csv('customers.csv')",
    "df = df.dropna(subset=['age'])",
    "x = df.age.values",
    "y = df.spent.values",
]
OWN = [
    "fit = np.polyfit(x, y, 3)",
    "residuals = y - np.polyval(fit, x)",
    "plt.scatter(x, residuals)",
]
OTHERS = [
    "segments = df.groupby('segment').revenue.sum()",
    "churned = segments[segments < 12]",
    "worst = churned.nsmallest(5)",
    "worst.to_csv('worst.csv')",
]
FILE = Trace("file", str(TARGET), str(TARGET))


def file(sources: Sequence[str], trace: Trace = FILE, shows: str = "") -> FoundDocument:
    """The notebook, saved after a kernel had run it from above."""
    shown = ({"output_type": "stream", "name": "stdout", "text": shows},) if shows else ()
    cells = tuple(
        EvidenceCell("code", source, shown, execution_count=line)
        for line, source in enumerate(sources, 1)
    )
    return FoundDocument(trace, cells, time_ns=SAVED)


def built(document: FoundDocument, *runs: FoundRun) -> Rebuilt:
    return rebuild(TARGET, Evidence((document,), runs))


def test_session_is_no_surer_than_the_one_that_brought_it() -> None:
    """A session is a little like the notebook, and a second one much like the first: that makes
    neither of them certain, nor a cell of theirs."""
    runs = [
        session(1, [*BEGIN, *OTHERS[:2]], at=100, lasting=50),
        session(2, [*BEGIN, *OTHERS], at=1000),
    ]
    rebuilt = built(file([*BEGIN, *OWN], CHECKPOINT), *runs)
    assert not any(each.certain for each in rebuilt.sessions)
    theirs = [each for each in rebuilt.cells if each.cell.source in OTHERS]
    assert theirs
    assert all(each.confidence < 0.6 for each in theirs)


def test_what_begins_with_a_guess_is_a_guess_as_a_whole() -> None:
    """No document, and no trace names a session: those that are like the guessed one are as much a
    guess, and it is said."""
    runs = (session(1, [*BEGIN, *OTHERS], at=100, lasting=50), session(2, OTHERS, at=1000))
    rebuilt = rebuild_named(TARGET, Evidence(runs=runs))
    assert len(rebuilt.sessions) == 2
    assert all(each.confidence < 0.5 for each in rebuilt.cells)
    assert "is a guess" in rebuilt.next_steps[0]
    assert sum("--session" in each for each in rebuilt.next_steps) == 1  # said once


def test_whole_notebook_takes_nothing_of_a_session_that_is_rather_anothers() -> None:
    """Its first cells were pasted into a terminal, and something else tried there: the saved text
    stays, and what was tried is kept beside the notebook."""
    other = "fit = np.polyfit(x, y, 9)  # overfit test"
    runs = [
        session(1, [*BEGIN, *OWN], at=-700, lasting=600),
        session(2, [*BEGIN, other, OTHERS[0]], at=1000),
    ]
    rebuilt = built(file([*BEGIN, *OWN]), *runs)
    assert [each.surest < 0.5 for each in rebuilt.sessions] == [False, True]
    assert sources_of(rebuilt) == [*BEGIN, *OWN]
    assert "most likely in another notebook" in rebuilt.cells[len(BEGIN)].words
    assert {other, OTHERS[0]} <= {each.source for each in rebuilt.alternatives}


def test_new_cell_keeps_the_text_that_surely_ran_in_the_notebook() -> None:
    """It ran after the save, and later something like it ran elsewhere: it is new work still."""
    new = "summary = fit.mean() + residuals.std() + 1"
    other = "summary = fit.mean() + residuals.std() + 22"
    runs = [
        session(1, [*BEGIN, *OWN, new], at=-700, lasting=2000),
        session(2, [*BEGIN, other, OTHERS[0]], at=3000),
    ]
    rebuilt = built(file([*BEGIN, *OWN]), *runs)
    assert [each.likely < 0.5 for each in rebuilt.sessions] == [False, True]
    assert sources_of(rebuilt) == [*BEGIN, *OWN, new]
    assert [each.words for each in rebuilt.cells[-1].provenance] == ["session 1, line 9"]
    words = {each.source: each.words for each in rebuilt.alternatives}
    assert words[other] == words[OTHERS[0]] == "more likely it ran in another notebook"


def together(changed: str, shows: str = "") -> Rebuilt:
    """A notebook that began as a copy of another, whose kernel began at the same moment: `changed`
    ran in one session of the two, and shows what it did."""
    path = str(TARGET.with_name("other.ipynb"))
    made = [file(OWN, shows=shows), file(OWN, Trace("file", path, path))]
    bare = [
        replace(each, cells=tuple(replace(cell, execution_count=None) for cell in each.cells))
        for each in made
    ]
    ran = Executed(2, changed, text_output="theirs")
    runs = [
        session(1, [OWN[0], ran], at=1000, lasting=None),
        session(2, [OWN[0], "residuals = y.copy()"], at=1000, lasting=None),
    ]
    kernels = (kernel(TARGET, at=999), kernel(path, at=999))
    return rebuild(TARGET, Evidence(tuple(bare), tuple(runs), kernels=kernels))


def test_text_that_ran_in_either_of_two_notebooks_is_not_left_out() -> None:
    """As likely as not it is this one's edit: it stands, as a guess, and the saved text beside."""
    changed = "residuals = y - np.polyval(fit, x) ** 2"
    rebuilt = together(changed)
    assert [each.odds for each in rebuilt.sessions] == [0.5]
    assert sources_of(rebuilt) == [OWN[0], changed, OWN[2]]
    assert rebuilt.cells[1].confidence < 0.5
    assert OWN[1] in {each.source for each in rebuilt.alternatives}


def test_what_either_of_two_notebooks_showed_takes_no_saved_outputs_place() -> None:
    """The cell ran as it was saved, here or in the other one: what was saved stays."""
    rebuilt = together(OWN[1], shows="ours")
    assert all(each.cell.outputs[0].get("text") == "ours" for each in rebuilt.cells)


def test_what_a_session_by_likeness_showed_takes_no_saved_outputs_place() -> None:
    """A copy of the notebook ran the same cells, and showed something else."""
    ran = [Executed(line, source, text_output="theirs") for line, source in enumerate(BEGIN, 1)]
    runs = [
        session(1, [*BEGIN, *OWN], at=-700, lasting=600),
        session(2, [*ran, *(replace(ran[0], line=6, source=each) for each in OWN[:1])], at=1000),
    ]
    rebuilt = built(file([*BEGIN, *OWN], shows="ours"), *runs)
    assert any(each.by_likeness for each in rebuilt.sessions)
    assert all(each.cell.outputs[0].get("text") == "ours" for each in rebuilt.cells)


def test_session_by_likeness_makes_a_text_of_a_whole_notebook_no_surer_than_itself() -> None:
    """It ran most of the notebook, and one cell otherwise: perhaps a copy's."""
    other = "fit = np.polyfit(x, y, 4)"
    runs = [
        session(1, [*BEGIN, *OWN], at=-700, lasting=600),
        session(2, [*BEGIN, other, "plt.hist(residuals, bins=40)"], at=1000),
    ]
    rebuilt = built(file([*BEGIN, *OWN]), *runs)
    likely = rebuilt.sessions[-1]
    assert likely.by_likeness
    assert likely.surest >= 0.5
    changed = [each for each in rebuilt.cells if each.cell.source == other]
    assert [each.confidence <= likely.share for each in changed] == [True]


def test_folder_says_which_session_is_rather_anothers_and_how_to_see_it(tmp_path: Path) -> None:
    """The notebook is whole, and no other one is like the session: it is told, with a command."""
    home = Home(tmp_path / "home")
    make_history(home.path / ".ipython/profile_default/history.sqlite", [[*BEGIN, *OTHERS]])
    notebook = home.work / "my analysis.ipynb"
    notebook.write_text(notebook_text(*BEGIN, *OWN))
    os.utime(notebook, (1_772_360_000, 1_772_360_000))  # on 1 March: before the session
    scope = home.scope(None)
    [standing] = survey(scope, search.look(scope)).standings
    assert standing.state == "whole"
    assert standing.words == (
        "Session 1 ran code that is not in my analysis.ipynb; most likely it belongs to another"
        f" notebook. `jupyter rewind recover '{notebook}'` shows it."
    )
