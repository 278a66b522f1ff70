"""The list of sessions, each with the notebook that it most likely belongs to."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_rewind.recovery import historyfiles, search, selection, sessions
from jupyter_rewind.recovery.attribution import Attribution, attribute
from jupyter_rewind.recovery.evidence import Evidence, Executed, Scope, Trace
from jupyter_rewind.recovery.sameruns import merge_runs
from jupyter_rewind.recovery.sessions import SessionInfo, list_sessions, place_all
from jupyter_rewind.recovery.survey import survey
from jupyter_rewind.recovery.traces.history import HistoryFinder
from tests.support.evidence import SAVED, TARGET, document, kernel, rebuilt_of, session
from tests.support.histories import make_history
from tests.support.traces import Home, notebook_text, traces_of

MODEL = ["model = fit(data)", "plot(model)", "import numpy as np"]
REPORT = ["table = load('sales')", "table.groupby('month')", "import numpy as np"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    (home.work / "model.ipynb").write_text(notebook_text(*MODEL))
    (home.work / "report.ipynb").write_text(notebook_text(*REPORT))
    make_history(
        home.path / ".ipython" / "profile_default" / "history.sqlite",
        [[*MODEL, "x = 1"], [*REPORT, "y = 1"], ["something = else_"], ["import numpy as np"]],
    )
    return home


def listed(home: Home) -> list[SessionInfo]:
    scope: Scope = home.scope(None)
    found = list_sessions(scope)
    assert not found.problems
    return sorted(found.sessions, key=lambda each: each.number)


def test_session_is_listed_with_the_notebook_whose_cells_it_ran(home: Home) -> None:
    """Each session of IPython says how much it ran and which notebook it most likely was."""
    model, report, neither, common = listed(home)
    assert (model.executions, model.first) == (4, "model = fit(data)")
    assert model.notebook == str(home.work / "model.ipynb")
    assert report.notebook == str(home.work / "report.ipynb")
    assert 0.25 <= model.likelihood < 1
    assert neither.notebook is None
    assert neither.likelihood == 0
    assert common.likelihood <= 0.5


def test_session_that_began_with_a_notebooks_kernel_is_its_own(home: Home) -> None:
    """A connection file of the same moment settles it, whatever was run."""
    [trace] = traces_of(HistoryFinder(), home.scope(None))
    runs = HistoryFinder().read(trace, home.scope(None)).runs
    started = runs[2].started_ns
    assert started is not None
    runtime = home.path / ".local/share/jupyter/runtime"
    runtime.mkdir(parents=True)
    connection = runtime / "kernel-1.json"
    connection.write_text(json.dumps({"jupyter_session": str(home.work / "report.ipynb")}))
    os.utime(connection, ns=(started - 10**9, started - 10**9))
    third = listed(home)[2]
    assert third.notebook == str(home.work / "report.ipynb")
    assert third.likelihood == 1
    assert "kernel" in third.why


def test_session_of_a_renamed_notebook_is_listed_under_its_new_name(home: Home) -> None:
    """The kernel still has the name of before: the list and the folder tell the one of now."""
    notebook = home.work / "model.ipynb"
    book = json.loads(notebook.read_text())
    for number, each in enumerate(book["cells"], 1):
        each["execution_count"] = number
    notebook.write_text(json.dumps(book))
    [trace] = traces_of(HistoryFinder(), home.scope(None))
    started = HistoryFinder().read(trace, home.scope(None)).runs[0].started_ns
    assert started is not None
    connection = home.path / ".local/share/jupyter/runtime" / "kernel-1.json"
    connection.parent.mkdir(parents=True)
    connection.write_text(json.dumps({"jupyter_session": str(home.work / "untitled.ipynb")}))
    os.utime(connection, ns=(started - 10**9, started - 10**9))
    assert listed(home)[0].notebook == str(notebook)
    scope = home.scope(None)
    found = search.look(scope)
    asked = Trace("live kernel", str(connection), str(home.work / "untitled.ipynb"), frozenset())
    for traces in (found.traces, (*found.traces, asked)):
        surveyed = survey(scope, replace(found, traces=traces))
        names = {each.notebook.name for each in surveyed.standings}
        assert names == {"model.ipynb", "report.ipynb"}


def test_sessions_of_a_large_history_are_all_listed(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a history too large to be read whole, every session is listed with how much it ran."""
    for module in (historyfiles, sessions):
        monkeypatch.setattr(module, "LARGE_BYTES", 1 << 10)
    monkeypatch.setattr(selection, "BUDGET_BYTES", 1)
    found = list_sessions(home.scope(None))
    assert sorted((each.number, each.executions) for each in found.sessions) == [
        (1, 4),
        (2, 4),
        (3, 1),
        (4, 1),
    ]
    assert sum(bool(each.first) for each in found.sessions) < 4
    assert "large" in found.problems[0].words


def test_session_of_a_running_kernel_is_listed_once() -> None:
    """The history and the kernel itself tell of one session: it is one line of the list."""
    heard = session(1, MODEL)
    live = replace(heard, trace=Trace("live kernel", "/kernel-1.json"), certain=True)
    [only] = place_all(Attribution(Evidence(runs=(heard, replace(live, notebook=str(TARGET))))))
    assert (only.number, only.notebook, only.likelihood) == (1, str(TARGET), 1.0)


def test_session_that_rewind_journaled_is_listed_once() -> None:
    """IPython's history and Rewind's journal tell of one session: one line."""
    heard = session(1, [*MODEL, "never = 'journaled'"])
    told = replace(
        session(0, MODEL, at=11, notebook=str(TARGET)), trace=Trace("rewind", "/store (run 1)")
    )
    for runs in ((heard, told), (told, heard)):
        [only] = place_all(Attribution(Evidence((document(*MODEL),), runs)))
        assert (only.number, only.notebook, only.executions) == (1, str(TARGET), 4)
        assert only.likelihood == 1


def test_session_that_rewind_journaled_is_laid_over_once() -> None:
    """History and journal tell of one session: it is one run, with what the journal knows more."""
    heard = session(1, [*MODEL, "never = 'journaled'"])
    known = [
        Executed(line, source, cell_id=f"c{line}", time_ns=SAVED + line, status="ok")
        for line, source in enumerate(MODEL, 1)
    ]
    began = session(0, known, at=11, notebook=str(TARGET))
    loaded_late = session(0, known, at=90, notebook=str(TARGET))
    for told in (began, loaded_late):
        told = replace(told, trace=Trace("rewind", "/store (run 1)"), remark="started")
        for runs in ((heard, told), (told, heard)):
            [only] = merge_runs(runs)
            assert (only.session, only.notebook) == (1, str(TARGET))
            assert [each.cell_id for each in only.executions] == ["c1", "c2", "c3", None]
            rebuilt = rebuilt_of([document(MODEL[0])], runs)
            assert len(rebuilt.sessions) == 1


def test_run_is_merged_with_the_session_that_began_nearest() -> None:
    """The same notebook was run in two kernels, one after the other: neither is taken for both."""
    first, second = session(1, MODEL, at=10, lasting=None), session(2, MODEL, at=400, lasting=None)
    known = [Executed(line, source, cell_id="c") for line, source in enumerate(MODEL, 1)]
    told = replace(session(0, known, at=401), trace=Trace("rewind", "/store (run 1)"))
    for runs in ((first, second, told), (told, second, first)):
        ids = {each.session: each.executions[0].cell_id for each in merge_runs(runs)}
        assert ids == {1: None, 2: "c"}


def test_another_kernel_of_the_same_moment_is_another_session() -> None:
    """Two kernels that began together and ran other code are two sessions."""
    heard = session(1, MODEL)
    told = replace(session(0, REPORT, at=11), trace=Trace("rewind", "/store (run 1)"))
    assert len(merge_runs((heard, told))) == 2


def test_list_and_recovery_agree() -> None:
    """Each session is listed with the notebook that recovering would lay it over."""
    runs = (
        session(1, MODEL, at=10, lasting=60),
        session(2, ["unlike = 1"], at=71),
        session(3, REPORT, at=900),
        session(4, ["nobody = 1"], at=9000),
    )
    evidence = Evidence((document(*MODEL, "kept = 1"),), runs, kernels=(kernel(TARGET, at=9),))
    listed = {
        each.number for each in place_all(Attribution(evidence)) if each.notebook == str(TARGET)
    }
    recovered = {each.run.session for each in attribute(TARGET, evidence, [*MODEL, "kept = 1"])}
    assert listed == recovered == {1, 2}


def test_folder_tells_of_cells_that_only_ran_again(home: Home) -> None:
    """A file that has all the code, but not what it showed last, is not called up to date."""
    notebook = home.work / "model.ipynb"
    book = json.loads(notebook.read_text())
    for number, each in enumerate(book["cells"], 1):
        shown = {"output_type": "stream", "name": "stdout", "text": f"as run {number}\n"}
        each |= {"execution_count": number, "outputs": [shown]}
    notebook.write_text(json.dumps(book))
    path = home.path / ".ipython" / "profile_default" / "history.sqlite"
    path.unlink()
    make_history(path, [[*MODEL, MODEL[1]]])
    scope = home.scope(None)
    found = {each.notebook: each for each in survey(scope, search.look(scope)).standings}
    assert found[notebook].state == "whole"
    assert "1 cell of it ran again after it was saved" in found[notebook].words
    assert not found[home.work / "report.ipynb"].words
