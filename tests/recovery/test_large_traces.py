"""A large notebook is read in place wherever it lies: its bytes are not held beside its cells."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from jupyter_rewind.recovery.evidence import Finder, Trace
from jupyter_rewind.recovery.filestate import LARGE_BYTES
from jupyter_rewind.recovery.traces.backups import BackupFinder
from jupyter_rewind.recovery.traces.checkpoints import CheckpointFinder
from jupyter_rewind.recovery.traces.present import PresentFinder
from jupyter_rewind.recovery.traces.scan import ScanFinder
from jupyter_rewind.recovery.traces.snapshots import SnapshotFinder
from jupyter_rewind.recovery.traces.trash import TrashFinder
from jupyter_rewind.recovery.traces.vscode import VSCodeFinder
from tests.support.traces import Home

PICTURES = 4
MOST = 1.6
"""Of the file's size: its outputs, and one of them twice while it is read."""


def large_book(path: Path) -> int:
    """A notebook of large pictures; its size."""
    picture = {"image/png": "A" * (LARGE_BYTES // PICTURES + 1)}
    shown = {"output_type": "display_data", "data": picture, "metadata": {}}
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "source": f"plot({number})",
            "metadata": {},
            "execution_count": number,
            "outputs": [shown],
        }
        for number in range(PICTURES)
    ]
    path.write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    return path.stat().st_size


@pytest.mark.parametrize(
    "finder",
    [
        BackupFinder(), CheckpointFinder(), PresentFinder(), ScanFinder(), SnapshotFinder(),
        TrashFinder(), VSCodeFinder(),
    ],
    ids=lambda finder: finder.kind,
)  # fmt: skip
def test_large_notebook_is_not_held_beside_its_cells(finder: Finder, tmp_path: Path) -> None:
    """In a checkpoint, the trash or a backup: what it takes to read it follows its cells alone."""
    home = Home(tmp_path / "home")
    path = home.work / "large.ipynb"
    size = large_book(path)
    trace = Trace(finder.kind, str(path), str(path))
    tracemalloc.start()
    try:
        [document] = finder.read(trace, home.scope("large.ipynb")).documents
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [each.source for each in document.cells] == [f"plot({n})" for n in range(PICTURES)]
    assert peak < MOST * size
