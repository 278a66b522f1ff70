"""What came out of a module that is gone: each thing of it says so, and nothing else is lost."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.kernels.comparison import report
from jupyter_rewind.kernels.restore import Prepared
from jupyter_rewind.model.snapshot import Fidelity, VariableReport
from tests.support.cells import FREELY, Cells

pytestmark = pytest.mark.matrix
MODULE = "rewind_lost_module"
SOURCE = """
class Point:
    def __init__(self, x): self.x = x
def helper(): return 'helped'
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
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / f"{MODULE}.py").write_text(SOURCE)
    options = type(FREELY)(budget_share=None, max_module_bytes=request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        before = Cells(tmp_path, options=options)
        before.run(CELL)
        before.close()
        del sys.modules[MODULE]
    made = Cells(tmp_path, options=options, run="next")
    yield made
    made.close()


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
    lost = ("Point", "helper", "p")
    assert all(told[name].fidelity is Fidelity.MISSING for name in lost)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path / "modules"))
        last = Cells(tmp_path, run="last")
        last.go(state)
        last.check("helper() == 'helped' and code[0] is helper and Point(1).x == 1")
        last.close()
    sys.modules.pop(MODULE, None)
