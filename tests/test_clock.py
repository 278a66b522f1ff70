"""The clock: what a user's code does to `time` changes nothing of ours."""

from __future__ import annotations

import datetime
import os
import time
from pathlib import Path

import pytest
from freezegun import freeze_time

from jupyter_rewind import clock


def test_a_library_that_stops_the_clock_does_not_stop_ours() -> None:
    """Tests run in a notebook, with the clock stopped, are kept like any other cells."""
    before, since = clock.now_ns(), clock.monotonic()
    with freeze_time("2001-01-01"):
        assert datetime.datetime.now().year == 2001
        assert clock.now_ns() >= before
        assert clock.monotonic() >= since


def test_functions_of_time_that_were_replaced_are_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cell may put anything in their place, even what fails."""

    def fail() -> float:
        raise RuntimeError("no time")

    before, since = clock.now_ns(), clock.monotonic()
    with monkeypatch.context() as patch:
        for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter"):
            patch.setattr(time, name, fail)
        now, then = clock.now_ns(), clock.monotonic()
    assert now >= before
    assert then >= since


def test_what_is_put_in_the_place_of_a_function_of_the_system_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cell that replaces `os.getpid` costs no state either."""

    def fail() -> int:
        raise RuntimeError("no process")

    before = clock.pid()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", fail)
        now = clock.pid()
    assert now == before


def test_a_process_that_came_back_from_an_image_is_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has another file open in the place of the one that it opened; nothing else tells it."""
    monkeypatch.setattr(clock, "_life", -1)
    first, second = tmp_path / "life", tmp_path / "second"
    first.touch()
    assert clock.process() == clock.pid()
    clock.watch_life(tmp_path / "there is none")
    assert clock.process() == clock.pid()
    clock.watch_life(first)
    before = clock.process()
    assert clock.process() == before != clock.pid()
    second.touch()
    other = os.open(second, os.O_RDONLY)
    os.dup2(other, clock._life)
    assert clock.process() != before
    os.close(other)
    os.close(clock._life)
