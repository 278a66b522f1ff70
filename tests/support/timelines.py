"""A kernel without IPython that can go back: a timeline, and cells run in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_rewind.kernels.capture import CaptureOptions
from jupyter_rewind.kernels.timeline import Timeline
from jupyter_rewind.model.ids import ExecutionId, RunId
from jupyter_rewind.model.snapshot import Snapshot
from jupyter_rewind.store.keep import KernelStore
from tests.support.stores import QuickFiles


@contextmanager
def opened_timeline(folder: Path) -> Iterator[Timeline]:
    """One in a store of its own in `folder`."""
    store = KernelStore.open(folder / "store", key_folder=folder / "keys", files=QuickFiles())
    namespace: dict[str, Any] = {"__name__": "__main__", "_oh": {}, "_ih": [""]}
    made = Timeline(namespace, store, RunId("run"), CaptureOptions(budget_share=None))
    yield made
    made.close()
    store.close()


def run_in(timeline: Timeline, source: str) -> Snapshot:
    """The state after a cell of this source, which is its name as well."""
    timeline.capturer.begin(source)
    exec(compile(source, "<cell>", "exec"), timeline.namespace)
    snapshot = timeline.capturer.capture(ExecutionId(source)).snapshot
    assert snapshot is not None
    return snapshot
