"""A state that another version of Python wrote: what does not load is named wherever it is used."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_rewind.kernels import rebuild
from jupyter_rewind.model.snapshot import Fidelity
from tests.support.cells import Cells


def test_all_that_uses_a_function_that_does_not_load_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class without its methods is not exact, nor is an instance of it, nor a list of those."""
    cells = Cells(tmp_path)
    state = cells.run(
        "def f(): return 1\n"
        "class C:\n    def m(self): return 2\n"
        "c = C(); rows = [c]; both = [f, C]; plain = [1]; n = 5"
    )
    cells.capturer.flush()
    other = Cells(tmp_path, run="other")
    newer = SimpleNamespace(version_info=(9, 9, 9), modules=sys.modules)
    monkeypatch.setattr(rebuild, "sys", newer)
    report = {one.name: one for one in other.prepare(state).report}
    lost = {name for name, one in report.items() if one.fidelity is Fidelity.MISSING}
    assert lost == {"f", "C", "c", "rows", "both"}
    assert "run its cell again" in report["c"].reason
    other.close()
    cells.close()


def test_the_module_of_the_verbs_is_not_taken_away(tmp_path: Path) -> None:
    """The cell that imports it and goes back with it may go on."""
    cells = Cells(tmp_path)
    first = cells.run("x = 1")
    cells.run("from jupyter_rewind import kernel; y = 2")
    cells.go(first)
    cells.check("'y' not in globals() and kernel.__name__ == 'jupyter_rewind.kernel'")
    cells.run("x = 3")
    cells.check("'kernel' in globals()")
    cells.close()
