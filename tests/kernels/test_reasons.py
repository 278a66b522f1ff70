"""What is told of a value that is not kept as it was: in words, not in Python's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jupyter_rewind.kernels.comparison import report
from jupyter_rewind.model.snapshot import Fidelity
from tests.support.cells import Cells
from tests.support.kinds import Kind
from tests.support.kinds_live import LIVE

_INNER = re.compile(r"\b__\w+__\b|object at 0x|Placeholder|^\w+(Error|Exception): |__main__\.")
KINDS = [kind for kind in LIVE if kind.told and kind.name != "event loop"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_reason_is_in_words(tmp_path: Path, kind: Kind) -> None:
    """I'm told what was there and how to get it back, and nothing of how it is done inside."""
    cells = Cells(tmp_path)
    cells.run(kind.prelude())
    state = cells.run(kind.make)
    cells.close()
    again = Cells(tmp_path, run="again")
    told = [one for one in again.prepare(state).report if one.name in ("value", "S")]
    again.close()
    assert told
    for one in told:
        assert one.reason, one
        assert not _INNER.search(one.reason), one.reason


def test_a_figure_is_not_changed_by_keeping_it(tmp_path: Path) -> None:
    """A figure that nobody touched is kept once, and looking at it leaves no trace in it."""
    cells = Cells(tmp_path)
    cells.run(
        "import matplotlib; matplotlib.use('Agg'); import matplotlib.pyplot as plt\n"
        "f, ax = plt.subplots(); ax.plot([1, 2]); said = []\n"
        "f.canvas.mpl_connect('draw_event', said.append)"
    )
    before = eval("repr(f.canvas.callbacks._cid_gen)", cells.namespace)
    state = cells.run("y = 1")
    told = {pod.node for pod in cells.capturer.pods() if "v:f" in pod.keys}
    cells.run("y = 2")
    assert told == {pod.node for pod in cells.capturer.pods() if "v:f" in pod.keys}
    assert before == eval("repr(f.canvas.callbacks._cid_gen)", cells.namespace)
    cells.run("ax.clear()")
    cells.go(state)
    cells.check("ax.lines[0].get_ydata()[1] == 2 and f.axes[0] is ax")
    cells.run("f.canvas.mpl_connect('draw_event', print); plt.close('all')")
    cells.close()


def test_a_module_of_my_own_is_told_apart_from_a_library(tmp_path: Path) -> None:
    """I'm told that what my module's variables hold is not kept; libraries' are said nothing of."""
    (tmp_path / "my_own_notes.py").write_text("kept = {}\n")
    cells = Cells(tmp_path)
    make = "import sys, json, my_own_notes"
    state = cells.run(f"import sys; sys.path.append({str(tmp_path)!r})\n{make}; x = [my_own_notes]")
    told = {one.name: one for one in report(cells.store, state)}
    cells.run("x = json = my_own_notes = 0")
    cells.go(state)
    cells.check("x[0] is my_own_notes is sys.modules['my_own_notes']")
    cells.close()
    for name in ("my_own_notes", "x"):
        assert told[name].fidelity is Fidelity.REFERENCE
        assert "what its own variables hold is not kept" in told[name].reason
    assert told["json"].reason == "the module json, imported again"
