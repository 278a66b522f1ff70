"""Clocks that run ahead, and file systems that tell times roughly, cost no state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.model.checkpoint import Checkpoint, Reason
from jupyter_rewind.notebooks.documents import undelete_document
from jupyter_rewind.notebooks.history import Histories
from tests.notebooks.support import make_notebook

AHEAD_SECONDS = 4000.0
FIRST, SECOND = make_notebook("first"), make_notebook("second")
ODD_NS = 123_456_789


@pytest.fixture
def path(folder: Path) -> str:
    return str(folder / "a.ipynb")


@pytest.fixture(autouse=True)
def finely(fake_clock: clock.FakeClock) -> None:
    """Files here have their times to the nanosecond, and no time is a whole second by chance."""
    fake_clock.time_ns += ODD_NS


def run_ahead(others: Histories, fake_clock: clock.FakeClock, path: str, raw: bytes) -> None:
    """Another machine, whose clock is more than an hour ahead, finds `raw` in the file `path`."""
    fake_clock.advance(AHEAD_SECONDS)
    others.record(path, raw, reason=Reason.EXTERNAL_CHANGE)
    fake_clock.advance(-AHEAD_SECONDS)


def find(
    histories: Histories, fake_clock: clock.FakeClock, path: str, raw: bytes, *, rough_ns: int = 1
) -> Checkpoint:
    """Somebody writes `raw` to the file, on a file system that tells times in steps, and a look
    finds it a moment later."""
    fake_clock.advance(0.3)
    written_ns = fake_clock.time_ns // rough_ns * rough_ns
    Path(path).write_bytes(raw)
    since = histories.glance(path)
    fake_clock.advance(0.05)
    reason = Reason.EXTERNAL_CHANGE
    return histories.record(path, raw, reason=reason, since=since, written_ns=written_ns).checkpoint


def save(
    histories: Histories, fake_clock: clock.FakeClock, path: str, raw: bytes, *, rough_ns: int = 1
) -> Checkpoint:
    fake_clock.advance(0.3)
    written_ns = fake_clock.time_ns // rough_ns * rough_ns
    Path(path).write_bytes(raw)
    fake_clock.advance(0.05)
    return histories.record(path, raw, reason=Reason.SAVE, written_ns=written_ns).checkpoint


def states(histories: Histories, path: str) -> list[bytes]:
    return [histories.read(one) for one in histories.checkpoints(path)]


@pytest.mark.parametrize("rough_ns", [1, 1_000_000_000, 2_000_000_000])
@pytest.mark.parametrize("act", [find, save])
def test_a_state_that_comes_back_is_kept_again_though_a_clock_ran_ahead(
    histories: Histories,
    others: Histories,
    fake_clock: clock.FakeClock,
    path: str,
    act: Callable[..., Checkpoint],
    rough_ns: int,
) -> None:
    """One entry of another notebook, made by a clock that is ahead, says nothing of this one."""
    run_ahead(others, fake_clock, path + ".other.ipynb", make_notebook("of another"))
    save(histories, fake_clock, path, FIRST)
    save(histories, fake_clock, path, SECOND)
    last = act(histories, fake_clock, path, FIRST, rough_ns=rough_ns)
    assert states(histories, path) == [FIRST, SECOND, FIRST]
    assert histories.head(path) == last
    histories.delete(path)
    Path(path).unlink()
    undelete_document(histories, path)
    assert Path(path).read_bytes() == FIRST


@pytest.mark.parametrize("rough_ns", [1_000_000_000, 2_000_000_000])
@pytest.mark.parametrize("act", [find, save])
def test_a_state_found_outside_and_back_within_a_second_is_kept_again(
    histories: Histories,
    fake_clock: clock.FakeClock,
    path: str,
    act: Callable[..., Checkpoint],
    rough_ns: int,
) -> None:
    """The times of such a file system cannot tell the second writing from the first."""
    find(histories, fake_clock, path, FIRST, rough_ns=rough_ns)
    find(histories, fake_clock, path, SECOND, rough_ns=rough_ns)
    act(histories, fake_clock, path, FIRST, rough_ns=rough_ns)
    assert states(histories, path) == [FIRST, SECOND, FIRST]


def test_what_a_clock_ahead_found_is_no_save_of_today(
    histories: Histories, others: Histories, fake_clock: clock.FakeClock, path: str
) -> None:
    """It found the state in this very notebook, and before the save: its time tells nothing."""
    run_ahead(others, fake_clock, path, FIRST)
    run_ahead(others, fake_clock, path, SECOND)
    save(histories, fake_clock, path, FIRST)
    assert states(histories, path) == [FIRST, SECOND, FIRST]


def test_a_save_that_another_found_first_stands_once_though_a_clock_ran_ahead(
    histories: Histories, others: Histories, fake_clock: clock.FakeClock, path: str
) -> None:
    """Two sound clocks tell one state once, whatever a third one did."""
    run_ahead(others, fake_clock, path + ".other.ipynb", make_notebook("of another"))
    save(histories, fake_clock, path, SECOND)
    fake_clock.advance(1.0)
    written_ns = fake_clock.time_ns
    fake_clock.advance(0.01)
    found = others.record(path, FIRST, reason=Reason.EXTERNAL_CHANGE).checkpoint
    fake_clock.advance(0.01)
    made = histories.record(path, FIRST, reason=Reason.SAVE, written_ns=written_ns)
    assert (made.created, made.checkpoint.id) == (False, found.id)
    assert [one.reason for one in histories.checkpoints(path)] == [Reason.SAVE, Reason.SAVE]
