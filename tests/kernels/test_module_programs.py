"""Random programs of cells over a notebook and two modules of the user's own, against a replay."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_rewind.kernels.capture import CaptureOptions
from jupyter_rewind.kernels.tracking import Tracker
from jupyter_rewind.model.snapshot import Snapshot
from tests.support.cells import Cells, set_aside_the_tests
from tests.support.likeness import assert_alike

OPTIONS = CaptureOptions(budget_share=None, max_module_bytes=64 << 20)
FIRST, SECOND = "first_of_programs", "second_of_programs"
TEXT = {
    SECOND: """
import numpy as np
kept, table, size, grid = [], {}, 0, np.zeros(300)
class Thing: pass
thing = Thing()
def put(value, into=kept): into.append(value)
""",
    FIRST: f"""
from {SECOND} import kept, table, Thing
rows, more, size, grid = [[1], [2]], {{}}, 0, None
thing = Thing()
def grow():
    global size
    size += 1
    rows.append([size])
def put(value): more[len(more)] = value
def swap(): rows[0], rows[-1] = rows[-1], rows[0]
""",
}
PRELUDE = f"import {FIRST} as one, {SECOND} as two\na, b = [], {{}}"
NAMES = ("one.rows", "one.more", "one.size", "one.grid", "one.thing", "one.kept", "two.kept",
         "two.table", "two.size", "two.grid", "two.thing", "a", "b")  # fmt: skip

_name = st.sampled_from(NAMES)
_module = st.sampled_from(("one", "two"))
_cell = st.one_of(
    st.builds("{} = {}".format, _name, _name),
    st.builds("{} = [{}, {}]".format, _name, _name, _name),
    st.builds("{} = {{'k': {}}}".format, _name, _name),
    st.builds("{} = {}".format, _name, st.integers(-3, 3)),
    st.builds("{}.append({})".format, _name, _name),
    st.builds("{}['x'] = {}".format, _name, _name),
    st.builds("{}.goods = {}".format, _name, _name),
    st.builds("{}.clear()".format, _name),
    st.builds("{}.new = {}".format, _module, _name),
    st.builds("del {}".format, _name),
    st.builds("{}.put({})".format, _module, _name),
    st.builds("[{0}][0].size = len({1})".format, _module, _name),
    st.builds("setattr({}, 'si' + 'ze', {})".format, _module, _name),
    st.builds("vars({})['gr' + 'id'] = {}".format, _module, _name),
    st.just("one.grow()"),
    st.just("one.swap()"),
    st.just("two.grid[7] += 1"),
    st.just("a = two.grid[2:]"),
    st.just("def hook(): return a\none.put(hook)"),
    st.just("grow = one.grow; grow()"),
    st.just("unrelated = 1"),
)
_step = st.one_of(_cell, _cell, _cell, _cell, st.integers(0, 30), st.just("new kernel"))


def forget() -> dict[str, types.ModuleType]:
    """The modules are loaded anew when they are imported the next time."""
    return {name: sys.modules.pop(name) for name in TEXT if name in sys.modules}


def run_cell(source: str, namespace: dict[str, Any]) -> None:
    with contextlib.suppress(NameError, TypeError, ValueError, AttributeError, LookupError):
        exec(compile(source, "<cell>", "exec", dont_inherit=True), namespace)


def read(namespace: dict[str, Any]) -> dict[str, Any]:
    """The variables of the notebook and of both modules."""
    found = {name: value for name, value in namespace.items() if not name.startswith("__")}
    for name in TEXT:
        for place, value in vars(sys.modules[name]).items():
            if not place.startswith("__") and not isinstance(value, type | types.ModuleType):
                found[f"{name}.{place}"] = value
    return {name: value for name, value in found.items() if not is_code(value)}


def is_code(value: Any) -> bool:
    return isinstance(value, types.FunctionType | types.ModuleType)


@contextlib.contextmanager
def replayed(cells: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """What a process has in which just these cells ran."""
    own = forget()
    try:
        namespace: dict[str, Any] = {"__name__": "__main__"}
        for cell in cells:
            run_cell(cell, namespace)
        yield read(namespace)
    finally:
        sys.modules.update(own)


class Machine:
    """A kernel and its states; each state's own cells say what it must be."""

    def __init__(self, folder: Path, *, monitor: bool) -> None:
        self.folder, self.monitor = folder, monitor
        self.states: list[tuple[Snapshot, tuple[str, ...]]] = []
        self.runs = 0
        self.start()
        self.step(PRELUDE)

    def start(self) -> None:
        forget()
        self.runs += 1
        self.cells: tuple[str, ...] = ()
        self.tracker = Tracker(monitor=self.monitor)
        self.kernel = Cells(
            self.folder, options=OPTIONS, run=f"run {self.runs}", tracker=self.tracker
        )

    def step(self, cell: str) -> None:
        capturer, namespace = self.kernel.capturer, self.kernel.namespace
        capturer.begin(cell)
        run_cell(cell, namespace)
        self.cells += (cell,)
        self.states.append((self.kernel.run("pass"), self.cells))

    def go(self, number: int) -> None:
        snapshot, cells = self.states[number % len(self.states)]
        self.kernel.go(snapshot)
        self.cells = cells
        found = read(self.kernel.namespace)
        for name in ("_oh", "_ih"):
            found.pop(name)
        with replayed(cells) as wanted:
            assert_alike(found, wanted)

    def close(self) -> None:
        self.tracker.close()
        self.kernel.close()


@pytest.mark.timeout(1800)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_step, min_size=3, max_size=20), st.booleans())
def test_modules_come_back_as_running_the_cells_again_makes_them(
    steps: list[Any], monitor: bool
) -> None:
    """Whatever cells did to my modules and my notebook, together or apart, each state comes back:
    values, and what is shared with what, in the same kernel and in a new one."""
    set_aside_the_tests()
    with tempfile.TemporaryDirectory() as name:
        for module, text in TEXT.items():
            (Path(name) / f"{module}.py").write_text(text)
        sys.path.insert(0, name)
        machine = Machine(Path(name), monitor=monitor)
        try:
            for step in steps:
                if isinstance(step, int):
                    machine.go(step)
                elif step == "new kernel":
                    machine.close()
                    machine.start()
                    machine.go(len(machine.states) // 2)
                else:
                    machine.step(step)
            machine.go(len(steps) // 3)
            machine.close()
            machine.start()
            machine.go(len(machine.states) - 1)
        finally:
            machine.close()
            sys.path.remove(name)
            forget()


@pytest.mark.programs
@pytest.mark.timeout(0)
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_step, min_size=3, max_size=20), st.booleans())
def test_modules_of_many_programs_come_back(steps: list[Any], monitor: bool) -> None:
    """The same for a hundred and twenty programs."""
    test_modules_come_back_as_running_the_cells_again_makes_them.hypothesis.inner_test(
        steps, monitor
    )
