"""Moves that no cell makes: those of the browser, of the command line, of REST."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.kernels.capture import CaptureOptions
from jupyter_rewind.kernels.timeline import Timeline
from jupyter_rewind.model.ids import RunId
from jupyter_rewind.model.snapshot import Snapshot, VariableReport
from jupyter_rewind.store.keep import KernelStore
from tests.support.stores import QuickFiles
from tests.support.timelines import run_in

Make = Callable[[bool], Timeline]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """A timeline, in a cell or not."""
    store = KernelStore.open(tmp_path / "store", key_folder=tmp_path / "keys", files=QuickFiles())
    made = []

    def make_timeline(is_in_cell: bool) -> Timeline:
        namespace: dict[str, Any] = {"__name__": "__main__", "_oh": {}, "_ih": [""]}
        made.append(
            Timeline(
                namespace, store, RunId("run"), CaptureOptions(budget_share=None),
                is_in_cell=lambda: is_in_cell,
            )
        )  # fmt: skip
        return made[-1]

    yield make_timeline
    for timeline in made:
        timeline.close()
    store.close()


def newest(timeline: Timeline) -> Snapshot:
    return timeline.snapshots()[-1]


def test_what_a_move_came_to_is_the_newest_state(make: Make) -> None:
    """After a kill, and beside a notebook that is saved, it is the one that counts."""
    timeline = make(False)
    first = run_in(timeline, "x = [1]")
    run_in(timeline, "x.append(2)")
    timeline.go_to(first)
    assert newest(timeline).state == first.state
    assert newest(timeline).place == "after a move"
    assert timeline.head == newest(timeline)


def test_what_an_undo_came_to_is_the_newest_state(make: Make) -> None:
    """Whether the very objects came back, or what was kept of them."""
    timeline = make(False)
    first = run_in(timeline, "x = [1]")
    second = run_in(timeline, "x.append(2)")
    timeline.go_to(first)
    timeline.undo()
    assert timeline.namespace["x"] == [1, 2]
    assert newest(timeline).state == second.state
    timeline.redo()
    assert newest(timeline).state == first.state
    timeline.namespace["x"].append(5)
    timeline.undo()
    assert timeline.namespace["x"] == [1, 2]
    assert newest(timeline).state == second.state


def test_a_move_that_a_cell_makes_is_told_by_the_state_after_it(make: Make) -> None:
    timeline = make(True)
    first = run_in(timeline, "x = [1]")
    run_in(timeline, "x.append(2)")
    timeline.go_to(first)
    timeline.undo()
    assert [one.place for one in timeline.snapshots()].count("after a move") == 0


def test_a_variable_that_no_cell_brought_is_in_the_newest_state(make: Make) -> None:
    timeline = make(False)
    run_in(timeline, "x = [1]")
    timeline.keep_first()
    timeline.namespace["y"] = [5]
    timeline.note_change()
    assert "y" in {one.name for one in timeline.report(newest(timeline))}


def changed(report: tuple[VariableReport, ...]) -> set[str]:
    return {one.name for one in report if one.changed}


def test_what_came_back_is_told_from_what_was_there(make: Make) -> None:
    """Small values, functions and lists alike; by a move, by undo and by redo."""
    timeline = make(True)
    first = run_in(timeline, "x = 1; s = 'a'; f = lambda: 1; rows = [1]; same = 5; also = [5]")
    run_in(timeline, "x = 2; s = 'b'; f = lambda: 2; rows.append(2)")
    others = {"x", "s", "f", "rows"}
    assert changed(timeline.go_to(first).report) == others
    assert changed(timeline.undo().report) == others
    assert changed(timeline.redo().report) == others


def test_in_a_new_kernel_all_came_back(make: Make) -> None:
    first = run_in(make(True), "x = 1; rows = [1]")
    assert changed(make(True).go_to(first).report) == {"x", "rows"}


@pytest.mark.parametrize(
    ("first", "then", "equal", "check"),
    [
        ("a = []", "d = [a]", "a = []", "d[0] is a"),
        ("a = [[]]", "d = [a[0]]", "a[0] = []", "d[0] is a[0]"),
        ("a = []", "def d(x=a): return x", "a = []", "d() is a"),
        ("a = [[]]", "class D: held = a[0]", "a[0] = []", "D.held is a[0]"),
        ("a = {'k': []}", "d = lambda x=a['k']: x", "a['k'] = []", "d() is a['k']"),
    ],
)
def test_an_undo_finds_what_an_equal_one_has_taken_the_place_of(
    make: Make, first: str, then: str, equal: str, check: str
) -> None:
    """The cell between changed nothing that could be told, but which object it is."""
    timeline = make(True)
    start = run_in(timeline, first)
    run_in(timeline, then)
    timeline.go_to(start)
    run_in(timeline, equal)
    timeline.undo()
    assert eval(check, timeline.namespace)
