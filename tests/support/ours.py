"""The engine as a tool of the examiner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_rewind.kernels.capture import CaptureOptions, Capturer
from jupyter_rewind.kernels.environment import Environment
from jupyter_rewind.kernels.records import SNAPSHOT, decode_snapshot
from jupyter_rewind.kernels.restore import prepare
from jupyter_rewind.kernels.tracking import Tracker
from jupyter_rewind.model.ids import ExecutionId, RunId
from jupyter_rewind.model.snapshot import Fidelity, Snapshot, VariableReport
from jupyter_rewind.store.keep import KernelStore
from tests.support.stores import QuickFiles


def _is_of_library(one: VariableReport) -> bool:
    return one.type_name == "module" and "its own variables" not in one.reason


def execute(source: str, namespace: dict[str, Any]) -> None:
    """Runs a cell as one that this file's own future imports do not touch."""
    exec(compile(source, "<cell>", "exec", dont_inherit=True), namespace)


class Rewind:
    """Keeps the state after every cell, with everything a kernel has switched on."""

    def __init__(self, namespace: dict[str, Any], folder: Path) -> None:
        self.namespace = namespace
        self.store = KernelStore.open(
            folder / "store", key_folder=folder / "keys", files=QuickFiles()
        )
        self.capturer = Capturer(
            namespace,
            self.store,
            run=RunId("run"),
            options=CaptureOptions(budget_share=None, max_module_bytes=256 << 20),
            tracker=Tracker(),
            environment=Environment(),
        )
        self.execute = execute
        self._count = 0
        self._kept: Snapshot | None = None
        self.last: Snapshot | None = None

    def run(self, source: str) -> None:
        self._count += 1
        self.capturer.begin(source)
        self.execute(source, self.namespace)
        captured = self.capturer.capture(ExecutionId(str(self._count)), count=self._count)
        self.last = captured.snapshot
        assert self.last is not None, captured.skipped_because

    def keep(self) -> None:
        self._kept = self.last
        self.capturer.flush()

    def back(self, names: list[str] | None) -> str:
        self.store.refresh()
        snapshot = self._kept or self.newest()
        prepared = prepare(self.store, snapshot, self.namespace, self.capturer)
        prepared.swap()
        return "; ".join(
            f"{one.name}: {one.reason or one.fidelity}"
            for one in prepared.report
            if one.fidelity is not Fidelity.EXACT and not _is_of_library(one)
        )

    def newest(self) -> Snapshot:
        found = [
            decode_snapshot(entry, self.store.layout, ())
            for entry in self.store.entries()
            if entry.kind == SNAPSHOT
        ]
        return max(found, key=lambda one: one.order)

    def close(self) -> None:
        self.capturer.close()
        self.store.close()
