"""How long a cell waits for its state at most, and what of it is kept in that time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import RestoreRefused
from jupyter_rewind.kernels.budget import Awaited, Budget
from jupyter_rewind.kernels.capture import CaptureOptions
from jupyter_rewind.kernels.comparison import report
from jupyter_rewind.kernels.onevariable import load_variable
from jupyter_rewind.kernels.roots import Gatherer
from jupyter_rewind.kernels.tracking import Tracker
from jupyter_rewind.model.ids import ExecutionId
from jupyter_rewind.model.snapshot import Fidelity, Snapshot
from tests.support.cells import Cells, TickingClock

BIG = "big = [[i] for i in range(400_000)]"
ARRAY = "import numpy as np; big = np.arange(15_000_000)"
INSTANCES = "class Item: pass\nbig = [Item() for _ in range(300_000)]"
FLOOR = CaptureOptions(budget_share=0.0, budget_floor_seconds=0.2)
ALL = CaptureOptions(budget_share=None)


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[Cells]:
    with clock.use(TickingClock()):
        made = Cells(tmp_path, options=FLOOR, tracker=Tracker())
        made.run("small = [1]")
        yield made
        made.close()


def whole(cells: Cells) -> Snapshot:
    """The state in all its parts, as in the next pause."""
    captured = cells.capturer.capture_late(ExecutionId("late"), count=99, path="")
    assert not captured.late
    snapshot = captured.snapshot
    assert snapshot is not None
    return snapshot


def kept_of(cells: Cells, snapshot: Snapshot) -> dict[str, Fidelity]:
    return {one.name: one.fidelity for one in report(cells.capturer.keeper.store, snapshot)}


@pytest.mark.parametrize("make", [BIG, ARRAY, INSTANCES])
def test_a_large_new_value_does_not_hold_up_its_cell(cells: Cells, make: str) -> None:
    """The first look at a value is given up when the time is over; all else is kept, and I'm told
    what is not."""
    captured = cells.try_run(f"{make}\nsmall.append(2)")
    assert captured.late == ("big",)
    # One check more than the time there was, and what it takes to end.
    assert captured.seconds < 0.25
    snapshot = captured.snapshot
    assert snapshot is not None
    found = kept_of(cells, snapshot)
    assert found["big"] is Fidelity.MISSING
    assert found["small"] is Fidelity.EXACT
    assert snapshot.counts.missing == 1


def test_small_values_are_never_late(tmp_path: Path) -> None:
    """In the first cell of a process, on however slow a machine, small values are all kept."""
    with clock.use(TickingClock(0.0001)):
        options = CaptureOptions(budget_share=0.0, budget_floor_seconds=0.0002)
        cells = Cells(tmp_path, options=options, tracker=Tracker())
        lines = [f"v{n} = [{n}, {{'a': ({n},)}}]" for n in range(6)]
        captured = cells.try_run("\n".join([*lines, "class T: pass", "t = T(); t.kids = {t}"]))
        assert captured.late == ()
        snapshot = captured.snapshot
        assert snapshot is not None
        assert set(kept_of(cells, snapshot).values()) == {Fidelity.EXACT}
        cells.close()


def test_small_changes_are_kept_while_a_large_value_waits(cells: Cells) -> None:
    """Beside a value that there is no time for, every small change is kept, and costs little."""
    cells.run(BIG)
    first = cells.try_run("small.append(2); x = 5")
    second = cells.try_run("small.append(3)")
    assert first.late == second.late == ("big",)
    for captured, length in ((first, 2), (second, 3)):
        snapshot = captured.snapshot
        assert snapshot is not None
        assert snapshot.new_bytes < 4_000
        assert len(_load(cells, snapshot, "small")) == length


def test_what_there_was_no_time_for_is_kept_in_the_next_pause(cells: Cells) -> None:
    """In a pause the value is kept, and from then on it costs nothing while it is not touched."""
    cells.run(BIG)
    state = whole(cells)
    assert set(kept_of(cells, state).values()) == {Fidelity.EXACT}
    captured = cells.try_run("small.append(2)")
    assert captured.late == ()
    cells.run("big[0].append(1); big = None")
    cells.go(state)
    cells.check("len(big) == 400_000 and big[0] == [0]")


def test_a_late_change_is_stored_as_a_change(cells: Cells) -> None:
    """A large value that was kept before costs its change alone, also where it had to wait."""
    cells.run(BIG)
    first = whole(cells)
    assert cells.try_run("big.append([0])").late == ("big",)
    assert cells.try_run("big.append([1])").late == ("big",)
    assert whole(cells).new_bytes < first.new_bytes // 100


def test_a_value_that_waited_and_did_not_change_is_what_it_was(cells: Cells) -> None:
    """Looking at it again finds the value that is kept already: nothing is stored again."""
    cells.run(BIG)
    before = whole(cells)
    assert cells.try_run("big[5] = big[5]").late == ("big",)
    after = whole(cells)
    assert after.new_bytes < 4_000
    cells.run("big[5] = -1")
    cells.go(after)
    cells.check("big[5] == [5]")
    assert kept_of(cells, before) == kept_of(cells, after)


def test_going_back_leaves_alone_what_was_not_kept(cells: Cells) -> None:
    """What a state is without stays what it is now, and the report says so; the rest comes back."""
    captured = cells.try_run(f"{BIG}\nsmall.append(2)")
    snapshot = captured.snapshot
    assert snapshot is not None
    cells.run("small.append(3); big[0].append(1)")
    prepared = cells.prepare(snapshot)
    prepared.swap()
    cells.check("small == [1, 2] and len(big) == 400_000 and big[0] == [0, 1]")
    told = next(one for one in prepared.report if one.name == "big")
    assert told.fidelity is Fidelity.MISSING
    assert "no time" in told.reason
    assert "stays" in told.reason


def test_the_state_after_going_back_without_a_value_is_right(cells: Cells) -> None:
    """What stayed is looked at again: the next state has it as it is."""
    captured = cells.try_run(BIG)
    snapshot = captured.snapshot
    assert snapshot is not None
    cells.run("big[0].append(1)")
    cells.go(snapshot)
    state = whole(cells)
    cells.run("big = None")
    cells.go(state)
    cells.check("big[0] == [0, 1]")


def test_a_new_kernel_is_told_what_was_not_kept(cells: Cells, tmp_path: Path) -> None:
    """In a new kernel a placeholder stands there, and one variable out of the past is refused."""
    snapshot = cells.try_run(BIG).snapshot
    assert snapshot is not None
    cells.capturer.flush()
    other = Cells(tmp_path, run="other", options=ALL)
    told = {one.name: one for one in _go(other, snapshot)}
    assert told["big"].fidelity is Fidelity.MISSING
    other.check("'no time' in repr(big) and small == [1]")
    with pytest.raises(RestoreRefused, match="no time"):
        _load(cells, snapshot, "big")
    other.close()


def test_instances_wait_together_with_their_class(cells: Cells) -> None:
    """A class that large values alone name is there with them in the next pause."""
    cells.run(INSTANCES)
    state = whole(cells)
    cells.run("del big, Item")
    cells.go(state)
    cells.check("all(type(each) is Item for each in big)")


def test_what_the_next_cell_waits_for_is_given_up(cells: Cells) -> None:
    """The next cell does not wait for what is done in a pause: that is dropped, and done again."""
    cells.run(BIG)
    asked = []

    def is_awaited() -> bool:
        asked.append(True)
        return len(asked) > 1

    with pytest.raises(Awaited):
        cells.capturer.capture_late(ExecutionId("late"), count=2, path="", is_awaited=is_awaited)
    captured = cells.try_run("small.append(2)")
    assert captured.late == ("big",)
    whole(cells)


def test_a_value_bound_anew_is_tried_again(cells: Cells) -> None:
    """That a name held something large says nothing of what it holds now."""
    cells.run(BIG)
    captured = cells.try_run("big = [1, 2]")
    assert captured.late == ()
    assert captured.snapshot is not None


def test_too_many_to_be_told_are_merged_with_the_next_state(cells: Cells) -> None:
    """Where there is no time for many variables, that is no state: it's merged, and said."""
    source = "for i in range(100): globals()[f'v{i}'] = [[i] for i in range(20_000)]"
    captured = cells.try_run(source)
    assert captured.snapshot is None
    assert "budget" in captured.skipped_because
    # Nor is it tried again before there is more time.
    assert cells.try_run("x = 1").seconds == 0.0
    assert len(whole(cells).merged) == 2


def test_where_no_pause_comes_it_is_tried_again(cells: Cells) -> None:
    """A notebook that is run as a whole, or by a program, waits for nothing between its cells."""
    source = "for i in range(100): globals()[f'v{i}'] = [[i] for i in range(20_000)]"
    assert cells.try_run(source).snapshot is None
    cells.namespace.update({f"v{number}": number for number in range(100)})
    tries = [cells.try_run("x = 1") for _ in range(20)]
    assert tries[0].snapshot is None
    assert any(one.snapshot is not None for one in tries)


def test_the_share_of_long_cells_is_saved_up() -> None:
    """A state may take 5 % of what all cells took, less what was drawn; 50 ms in any case."""
    budget = Budget(0.05, 0.05)
    assert budget.allowance() == 0.05
    budget.of_cells = 100.0
    assert budget.allowance() == 5.0
    budget.draw(0.04)
    assert budget.allowance() == 5.0
    budget.draw(4.05)
    assert budget.allowance() == pytest.approx(1.0)
    budget.draw(3.0)
    assert budget.allowance() == 0.05
    assert Budget(None, 0.05).allowance() is None


def test_without_time_to_look_around_everything_counts_as_touched() -> None:
    """Code that came in unseen is looked for when there is time; until then nothing is skipped."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    tracker = Tracker(monitor=False)

    def run(source: str, seconds: float) -> bool:
        tracker.begin(source, namespace)
        exec(compile(source, "<cell>", "exec"), namespace)
        return tracker.end(seconds).everything

    assert run("x = [1]", 60.0)
    assert not run("y = 2", 60.0)
    assert run("exec('def hidden(): x.append(2)'); held = [hidden]; del hidden", 0.0)
    assert run("held[0]()", 0.0)
    tracker.catch_up()
    assert not run("y = 3", 60.0)
    tracker.begin("held[0]()", namespace)
    assert "x" in tracker.end().names
    tracker.close()


def _load(cells: Cells, snapshot: Snapshot, name: str) -> list[int]:
    store = cells.capturer.keeper.store
    found = load_variable(store, snapshot, name, cells.namespace, cells.capturer)
    assert isinstance(found, list)
    return found


def _go(cells: Cells, snapshot: Snapshot) -> tuple[object, ...]:
    prepared = cells.prepare(snapshot)
    prepared.swap()
    return prepared.report


def test_very_many_new_variables_are_not_even_looked_at(
    cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To find that there is no time for them would take long itself. Plain values are no trouble,
    and in the next pause all are kept."""
    cells.run("globals().update({f'w{n}': n for n in range(30_000)})")
    with monkeypatch.context() as patch:
        patch.setattr(Gatherer, "gather", lambda *_: pytest.fail("they were looked at"))
        told = cells.try_run("globals().update({f'v{n}': [n] for n in range(60_000)})")
        assert "it would take" in told.skipped_because
        assert "it would take" in cells.try_run("y = 2").skipped_because
    late = cells.capturer.capture_late(ExecutionId("execution-4"), count=4, path="")
    assert late.snapshot is not None and not late.late
    assert {"v7", "w7"} <= {one.name for one in report(cells.store, late.snapshot)}
