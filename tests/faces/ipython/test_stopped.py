"""A kernel in which Rewind cannot start: the user hears why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from jupyter_rewind.faces.ipython.extension import load, unload


@pytest.fixture
def shell() -> Iterator[Any]:
    made: Any = InteractiveShell()
    made.history_manager.enabled = False
    yield made
    unload(made)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """There can be no store."""
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("JUPYTER_REWIND_STORE_PATH", str(tmp_path / "file" / "store"))


def test_the_words_are_told_once_below_the_first_cell(
    shell: Any, broken: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is written when a kernel starts stands in the server's log only."""
    assert load(shell) is None
    capsys.readouterr()
    shell.run_cell("x = 1")
    assert "Jupyter Rewind keeps nothing of this kernel: " in capsys.readouterr().err
    shell.run_cell("x = 2")
    assert capsys.readouterr().err == ""


def test_the_magic_says_why_and_how_to_try_again(shell: Any, broken: None) -> None:
    load(shell)
    with pytest.raises(UsageError, match="keeps nothing of this kernel.*%reload_ext"):
        shell.run_line_magic("rewind", "status")


def test_unloading_leaves_nothing(shell: Any, broken: None) -> None:
    before = list(shell.events.callbacks["post_run_cell"])
    load(shell)
    unload(shell)
    assert "rewind" not in shell.magics_manager.magics["line"]
    assert shell.events.callbacks["post_run_cell"] == before


def test_a_kernel_with_rewind_switched_off_says_so_when_asked(
    shell: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And is quiet otherwise."""
    monkeypatch.setenv("JUPYTER_REWIND_KERNELS_ENABLED", "false")
    assert load(shell) is None
    shell.run_cell("x = 1")
    assert capsys.readouterr().err == ""
    with pytest.raises(UsageError, match="switched off"):
        shell.run_line_magic("rewind", "to 1")
