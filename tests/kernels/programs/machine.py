"""Runs a random program in a kernel that keeps its states, and beside it in one that keeps none.

The second one knows no restore: where the first goes back, it begins anew and runs the cells again
that led there. After every step both are written down, and must read the same.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_rewind.errors import NotFound, RestoreRefused
from jupyter_rewind.kernels.capture import CaptureOptions
from jupyter_rewind.kernels.timeline import Timeline
from jupyter_rewind.model.ids import ExecutionId, RunId
from jupyter_rewind.model.snapshot import Snapshot
from jupyter_rewind.store.keep import KernelStore
from tests.kernels.oracle.isomorphism import Text, describe, describe_but_classes, look
from tests.kernels.programs import surroundings
from tests.kernels.programs.grammar import START, Do
from tests.kernels.programs.outside import Outside
from tests.kernels.programs.shells import Shell
from tests.support.stores import QuickFiles

Cells = tuple[tuple[int, str], ...]
Tell = Callable[[dict[str, Any], dict[str, Any]], Text]
_SHELLS: list[Shell] = []


class Different(AssertionError):
    """The kernel is not what running its cells again makes."""


@dataclass(frozen=True)
class State:
    """A state of the kernel: the cells that lead to it, and how it reads."""

    cells: Cells
    text: Text
    snapshot: Snapshot | None = None
    run: int = 0
    met: dict[int, set[int]] = field(default_factory=dict)
    """By run, where the objects lay that a kernel had in this state."""


class Twin:
    """A kernel that only runs cells."""

    def __init__(self, shell: Shell, start: Any) -> None:
        self._shell = shell
        self._start = start
        self._cells: Cells | None = None
        self._around = start

    def run(self, cells: Cells) -> Text:
        """How it reads after these cells."""
        with surroundings.kept():
            if self._cells is None or cells[: len(self._cells)] != self._cells:
                self._shell.begin()
                self._cells, self._around = (), self._start
            surroundings.put(self._around)
            for count, source in cells[len(self._cells) :]:
                self._shell.run(count, source)
            self._cells = cells
            self._around = surroundings.look()
            return describe(self._shell.namespace) + surroundings.tell()

    def one(self, cells: Cells, name: str, tell: Tell = describe) -> Text | None:
        """How one variable reads after these cells; None where there is none."""
        self.run(cells)
        space = self._shell.namespace
        return tell(space, {name: space[name]}) if name in space else None


class Program:
    """The kernel, all its states, and what undo and redo would bring back."""

    def __init__(self, folder: Path) -> None:
        if not _SHELLS:
            _SHELLS.extend((Shell(), Shell()))
        _set_aside()
        self._folder = folder
        self._live = _SHELLS[0]
        self._live.begin()
        self._fresh = surroundings.look()
        self._twin = Twin(_SHELLS[1], self._fresh)
        self._states: list[State] = []
        self._undo: list[State] = []
        self._redo: list[State] = []
        self._count = self._run = 0
        self._cells: Cells = ()
        self._start()
        self.step(Do("cell", START))

    def step(self, step: Do) -> None:
        """Raises Different."""
        if step.what in ("cell", "unseen"):
            self._run_cell(step.source, is_seen=step.what == "cell")
        elif step.what in ("to", "new kernel"):
            if step.what == "new kernel":
                self.close()
                self._live.begin()
                surroundings.put(self._fresh)
                self._start()
            self._go_to(self._states[step.number % len(self._states)])
        elif step.what == "aside":
            self._build_aside(self._states[step.number % len(self._states)])
        elif step.what == "get":
            self._get(self._states[step.number % len(self._states)], step.source)
        elif step.what == "undo":
            self._turn(self._timeline.undo, self._undo, self._redo)
        else:
            self._turn(self._timeline.redo, self._redo, self._undo)

    def close(self) -> None:
        self._timeline.close()
        self._source.close()

    def _start(self) -> None:
        self._run += 1
        store = KernelStore.open(
            self._folder / "store", key_folder=self._folder / "keys", files=QuickFiles()
        )
        self._timeline = Timeline(
            self._live.namespace,
            store,
            RunId(f"run {self._run}"),
            CaptureOptions(budget_share=None),
            self._live.results,
        )
        self._source = store
        self._undo, self._redo = [], []
        self._cells = ()
        self._now = State((), self._twin.run(()))
        self._outside = Outside(self._live.outside)

    def _run_cell(self, source: str, *, is_seen: bool) -> None:
        self._count += 1
        capturer = self._timeline.capturer
        capturer.enabled = is_seen
        capturer.begin(source)
        self._live.run(self._count, source)
        with self._live.current():
            captured = capturer.capture(ExecutionId(str(self._count)), count=self._count)
        capturer.enabled = True
        self._cells += ((self._count, source),)
        state = State(self._cells, self._twin.run(self._cells), captured.snapshot, self._run)
        self._compare(state, f"after [{self._count}]")
        self._outside.begin(state.met[self._run])
        self._now = state
        if is_seen:
            assert captured.snapshot is not None, captured.skipped_because
            self._states.append(state)

    def _go_to(self, state: State) -> None:
        assert state.snapshot is not None
        with self._live.current():
            self._timeline.go_to(state.snapshot, source=self._source_of(state))
        self._undo.append(self._now)
        self._redo.clear()
        self._arrive(state)

    def _source_of(self, state: State) -> KernelStore | None:
        if state.run == self._run:
            return None
        self._source.refresh()
        return self._source

    def _build_aside(self, state: State) -> None:
        """A state that is built, and not taken, changes nothing."""
        if state.run == self._run and state.snapshot is not None:
            with self._live.current():
                self._timeline.missing_at(state.snapshot)
            self._compare(self._now, f"beside what was after {len(state.cells)} cells")

    def _get(self, state: State, name: str) -> None:
        """One variable out of the state is what it was, and everything else what it is. Classes
        that are what they were are the living ones, and lead to what lives."""
        assert state.snapshot is not None
        source, value, found = self._source_of(state), None, None
        wanted = self._twin.one(state.cells, name)
        with self._live.current(), contextlib.suppress(NotFound):
            value = self._timeline.load(state.snapshot, name, source=source)
            found = describe(self._live.namespace, {name: value})
        if found != wanted and found is not None:
            wanted = self._twin.one(state.cells, name, describe_but_classes)
            with self._live.current():
                found = describe_but_classes(self._live.namespace, {name: value})
        if found != wanted:
            difference = _first_difference(found or [], wanted or [])
            raise Different(f"{name} after {len(state.cells)} cells: {difference}")
        self._compare(self._now, f"beside {name} of after {len(state.cells)} cells")

    def _turn(self, verb: Any, behind: list[State], ahead: list[State]) -> None:
        with self._live.current():
            try:
                verb()
            except RestoreRefused:
                assert not behind
                return
        state = behind.pop()
        ahead.append(self._now)
        self._arrive(state)

    def _arrive(self, state: State) -> None:
        self._cells = state.cells
        self._now = state
        where = f"back after {len(state.cells)} cells"
        before = set(state.met.get(self._run, ()))
        met = self._compare(state, where)
        wrong = self._outside.look(met, before)
        if wrong:
            raise Different(f"{where}: {wrong}")
        self._outside.begin(met)

    def _compare(self, state: State, where: str) -> set[int]:
        found, met = look(self._live.namespace)
        found += surroundings.tell()
        if found != state.text:
            raise Different(f"{where}: {_first_difference(found, state.text)}")
        state.met.setdefault(self._run, set()).update(met)
        return met


def follow(steps: Sequence[Do]) -> None:
    """Runs the program. Raises Different where the kernel is not as it must be."""
    before = os.getcwd()
    with (
        tempfile.TemporaryDirectory(dir=_quick_folder()) as folder,
        surroundings.kept(),
        _without_the_tests(),
    ):
        os.chdir(folder)
        surroundings.thin_out()
        program = Program(Path(folder))
        try:
            for step in steps:
                program.step(step)
            program.step(Do("to", "", len(steps) // 2))
            program.step(Do("new kernel", "", len(steps)))
        except BaseException as error:
            error.add_note(f"in the program {list(steps)}")
            raise
        finally:
            program.close()
            os.chdir(before)


_programs = itertools.count()


def _set_aside() -> None:
    """What tests have loaded is no kernel's: looking for the user's code need not pass by it."""
    if next(_programs) % 25 == 0:
        gc.collect()
        gc.freeze()


@contextlib.contextmanager
def _without_the_tests() -> Iterator[None]:
    """No test is a module of the user's own, which would be looked through after each cell."""
    hidden = {
        name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "tests"
    }
    try:
        yield
    finally:
        sys.modules.update(hidden)


def _quick_folder() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _first_difference(found: Text, wanted: Text) -> str:
    for mine, theirs in zip(found, wanted, strict=False):
        if mine != theirs:
            return f"\n{mine}\nand not\n{theirs}"[:4000]
    return f"{len(found)} lines and not {len(wanted)}"
