"""Somebody interrupts the kernel while it goes back, or something fails there: no half move."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from jupyter_rewind.kernels.timeline import Timeline
from jupyter_rewind.model.snapshot import Snapshot
from tests.support.timelines import opened_timeline, run_in

MAKE = "import numpy as np; a = [1]; big = np.zeros(90_000); n = 1\ndef f(): return 1"
CHANGE = "a.append(2); big[5] = 7; n = 2; f.seen = new = 5"


@pytest.fixture
def timeline(tmp_path: Path) -> Iterator[Timeline]:
    with opened_timeline(tmp_path) as made:
        yield made


@contextmanager
def when_called(name: str, act: Callable[[], None]) -> Iterator[list[str]]:
    """`act` is called when a function of this name begins; once, which is told."""
    met = []

    def look(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_name == name:
            sys.setprofile(None)
            met.append(name)
            act()

    sys.setprofile(look)
    try:
        yield met
    finally:
        sys.setprofile(None)


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def is_now(timeline: Timeline, *, first: bool) -> bool:
    space = timeline.namespace
    found = (space["a"], space["n"], float(space["big"][5]), space["f"].__dict__, "new" in space)
    return found == (([1], 1, 0.0, {}, False) if first else ([1, 2], 2, 7.0, {"seen": 5}, True))


@pytest.mark.parametrize("name", ["apply", "_set_names", "adopt", "_let_go"])
def test_an_interrupt_in_a_move_waits_until_it_is_made(timeline: Timeline, name: str) -> None:
    """The move is whole, can be undone, and what comes next is kept rightly."""
    first = run_in(timeline, MAKE)
    second = run_in(timeline, CHANGE)
    with when_called(name, interrupt) as met, pytest.raises(KeyboardInterrupt):
        timeline.go_to(first)
    assert met and is_now(timeline, first=True)
    third = run_in(timeline, "z = 1")
    timeline.undo()
    assert is_now(timeline, first=False)
    timeline.go_to(third)
    assert is_now(timeline, first=True)
    timeline.go_to(second)
    assert is_now(timeline, first=False)


def test_an_interrupt_as_the_surroundings_are_put_back_waits(timeline: Timeline) -> None:
    """Whoever is impatient finds all variables as they were, though the state was half built."""
    first = run_in(timeline, MAKE)
    run_in(timeline, CHANGE)
    with when_called("put_back", interrupt) as met, pytest.raises(KeyboardInterrupt):
        timeline.go_to(first)
    assert met and is_now(timeline, first=False)


def test_an_undo_that_is_interrupted_is_made(timeline: Timeline) -> None:
    first = run_in(timeline, MAKE)
    run_in(timeline, CHANGE)
    timeline.go_to(first)
    with when_called("return_to", interrupt) as met, pytest.raises(KeyboardInterrupt):
        timeline.undo()
    assert met and is_now(timeline, first=False)
    timeline.redo()
    assert is_now(timeline, first=True)


@pytest.mark.parametrize("name", ["_set_modules", "_pods", "adopt", "note"])
def test_a_move_that_fails_to_its_last_step_changes_nothing(timeline: Timeline, name: str) -> None:
    """Nor does what is kept afterwards differ from what there is."""

    def fail() -> None:
        raise MemoryError

    first = run_in(timeline, MAKE)
    run_in(timeline, CHANGE)
    prepared_first = timeline.present()
    with pytest.raises(MemoryError):
        move_failing(timeline, first, name, fail)
    assert is_now(timeline, first=False)
    third = run_in(timeline, "z = 1")
    timeline.go_to(first)
    timeline.go_to(third)
    assert is_now(timeline, first=False) and timeline.namespace["z"] == 1
    timeline.go_to(prepared_first)
    assert is_now(timeline, first=False)


def move_failing(timeline: Timeline, target: Snapshot, name: str, fail: Callable[[], None]) -> None:
    """The move fails where this is called for the first time after its swap has begun."""
    from jupyter_rewind.kernels.restore import prepare

    prepared = prepare(timeline.store, target, timeline.namespace, timeline.capturer)
    with when_called(name, fail) as met:
        prepared.swap()
    assert met
