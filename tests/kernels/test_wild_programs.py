"""Random programs over every kind of plain object, with branching restores, against a replay."""

from __future__ import annotations

import contextlib
import gc
import io
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_rewind.kernels.restore import prepare
from jupyter_rewind.model.snapshot import Snapshot
from tests.kernels.oracle.isomorphism import describe
from tests.support.kinds import PRELUDE
from tests.support.kinds_python import CODE, CONTAINERS, PLAIN
from tests.support.ours import Rewind

# Left out: what is deep or large (slow to write down), what says itself what is kept of it, and
# what the oracle cannot tell from another of its kind.
_LEFT_OUT = {
    *("regex match", "list 5 000 deep", "chain of objects 5 000 long", "20 000 dicts"),
    *("dict views", "set of the notebook's objects", "exception with cause and traceback"),
    *("list iterator half-way", "lru_cache", "singledispatch", "Enum and Flag", "code object"),
    *("abstract base class", "generic class and type alias", "zip and enumerate half-way"),
    *("index by id over a list of dicts", "exception group", "module made by hand"),
    *("StringIO at its place", "BytesIO at its place", "struct_time", "set and frozenset"),
    *("custom __getstate__", "mappingproxy over a live dict"),
    *("builtins and methods of built-in objects",),
}  # fmt: skip
KINDS = [one for one in (*PLAIN, *CONTAINERS, *CODE) if one.name not in _LEFT_OUT]
START = (
    PRELUDE
    + """
import numpy as np
def put(target, value):
    if isinstance(target, list): target.append(value)
    elif isinstance(target, dict): target[len(target)] = value
    elif isinstance(target, np.ndarray): target[:1] = 7
    elif isinstance(target, bytearray): target.append(1)
    elif isinstance(target, types.ModuleType | types.MethodType): pass
    elif hasattr(target, '__dict__'):
        target.extra = value
a, b, c = [], {}, np.arange(6.)
"""
)
_name = st.sampled_from("abcd")
_pair = st.tuples(_name, _name)
_cell = st.one_of(
    st.builds(lambda kind, name: f"{kind.make}\n{name} = value", st.sampled_from(KINDS), _name),
    st.builds(lambda kind: f"{kind.make}\n{kind.change}", st.sampled_from(KINDS)),
    st.builds(lambda p: f"put({p[0]}, {p[1]})", _pair),
    st.builds(lambda p: f"{p[0]} = [{p[1]}, {p[1]}]", _pair),
    st.builds(lambda p: f"{p[0]} = {p[1]}", _pair),
    st.builds(lambda p: f"put({p[0]}, {p[1]}); 1 / 0", _pair),
    st.builds(lambda p: f"{p[0]} = (lambda v: lambda: v)({p[1]})", _pair),
    st.builds(lambda p: f"def f(x={p[0]}): return {p[1]}", _pair),
    st.builds(lambda p: f"{p[0]} = np.arange(8.); {p[1]} = {p[0]}[2:6][::-1]", _pair),
    st.builds(lambda p: f"async def go(): put({p[0]}, {p[1]})\nasyncio.run(go())", _pair),
    st.builds(
        lambda p: (
            f"t = threading.Thread(target=put, args=({p[0]}, {p[1]})); t.start(); t.join()\ndel t"
        ),
        _pair,
    ),
    st.builds("del {}".format, _name),
    st.builds("globals().pop({!r}, None)".format, _name),
)
_steps = st.lists(
    st.one_of(_cell, _cell, _cell, st.integers(0, 30), st.just("fresh")), min_size=3, max_size=12
)


def run(source: str, namespace: dict[str, Any]) -> None:
    with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
        exec(compile(source, "<cell>", "exec", dont_inherit=True), namespace)


def replay(cells: tuple[str, ...]) -> list[tuple[Any, ...]]:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells:
        run(cell, namespace)
    return describe(namespace)


class Program:
    """A kernel, and what each of its states must be: the cells that led to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.states: list[tuple[Snapshot, tuple[str, ...]]] = []
        self.cells: tuple[str, ...] = ()
        self.start()
        self.step(START)

    def start(self) -> None:
        self.namespace: dict[str, Any] = {"__name__": "__main__"}
        self.tool = Rewind(self.namespace, self.folder)
        self.tool.execute = run

    def step(self, cell: str) -> None:
        self.tool.run(cell)
        self.cells += (cell,)
        assert self.tool.last is not None
        self.states.append((self.tool.last, self.cells))

    def go(self, number: int, *, fresh: bool) -> None:
        snapshot, cells = self.states[number % len(self.states)]
        if fresh:
            self.tool.close()
            self.start()
        self.tool.store.refresh()
        prepare(self.tool.store, snapshot, self.namespace, self.tool.capturer).swap()
        self.cells = cells
        assert describe(self.namespace) == replay(cells)


def follow(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        program = Program(Path(folder))
        try:
            for step in steps:
                if isinstance(step, int):
                    program.go(step, fresh=False)
                elif step == "fresh":
                    program.go(len(program.states) // 2, fresh=True)
                else:
                    program.step(step)
            program.go(len(steps) // 2, fresh=False)
            program.go(len(program.states) - 1, fresh=True)
        finally:
            program.tool.close()
            gc.collect(0)


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(_steps)
def test_programs_over_every_kind_come_back_as_a_replay_makes_them(steps: list[Any]) -> None:
    """Cells with errors, threads and coroutines; any state, in place or in a new kernel, has the
    values and the sharing that running its cells again gives."""
    follow(steps)


@pytest.mark.long
@pytest.mark.timeout(0)
@settings(max_examples=100_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(_steps)
def test_a_hundred_thousand_programs_come_back(steps: list[Any]) -> None:
    """The same for a hundred thousand programs."""
    follow(steps)
