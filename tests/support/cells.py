"""A kernel without IPython: a namespace, cells run in it, and its states."""

from __future__ import annotations

import gc
import itertools
from pathlib import Path
from typing import Any

from jupyter_rewind import clock
from jupyter_rewind.kernels.capture import CaptureOptions, Capturer
from jupyter_rewind.kernels.captured import Captured
from jupyter_rewind.kernels.restore import Prepared, prepare
from jupyter_rewind.model.ids import ExecutionId, RunId
from jupyter_rewind.model.snapshot import Snapshot
from jupyter_rewind.store.keep import KernelStore
from tests.support.stores import QuickFiles

_programs = itertools.count()


def set_aside_the_tests() -> None:
    """What tests have loaded is no kernel's: looking for who refers to a value need not pass by it,
    which takes long where many tests ran before. To be called before each program."""
    if next(_programs) % 25 == 0:
        gc.collect()
        gc.freeze()


FREELY = CaptureOptions(budget_share=None)


class TickingClock(clock.FakeClock):
    """A millisecond passes each time somebody looks: what takes long does so on any machine."""

    def __init__(self, seconds: float = 0.001) -> None:
        super().__init__()
        self._seconds = seconds

    def monotonic(self) -> float:
        self.advance(self._seconds)
        return super().monotonic()


class Cells:
    """Runs cells and keeps the state after each, as a kernel does."""

    def __init__(
        self, folder: Path, *, options: CaptureOptions = FREELY, run: str = "run", **more: Any
    ) -> None:
        self.store = KernelStore.open(
            folder / "store", key_folder=folder / "keys", files=QuickFiles()
        )
        self.namespace: dict[str, Any] = {"__name__": "__main__", "_oh": {}, "_ih": [""]}
        self.capturer = Capturer(
            self.namespace, self.store, run=RunId(run), options=options, **more
        )
        self._count = 0

    def run(self, source: str) -> Snapshot:
        """The state after a cell of this source."""
        snapshot = self.try_run(source).snapshot
        assert snapshot is not None
        return snapshot

    def try_run(self, source: str, seconds: float = 0.0) -> Captured:
        self._count += 1
        self.capturer.begin(source)
        code = compile(source, f"<cell {self._count}>", "exec", dont_inherit=True)
        exec(code, self.namespace)
        del code
        execution = ExecutionId(f"execution-{self._count}")
        return self.capturer.capture(execution, count=self._count, seconds=seconds)

    def prepare(self, snapshot: Snapshot, **more: Any) -> Prepared:
        self.store.refresh()
        return prepare(self.store, snapshot, self.namespace, self.capturer, **more)

    def go(self, snapshot: Snapshot) -> None:
        self.prepare(snapshot).swap()

    def check(self, expression: str) -> None:
        """The expression holds in the namespace."""
        assert eval(expression, self.namespace), expression

    def close(self) -> None:
        self.capturer.close()
        self.store.close()
