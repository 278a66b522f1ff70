"""What a move leaves behind in the kernel: nothing that later cells pay for."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.kernels.environment import Environment
from jupyter_rewind.kernels.onevariable import load_variable
from jupyter_rewind.kernels.tracking import Tracker
from tests.support.cells import Cells

pytestmark = pytest.mark.matrix
WAYS = [False, True] if hasattr(sys, "monitoring") else [False]
SETUP = """
same = [[3]]; big = [[1], [2]]
class Thing: pass
thing = Thing()
def put(): big.append(thing)
"""


@pytest.fixture(params=WAYS, ids=lambda monitor: "monitoring" if monitor else "names")
def cells(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Cells]:
    tracker = Tracker(monitor=request.param)
    made = Cells(tmp_path, tracker=tracker, environment=Environment())
    # Nobody comes by to find what has been left lying about.
    gc.disable()
    yield made
    gc.enable()
    made.close()
    tracker.close()


def check_that_plain_cells_are_cheap(cells: Cells) -> None:
    """The first one counts as touching everything: a move came before it."""
    cells.run("pass")
    surroundings = 1
    assert cells.try_run("pass").verified == surroundings
    assert cells.try_run("pass").verified == surroundings


def test_a_plain_cell_is_cheap_after_a_move(cells: Cells) -> None:
    """What could take the move back by itself holds nothing that opens the notebook."""
    before = cells.run(SETUP)
    cells.run("put()\nclass Thing: more = 1\ndef put(): pass")
    cells.go(before)
    check_that_plain_cells_are_cheap(cells)
    cells.check("big == [[1], [2]]")


def test_a_plain_cell_is_cheap_after_a_move_that_was_taken_back(cells: Cells) -> None:
    """Both ways."""
    before = cells.run(SETUP)
    cells.run("put()")
    moved = cells.prepare(before)
    moved.swap()
    assert moved.take_back() is not None
    check_that_plain_cells_are_cheap(cells)
    cells.check("big[2] is thing")


def test_a_plain_cell_is_cheap_after_a_move_that_failed(cells: Cells) -> None:
    """A failure leaves as little behind as it changes."""
    before = cells.run(SETUP)
    cells.run("put()")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jupyter_rewind.kernels.names.put_in_order", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            cells.go(before)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jupyter_rewind.kernels.restore.report_on", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            cells.prepare(before)
    check_that_plain_cells_are_cheap(cells)
    cells.check("big[2] is thing")


def test_a_plain_cell_is_cheap_after_one_variable_came_back(cells: Cells) -> None:
    """A variable out of the past brings no more than itself."""
    before = cells.run(SETUP)
    cells.run("put()")
    cells.store.refresh()
    cells.namespace["old"] = load_variable(
        cells.store, before, "big", cells.namespace, cells.capturer
    )
    cells.capturer.note_outside("a variable was brought back")
    check_that_plain_cells_are_cheap(cells)
    cells.check("old == [[1], [2]] and len(big) == 3")


def test_what_is_excluded_stays_when_a_move_is_taken_back(cells: Cells) -> None:
    """No move touches it, not even one that brings back the very objects."""
    cells.capturer.exclude("other")
    cells.capturer.exclude("later")
    before = cells.run("mine = [1]; other = [1]")
    cells.run("mine.append(2)")
    moved = cells.prepare(before)
    moved.swap()
    cells.run("other = [3]; later = [4]")
    assert moved.take_back() is not None
    cells.check("mine == [1, 2] and other == [3] and later == [4]")
