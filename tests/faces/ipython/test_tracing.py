"""Tracers and profilers of the user's see the user's code, whatever they are made of."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jupyter_rewind.faces.ipython.guard import Untraced
from jupyter_rewind.kernels.threads import make_thread


class Tracer:
    """One that is an object, and no function."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def __call__(self, frame: Any, event: str, argument: Any) -> Any:
        self.seen.add(frame.f_code.co_name)
        return self


def ours() -> None:
    """What is not to be seen."""


def theirs() -> None:
    """What is."""


@pytest.fixture(autouse=True)
def undone() -> Iterator[None]:
    """Whatever traces the tests goes on."""
    before = sys.gettrace(), sys.getprofile(), threading.gettrace(), threading.getprofile()
    yield
    sys.settrace(before[0])
    sys.setprofile(before[1])
    threading.settrace(before[2])
    threading.setprofile(before[3])


@pytest.mark.parametrize("name", ["settrace", "setprofile"])
def test_a_tracer_that_is_an_object_sees_nothing_of_ours(name: str) -> None:
    """And goes on behind it."""
    tracer = Tracer()
    set_, get = getattr(sys, name), getattr(sys, name.replace("set", "get"))
    set_(tracer)
    with Untraced():
        ours()
    theirs()
    still = get()
    set_(None)
    assert still is tracer
    assert "theirs" in tracer.seen and "ours" not in tracer.seen


@pytest.mark.parametrize("set_", [threading.settrace, threading.setprofile])
def test_a_tracer_of_new_threads_does_not_follow_into_ours(set_: Callable[[Any], None]) -> None:
    """Not for one step; those of the user are traced."""
    tracer = Tracer()
    set_(tracer)
    threads = [make_thread(ours, "ours"), threading.Thread(target=theirs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "theirs" in tracer.seen and "ours" not in tracer.seen


def test_a_fault_in_a_thread_of_ours_is_told_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the hook that everybody's threads have."""
    told: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(str(args.exc_value)))

    def fail() -> None:
        raise ValueError("lost")

    thread = make_thread(fail, "ours")
    thread.start()
    thread.join()
    assert told == ["lost"]
