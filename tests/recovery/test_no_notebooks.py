"""Kernels that ran for something else than a notebook that is there: a console, an old name."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.sessions import list_sessions
from jupyter_rewind.recovery.survey import Standing, survey
from tests.support.histories import make_history
from tests.support.traces import Home, notebook_text


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def start(home: Home, name: str, at: int = 1_750_000_000) -> None:
    """A kernel that was killed left its connection file."""
    runtime = home.path / ".local/share/jupyter/runtime"
    runtime.mkdir(parents=True, exist_ok=True)
    path = runtime / f"kernel-{len(list(runtime.iterdir()))}.json"
    told = {"kernel_name": "python3", "jupyter_session": str(home.work / name)}
    path.write_text(json.dumps(told))
    os.utime(path, (at, at))


def standings(home: Home) -> dict[str, Standing]:
    scope = home.scope(None)
    found = survey(scope, search.look(scope)).standings
    return {each.notebook.name: each for each in found}


def test_consoles_and_scripts_are_no_notebooks_in_need(home: Home) -> None:
    """JupyterLab's console, and a script with a console beside it, are neither missing nor
    damaged; a script that is gone may have been a notebook."""
    (home.work / "script.py").write_text("print(1)\n")
    (home.work / "notes.md").write_text("# Notes\n\n```python\nx = 1\n```\n")
    (home.work / "rows.csv").write_text("a,b\n")
    (home.work / "fine.ipynb").write_text(notebook_text("x = 1"))
    console = "console-1-6d5fb1b2-8f10-4dcb-a1aa-7e5c7c8d6a10"
    for name in (console, "script.py", "notes.md", "rows.csv", "gone.py", "fine.ipynb"):
        start(home, name)
    assert {name: each.state for name, each in standings(home).items()} == {
        "fine.ipynb": "whole", "gone.py": "missing",
    }  # fmt: skip


def test_name_of_which_nothing_ran_is_not_offered(home: Home) -> None:
    """Where nothing but an old kernel's name is left, nothing can come back: that is said."""
    history = home.path / ".ipython/profile_default/history.sqlite"
    make_history(history, [["rows = [3, 1, 2]", "rows.sort()"]])
    began = search.gather(scope := home.scope(None), search.look(scope).traces).runs[0].started_ns
    assert began is not None
    start(home, "ran.ipynb", began // 10**9 - 1)
    start(home, "old.ipynb")
    found = standings(home)
    assert found["ran.ipynb"].can_gain
    assert not found["old.ipynb"].can_gain
    assert "nothing that ran for it is known" in found["old.ipynb"].words


@pytest.mark.parametrize("has_file", [True, False])
def test_what_ran_while_a_pair_was_open_as_text_is_the_notebooks(
    home: Home, has_file: bool
) -> None:
    """Who opens the Markdown of a jupytext pair as a notebook has a kernel of that name."""
    ran = ["rows = [3, 1, 2]", "rows.sort()", "spread = max(rows) - min(rows)"]
    history = home.path / ".ipython/profile_default/history.sqlite"
    make_history(history, [ran, ["other = 'one'", "print(other)"]])
    runs = search.gather(scope := home.scope(None), search.look(scope).traces).runs
    began = [(each.started_ns or 0) // 10**9 - 1 for each in runs]
    head = "---\njupyter:\n  jupytext:\n    formats: ipynb,md\n---\n\n"
    files = {"analysis.md": f"{head}```python\n{ran[0]}\n```\n"}
    if has_file:
        files["analysis.ipynb"] = notebook_text(ran[0])
    for name, text in files.items():
        path = home.work / name
        path.write_text(text)
        os.utime(path, (began[0] + 5, began[0] + 5))
    start(home, "analysis.md", began[0])
    start(home, "other.ipynb", began[1])
    made = recover(home.scope())
    assert isinstance(made, Recovery)
    assert [each.cell.source for each in made.rebuilt.cells] == ran
    assert standings(home)["analysis.ipynb"].state == ("unsaved" if has_file else "missing")
    placed = {each.number: each.notebook for each in list_sessions(home.scope(None)).sessions}
    assert placed[1] == str(home.work / "analysis.ipynb")
