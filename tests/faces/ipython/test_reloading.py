"""`%unload_ext` and `%load_ext`, or `%reload_ext`: the run goes on, with all that it has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_rewind.faces.ipython.extension import Extension, find_extension, load, unload


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """With Rewind in it, and a state after each of two cells."""
    monkeypatch.setenv("JUPYTER_REWIND_STORE_PATH", str(tmp_path / "store"))
    monkeypatch.setenv("JUPYTER_REWIND_STORE_KEY_FOLDER", str(tmp_path / "keys"))
    monkeypatch.setenv("JUPYTER_REWIND_KERNELS_BUDGET_FLOOR_MS", "60000")
    made: Any = InteractiveShell()
    made.history_manager.enabled = False
    load(made)
    made.run_cell("x = [1]", store_history=True)
    made.run_cell("x.append(2)", store_history=True)
    yield made
    unload(made)


def extension_of(shell: Any) -> Extension:
    found = find_extension(shell)
    assert found is not None
    return found


def test_states_of_before_can_be_gone_to_after_a_reload(shell: Any) -> None:
    """By the count of their cell, and their line goes on; nothing is offered."""
    run = extension_of(shell).session.run.id
    unload(shell)
    shell.run_cell("x.append(0)", store_history=True)
    load(shell)
    shell.run_cell("x.append(3)", store_history=True)
    now = extension_of(shell)
    assert now.session.run.id == run
    first, second, third = now.session.snapshots()
    assert (first.count, second.count, third.count) == (1, 2, 4)
    assert third.parent == second.id
    now.verbs.to(1)
    assert shell.user_ns["x"] == [1]
    now.verbs.to(4)
    assert shell.user_ns["x"] == [1, 2, 0, 3]


def test_a_run_that_goes_on_lives(shell: Any) -> None:
    """To others it has not ended, and its cells stand together."""
    unload(shell)
    load(shell)
    shell.run_cell("y = 1", store_history=True)
    session = extension_of(shell).session
    runs = session.archive.runs
    (state,) = map(runs.state, runs.all())
    assert state.alive
    sources = [each.source for each in runs.executions(session.run.id)]
    assert sources == ["x = [1]", "x.append(2)", "y = 1"]


def test_another_store_begins_another_run(
    shell: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The states of before are not there."""
    before = extension_of(shell).session.run.id
    unload(shell)
    monkeypatch.setenv("JUPYTER_REWIND_STORE_PATH", str(tmp_path / "other"))
    load(shell)
    shell.run_cell("y = 1", store_history=True)
    session = extension_of(shell).session
    assert session.run.id != before
    assert session.snapshots()[0].parent is None
