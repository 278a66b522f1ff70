"""Rewind's own store as a trace: checkpoints, and what real kernels were journaled to run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.kernels.journal import Journal
from jupyter_rewind.kernels.log import EntryLog
from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.model.draft import Opening
from jupyter_rewind.model.execution import Run
from jupyter_rewind.model.ids import DraftId, RunId
from jupyter_rewind.notebooks.documents import checkpoint_document
from jupyter_rewind.notebooks.drafts import Drafts
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.recovery.evidence import Evidence, Problem, Scope, Trace
from jupyter_rewind.recovery.grep import Hit, by_definition, grep
from jupyter_rewind.recovery.traces.rewind import RewindFinder
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.layout import open_layout
from jupyter_rewind.store.repository import Repository
from tests.support import kernels
from tests.support.drafts import Editor
from tests.support.traces import look_with, notebook_text, sources, traces_of


@pytest.fixture
def home(tmp_path: Path) -> kernels.Home:
    return kernels.Home(tmp_path)


def scope_of(home: kernels.Home, notebook: Path | None) -> Scope:
    scratch = home.folder / "scratch"
    scratch.mkdir(exist_ok=True)
    return Scope(
        notebook=notebook,
        folder=home.notebook.parent,
        home=home.folder,
        scratch=scratch,
        store=home.folder / "data" / "rewind",
        store_keys=home.folder / "config" / "rewind-keys",
    )


@pytest.fixture
def repository(home: kernels.Home) -> Iterator[Repository]:
    with home.repository() as repository:
        yield repository


def save(histories: Histories, path: Path, *cells: str) -> None:
    path.write_text(notebook_text(*cells))
    checkpoint_document(histories, path, reason=Reason.SAVE)


def test_checkpoints_of_a_deleted_notebook_are_traces(
    home: kernels.Home, repository: Repository
) -> None:
    """What Rewind kept of your notebook is found when its file is gone, the newest first."""
    histories = Histories(repository)
    save(histories, home.notebook, "x = 1")
    save(histories, home.notebook, "x = 1", "y = 2")
    os.unlink(home.notebook)
    scope = scope_of(home, home.notebook)
    newest, older = traces_of(RewindFinder(), scope)
    assert sources(RewindFinder(), newest, scope) == ["x = 1", "y = 2"]
    assert sources(RewindFinder(), older, scope) == ["x = 1"]
    assert newest.notebook == str(home.notebook)


def test_edits_that_nobody_saved_are_a_trace(home: kernels.Home, repository: Repository) -> None:
    """The browser died: what you had typed is found beside the checkpoints, as a notebook."""
    histories = Histories(repository)
    save(histories, home.notebook, "x = 1", "y = 2")
    head = histories.checkpoints(str(home.notebook))[-1]
    editor = Editor()
    editor.set_source("1", "y = 2\nnever = 'saved'")
    opening = Opening(DraftId("d" * 32), head.history, head.id, "me", "here")
    Drafts(histories).begin(opening, head, editor.whole())
    for scope in (scope_of(home, home.notebook), scope_of(home, None)):
        found = traces_of(RewindFinder(), scope)
        [draft] = [each for each in found if "draft" in each.handle]
        assert draft.words == "edits that were never saved"
        assert sources(RewindFinder(), draft, scope) == ["x = 1", "y = 2\nnever = 'saved'"]


def test_other_notebooks_are_left_out(home: kernels.Home, repository: Repository) -> None:
    """Only the notebook asked for is found; in a folder, each with its newest checkpoint."""
    histories = Histories(repository)
    other = home.notebook.with_name("other.ipynb")
    save(histories, home.notebook, "x = 1")
    save(histories, other, "y = 1")
    save(histories, other, "y = 2")
    [trace] = traces_of(RewindFinder(), scope_of(home, home.notebook))
    assert trace.notebook == str(home.notebook)
    found = traces_of(RewindFinder(), scope_of(home, None))
    assert sorted(str(each.notebook) for each in found) == [str(home.notebook), str(other)]


def journal(home: kernels.Home, name: str, path: Path) -> Journal:
    """The journal of a run that begins now for the notebook at `path`."""
    run = Run(
        RunId(name * 16), name, "/c.json", 1, "host", "boot", "3.11", "python", str(path),
        clock.now_ns(),
    )  # fmt: skip
    store, keys = home.folder / "data" / "rewind", home.folder / "config" / "rewind-keys"
    made = Journal(EntryLog(open_layout(store, keys, Files(), create=True)), run)
    made.begin_run()
    return made


def runs_of(home: kernels.Home, notebook: Path | None) -> list[tuple[str, str]]:
    found = traces_of(RewindFinder(), scope_of(home, notebook))
    return sorted(
        (each.handle["run"][0], Path(str(each.notebook)).name)
        for each in found
        if "run" in each.handle
    )


def test_runs_follow_notebooks_that_were_renamed(
    home: kernels.Home, repository: Repository
) -> None:
    """Every notebook was Untitled.ipynb once: what ran then is told under its name of now."""
    histories = Histories(repository)
    untitled, first, second = (
        home.notebook.with_name(f"{name}.ipynb") for name in ("Untitled", "first", "second")
    )
    save(histories, untitled, "x = 1")
    journal(home, "a", untitled)
    moved = journal(home, "b", untitled)
    repository.refresh()
    os.rename(untitled, first)
    histories.rename(str(untitled), str(first))
    moved.move_run(replace(moved.run, path=str(first)))
    save(histories, untitled, "y = 1")
    journal(home, "c", untitled)
    repository.refresh()
    os.rename(untitled, second)
    histories.rename(str(untitled), str(second))
    assert runs_of(home, None) == [("a", first.name), ("b", first.name), ("c", second.name)]
    assert runs_of(home, first) == [("a", first.name), ("b", first.name)]
    assert runs_of(home, second) == [("c", second.name)]
    save(histories, untitled, "z = 1")
    assert ("b", untitled.name) not in runs_of(home, untitled)


def test_runs_of_a_notebook_that_was_opened_through_a_link_are_its_own(
    home: kernels.Home, repository: Repository
) -> None:
    """Jupyter was started through the link, you name the file by where it lies, or the reverse."""
    link = home.notebook.parent.with_name("shortcut")
    link.symlink_to(home.notebook.parent)
    linked = link / home.notebook.name
    journal(home, "a", linked)
    journal(home, "b", home.notebook)
    journal(home, "c", link / "other.ipynb")
    repository.refresh()
    for notebook in (home.notebook, linked):
        assert runs_of(home, notebook) == [("a", notebook.name), ("b", notebook.name)]
        found = traces_of(RewindFinder(), scope_of(home, notebook))
        assert {each.notebook for each in found} == {str(notebook)}


def test_no_store_is_no_trace_and_none_is_made(home: kernels.Home) -> None:
    """Whoever never used Rewind gets no store by looking for traces."""
    scope = scope_of(home, home.notebook)
    assert traces_of(RewindFinder(), scope) == []
    assert scope.store is not None
    assert not scope.store.exists()


def test_store_that_cannot_be_read_is_a_problem(home: kernels.Home, repository: Repository) -> None:
    """A store without its key is told to be there and unreadable."""
    save(Histories(repository), home.notebook, "x = 1")
    repository.close()
    for key in (home.folder / "config" / "rewind-keys").iterdir():
        key.unlink()
    traces, problems = look_with(RewindFinder(), scope_of(home, home.notebook))
    assert traces == []
    assert isinstance(problems[0], Problem)


def read_run(home: kernels.Home, notebook: Path) -> Evidence:
    scope = scope_of(home, notebook)
    [trace] = [each for each in traces_of(RewindFinder(), scope) if "run" in each.handle]
    assert isinstance(trace, Trace)
    return RewindFinder().read(trace, scope)


def run_cell(kernel: kernels.Kernel, source: str, cell_id: str) -> None:
    """As JupyterLab runs a cell: the message says which one it is."""
    client = kernel.client
    content = {"code": source, "silent": False, "store_history": True, "allow_stdin": False}
    message = client.session.msg("execute_request", content, metadata={"cellId": cell_id})
    client.shell_channel.send(message)
    asked = message["header"]["msg_id"]
    while client.get_shell_msg(timeout=90)["parent_header"].get("msg_id") != asked:
        pass


@pytest.mark.slow
def test_killed_kernels_journal_tells_cells_outputs_and_ends(home: kernels.Home) -> None:
    """Each cell of a killed kernel is known with its id, its outputs and how it ended."""
    with kernels.running(home) as kernel:
        run_cell(kernel, "print('one')\n1 + 1", "first")
        run_cell(kernel, "1 / 0", "second")
        kernel.run("secret = 1", silent=True)
        kernel.kill()
    evidence = read_run(home, home.notebook)
    [run] = evidence.runs
    assert run.certain
    assert run.notebook == str(home.notebook)
    assert [each.source for each in run.executions] == ["print('one')\n1 + 1", "1 / 0"]
    assert [each.cell_id for each in run.executions] == ["first", "second"]
    assert [each.status for each in run.executions] == ["ok", "error"]
    kinds = [output["output_type"] for output in run.executions[0].outputs]
    assert kinds == ["stream", "execute_result"]
    assert run.executions[1].outputs[0]["ename"] == "ZeroDivisionError"


@pytest.mark.slow
def test_code_that_only_the_journal_has_is_searched_from_any_folder(home: kernels.Home) -> None:
    """IPython's history is gone or was off: what ran in any notebook is searched all the same."""
    with kernels.running(home) as kernel:
        kernel.run("def area(r):\n    return 3 * r * r")
        kernel.kill()
    elsewhere = home.folder / "elsewhere"
    elsewhere.mkdir()
    scope = replace(scope_of(home, None), folder=elsewhere, home=elsewhere)
    [hit] = grep(scope, by_definition("def area"))
    assert isinstance(hit, Hit)
    assert (hit.source, hit.notebook) == ("def area(r):\n    return 3 * r * r", str(home.notebook))
