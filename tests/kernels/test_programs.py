"""Random programs of cells, with restores to any earlier state, against a replay of the cells."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_rewind.kernels.capture import CaptureOptions, Capturer
from jupyter_rewind.kernels.restore import prepare
from jupyter_rewind.kernels.tracking import Tracker
from jupyter_rewind.model.ids import ExecutionId, RunId
from jupyter_rewind.model.snapshot import Snapshot
from jupyter_rewind.store.keep import KernelStore
from tests.support.cells import set_aside_the_tests
from tests.support.likeness import assert_alike
from tests.support.stores import QuickFiles

NAMES = ("a", "b", "c", "d", "e")
PRELUDE = """
import numpy as np
class Thing:
    shared = []
    def __init__(self, mark): self.mark, self.held = mark, []
    def get(self): return self.held
def put(target, value):
    if isinstance(target, list): target.append(value)
    elif isinstance(target, dict): target[len(target)] = value
    elif isinstance(target, Thing): target.held.append(value)
    elif isinstance(target, np.ndarray) and target.size and target.dtype.kind == 'f':
        target[target.size // 2] += 1
    elif isinstance(target, np.ndarray) and target.size: target[0] = value
    elif isinstance(target, bytearray): target.extend(b'x')
    elif callable(target) and hasattr(target, 'hold'): target.hold.append(value)
def keep(value):
    count = 0
    def look():
        nonlocal count
        count += 1
        return value
    def last(): return count, value
    return look, last
def held_by(value, also=[]):
    def get(more=value): return more, also
    get.hold = also
    return get
a, b, c, d, e = [], {}, Thing('e'), np.arange(9.), 'text'
"""

_name = st.sampled_from(NAMES)
_cell = st.one_of(
    st.builds("{} = []".format, _name),
    st.builds("{} = {{}}".format, _name),
    st.builds("{} = {{1, 'x', (2, 3)}}".format, _name),
    st.builds("{} = {}".format, _name, st.integers(-5, 5)),
    st.builds("{} = 'text' * {}".format, _name, st.integers(0, 90)),
    st.builds("{} = bytearray(b'abc' * {})".format, _name, st.integers(0, 900)),
    st.builds("{} = {}".format, _name, _name),
    st.builds("{} = [{}, {}]".format, _name, _name, _name),
    st.builds("{} = ({}, {})".format, _name, _name, _name),
    st.builds("{} = {{'k': {}, 'l': {}}}".format, _name, _name, _name),
    st.builds("{} = Thing({!r})".format, _name, st.text("xyz", max_size=2)),
    st.builds("put({}, {})".format, _name, _name),
    st.builds("put({}, {})".format, _name, _name),
    st.builds("put({}, {})".format, _name, _name),
    st.builds("put({}, {})".format, _name, st.integers()),
    st.builds("{} = np.arange({}.)".format, _name, st.integers(0, 3000)),
    st.builds("{} = np.array([{}, None], dtype=object)".format, _name, _name),
    st.builds("{0} = {1}[1:] if isinstance({1}, np.ndarray) else {1}".format, _name, _name),
    st.builds("{0} = {1}.T if isinstance({1}, np.ndarray) else [{1}]".format, _name, _name),
    st.builds("{}, {} = keep({})".format, _name, _name, _name),
    st.builds("{0} = {0}() if callable({0}) and hasattr({0}, '__closure__') else 0".format, _name),
    st.builds("{} = held_by({})".format, _name, _name),
    st.builds("{0} = {1}.get if isinstance({1}, Thing) else {1}".format, _name, _name),
    st.builds("Thing.shared.append({})".format, _name),
    st.builds("Thing.get = lambda self: {}".format, st.integers(0, 3)),
    st.builds("del {}".format, _name),
    st.builds("{0} = iter({1}) if type({1}) is list else {1}".format, _name, _name),
    st.just("class Thing(Thing): extra = [1]"),
    st.builds("{} = {{Thing('k'): {}}}".format, _name, _name),
    st.builds("1 / 0; {} = 0".format, _name),
)  # fmt: skip
_step = st.one_of(_cell, _cell, _cell, _cell, st.integers(0, 50), st.just("fresh"))


def run_cell(source: str, namespace: dict[str, Any]) -> None:
    with contextlib.suppress(NameError, ZeroDivisionError, TypeError, ValueError):
        exec(compile(source, "<cell>", "exec"), namespace)


def replay(cells: tuple[str, ...]) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells:
        run_cell(cell, namespace)
    return namespace


class Machine:
    """A kernel and its states; each state's own cells say what it must be."""

    def __init__(self, folder: Path, *, tracked: bool = False) -> None:
        self.store = KernelStore.open(
            folder / "store", key_folder=folder / "keys", files=QuickFiles()
        )
        self.tracker = Tracker() if tracked else None
        self.states: list[tuple[Snapshot, tuple[str, ...]]] = []
        self.cells: tuple[str, ...] = ()
        self.start()
        self.step(PRELUDE)

    def start(self) -> None:
        self.namespace: dict[str, Any] = {"__name__": "__main__"}
        options = CaptureOptions(budget_share=None)
        self.capturer = Capturer(
            self.namespace, self.store, run=RunId("run"), options=options, tracker=self.tracker
        )

    def step(self, cell: str) -> None:
        self.capturer.begin(cell)
        run_cell(cell, self.namespace)
        self.cells += (cell,)
        captured = self.capturer.capture(ExecutionId(str(len(self.states))))
        assert captured.snapshot is not None
        self.states.append((captured.snapshot, self.cells))

    def close(self) -> None:
        self.capturer.close()
        self.store.close()
        if self.tracker is not None:
            self.tracker.close()

    def go(self, number: int, *, fresh: bool) -> None:
        snapshot, cells = self.states[number % len(self.states)]
        if fresh:
            self.capturer.close()
            self.start()
        self.store.refresh()
        prepared = prepare(self.store, snapshot, self.namespace, self.capturer)
        prepared.swap()
        self.cells = cells
        assert_alike(self.namespace, replay(cells))


@pytest.mark.timeout(1800)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_step, min_size=4, max_size=25), st.booleans())
def test_every_state_comes_back_as_its_cells_made_it(steps: list[Any], tracked: bool) -> None:
    """Whatever the cells did, going back gives what running them again would give: values, and
    what is shared with what. Also where only what a cell can have touched is looked at."""
    set_aside_the_tests()
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder), tracked=tracked)
        try:
            for step in steps:
                if isinstance(step, int):
                    machine.go(step, fresh=False)
                elif step == "fresh":
                    machine.go(len(machine.states) // 2, fresh=True)
                else:
                    machine.step(step)
            machine.go(len(steps) // 3, fresh=False)
            machine.go(len(machine.states) - 1, fresh=True)
        finally:
            machine.close()


@pytest.mark.programs
@pytest.mark.timeout(0)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_step, min_size=4, max_size=25), st.booleans())
def test_every_state_of_many_programs_comes_back(steps: list[Any], tracked: bool) -> None:
    """The same for three hundred programs."""
    test_every_state_comes_back_as_its_cells_made_it.hypothesis.inner_test(steps, tracked)  # type: ignore[attr-defined]


@pytest.mark.long
@pytest.mark.timeout(0)
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_step, min_size=4, max_size=60), st.booleans())
def test_every_state_of_long_programs_comes_back(steps: list[Any], tracked: bool) -> None:
    """The same for ten thousand longer programs."""
    test_every_state_comes_back_as_its_cells_made_it.hypothesis.inner_test(steps, tracked)  # type: ignore[attr-defined]
