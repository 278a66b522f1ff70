"""What came out of a module that is gone: each thing of it says so, and nothing else is lost."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.kernels.capture import CaptureOptions
from jupyter_rewind.kernels.comparison import report
from jupyter_rewind.kernels.placeholders import Placeholder
from jupyter_rewind.kernels.restore import Prepared
from jupyter_rewind.model.snapshot import Fidelity, VariableReport
from tests.support.cells import Cells

pytestmark = pytest.mark.matrix
MODULE = "rewind_lost_module"
SOURCE = """
class Point:
    def __init__(self, x): self.x = x
def helper(): return 'helped'
DATA = [1]
"""
CELL = f"""
import json, {MODULE}
from {MODULE} import Point, helper
class Mine(Point): pass
p, mine, held, code = Point(1), Mine(2), [Point(3), 5], [helper]
whole, same = [1, [2]], {{'a': [1]}}
"""
GONE = ("Point", "helper", "p", "mine", "held", "code", "Mine")
WHOLE = ("whole", "same", "json")


@pytest.fixture(params=[0, 1 << 20], ids=["modules by name", "modules with their variables"])
def after(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Cells]:
    """A new kernel; in the one before, the first cell ran, and then its module was removed."""
    made = run_and_lose(tmp_path, CELL, request.param)
    yield made
    made.close()


def run_and_lose(folder: Path, source: str, max_module_bytes: int) -> Cells:
    """A kernel after the one that ran this cell; its module is gone."""
    home = folder / "modules"
    home.mkdir()
    (home / f"{MODULE}.py").write_text(SOURCE)
    options = CaptureOptions(budget_share=None, max_module_bytes=max_module_bytes)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(home))
        before = Cells(folder, options=options)
        before.run(source)
        before.close()
        del sys.modules[MODULE]
    return Cells(folder, options=options, run="next")


def bring_back(cells: Cells) -> Prepared:
    cells.store.refresh()
    (entry,) = cells.store.entries(kind="snapshot")
    from jupyter_rewind.kernels.records import decode_snapshot

    return cells.prepare(decode_snapshot(entry, cells.store.layout, []))


def by_name(told: tuple[VariableReport, ...]) -> dict[str, VariableReport]:
    return {one.name: one for one in told}


def test_what_is_gone_is_told_of_each_variable_that_leads_to_it(after: Cells) -> None:
    """None is called brought back; the others are."""
    moved = bring_back(after)
    moved.swap()
    told = by_name(moved.report)
    for name in (*GONE, MODULE):
        assert told[name].fidelity is Fidelity.MISSING, name
        assert f"No module named '{MODULE}'" in told[name].reason, name
    assert "held[0]" in told["held"].reason
    assert told["Point"].type_name == "function or class"
    assert not [name for name in WHOLE if told[name].fidelity is Fidelity.MISSING]
    after.check("whole == [1, [2]] and same == {'a': [1]} and json.loads('1') == 1")
    after.check("held[1] == 5")


@pytest.mark.parametrize("use", ["helper()", "code[0]()", "Point(1)", "Point.x", "p.x", "mine.x"])
def test_what_is_gone_cannot_be_used_by_mistake(after: Cells, use: str) -> None:
    """It says what it is, and makes nothing."""
    bring_back(after).swap()
    with pytest.raises((TypeError, AttributeError), match=MODULE):
        after.check(use)
    assert MODULE in repr(after.namespace["code"])


def test_the_next_state_says_so_too(after: Cells, tmp_path: Path) -> None:
    """And where the module is there again, its classes and functions are, too."""
    bring_back(after).swap()
    state = after.run("x = 1")
    told = by_name(report(after.store, state))
    lost = ("Point", "helper", "p", "Mine")
    assert all(told[name].fidelity is Fidelity.MISSING for name in lost)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path / "modules"))
        last = Cells(tmp_path, run="last")
        last.go(state)
        last.check("helper() == 'helped' and code[0] is helper and Point(1).x == 1")
        assert isinstance(last.namespace["Mine"], Placeholder)
        last.close()
    sys.modules.pop(MODULE, None)


def test_a_file_that_is_gone_is_not_said_to_have_changed(tmp_path: Path) -> None:
    """Also where a function of the notebook needs the module's variables, and gets some of its
    own."""
    code = f"types.FunctionType((lambda: DATA).__code__, vars({MODULE}), 'made')"
    cells = run_and_lose(tmp_path, f"import types, {MODULE}\nmade = {code}", 1 << 20)
    try:
        problems = bring_back(cells).swap()
        assert any("could not be imported" in one for one in problems)
        assert not any("has changed since" in one for one in problems)
    finally:
        cells.close()
        sys.modules.pop(MODULE, None)
