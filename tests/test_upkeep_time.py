"""Upkeep by itself goes by time that passed, and not by a clock that was ahead for once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import NotFound
from jupyter_rewind.settings import Settings
from jupyter_rewind.workspace import Workspace
from tests.notebooks.support import make_notebook

DAY = 86_400.0


@pytest.fixture
def hands() -> Iterator[clock.FakeClock]:
    with clock.use(clock.FakeClock()) as hands:
        assert isinstance(hands, clock.FakeClock)
        yield hands


@pytest.fixture
def workspace(hands: clock.FakeClock, tmp_path: Path) -> Iterator[Workspace]:
    overrides = {
        "store.path": str(tmp_path / "store"),
        "store.key.folder": str(tmp_path / "keys"),
        "store.durability": "process",
        "retention.deleted_days": "20",
    }
    with Workspace.open(Settings.load(overrides)) as opened:
        yield opened


@pytest.fixture
def gone(workspace: Workspace, tmp_path: Path) -> str:
    """A notebook that was deleted just now."""
    path = tmp_path / "a.ipynb"
    for text in ("x = 1", "x = 2"):
        path.write_bytes(make_notebook(text))
        workspace.checkpoint(str(path))
    path.unlink()
    workspace.histories.delete(str(path.resolve()))
    return str(path.resolve())


def keep_up(workspace: Workspace) -> int:
    """How many checkpoints a round expired, which was due."""
    done = workspace.keep_up()
    assert done is not None
    return len(done.expired)


@pytest.mark.parametrize("rounds_before", [0, 1, 3])
def test_a_clock_that_is_years_ahead_for_once_costs_no_deleted_notebook(
    workspace: Workspace, hands: clock.FakeClock, gone: str, rounds_before: int
) -> None:
    """Neither in the first round that there ever is nor later, and it is brought back whole."""
    for _ in range(rounds_before):
        assert keep_up(workspace) == 0
        hands.advance(DAY)
    hands.advance(1000 * DAY)
    assert keep_up(workspace) == 0
    hands.advance(-1000 * DAY)
    assert keep_up(workspace) == 0
    assert [one.path for one in workspace.deleted()] == [gone]
    workspace.undelete(gone)
    assert Path(gone).read_bytes() == make_notebook("x = 2")


def test_what_was_deleted_expires_when_its_time_has_passed(
    workspace: Workspace, hands: clock.FakeClock, gone: str
) -> None:
    for _ in range(20):
        hands.advance(DAY)
        assert keep_up(workspace) == 0
    hands.advance(DAY)
    assert keep_up(workspace) == 2
    assert workspace.deleted() == []


def test_a_long_pause_only_puts_expiry_off(
    workspace: Workspace, hands: clock.FakeClock, gone: str
) -> None:
    """After a year in a drawer nothing goes at once; some rounds later the calendar is there."""
    hands.advance(DAY)
    assert keep_up(workspace) == 0
    hands.advance(365 * DAY)
    expired = []
    for _ in range(3):
        expired.append(keep_up(workspace))
        hands.advance(DAY)
    assert expired == [0, 0, 2]


def test_rounds_that_fail_count_no_time_twice(
    workspace: Workspace, hands: clock.FakeClock, gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tried again every half an hour with a clock that is ahead, a round still counts once."""
    hands.advance(1000 * DAY)

    def fail(*_: object, **__: object) -> None:
        raise NotFound("The round broke off here.")

    with monkeypatch.context() as patch:
        patch.setattr(workspace, "collect", fail)
        for _ in range(5):
            with pytest.raises(NotFound):
                workspace.keep_up()
    assert keep_up(workspace) == 0
    assert [one.path for one in workspace.deleted()] == [gone]


def test_by_hand_the_wall_clock_counts(
    workspace: Workspace, hands: clock.FakeClock, gone: str
) -> None:
    """Whoever asks sees what would go before it does."""
    hands.advance(30 * DAY)
    assert keep_up(workspace) == 0
    plan = workspace.plan_expiry()
    assert plan.count == 2
    assert len(workspace.expire(plan)) == 2


def test_a_clock_that_begins_again_with_the_machine_does_not_put_expiry_off(
    workspace: Workspace, hands: clock.FakeClock, gone: str
) -> None:
    """A round before the machine was told the time counts nothing, and takes nothing back."""
    for _ in range(20):
        hands.advance(DAY)
        assert keep_up(workspace) == 0
    hands.advance(-9000 * DAY)
    assert keep_up(workspace) == 0
    hands.advance(9001 * DAY)
    assert keep_up(workspace) == 2
