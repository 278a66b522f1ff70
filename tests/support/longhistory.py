"""A history of thousands of checkpoints, made in seconds: few contents, many entries.

As a program: python -m tests.support.longhistory STORE NOTEBOOK COUNT
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from jupyter_rewind import clock
from jupyter_rewind.model.checkpoint import Checkpoint, Counts, Reason
from jupyter_rewind.model.ids import CheckpointId
from jupyter_rewind.notebooks.entries import (
    CHECKPOINT,
    Facts,
    checkpoint_body,
    content_key,
    history_key,
)
from jupyter_rewind.settings import Rewind
from jupyter_rewind.workspace import Workspace

CONTENTS = 8
EVERY_NS = 7 * 60 * 1_000_000_000
BRANCH_EVERY = 25
"""Every so many checkpoints one goes back to an earlier one, so that there are lines to draw."""


def make_long_history(settings: Rewind, notebook: Path, count: int) -> None:
    """The notebook, which is written, has `count` checkpoints, one each seven minutes up to now."""
    file = str(notebook.resolve())
    with Workspace.open(settings) as workspace:
        times = [clock.now_ns() - (count - number) * EVERY_NS for number in range(count)]
        kept = [_keep(workspace, notebook, file, at, times[at]) for at in range(CONTENTS)]
        _fill(workspace, kept, times[CONTENTS:])


def _keep(workspace: Workspace, notebook: Path, file: str, number: int, time_ns: int) -> Checkpoint:
    book = new_notebook(
        cells=[new_code_cell(f"rows = {list(range(number + 1))}\nmean(rows)", id="call")],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
    )
    raw = (nbformat.writes(book) + "\n").encode()
    notebook.write_bytes(raw)
    recorded = workspace.histories.record(
        file, raw, reason=Reason.SAVE, author="me", time_ns=time_ns
    )
    return recorded.checkpoint


def _fill(workspace: Workspace, kept: Sequence[Checkpoint], times: Sequence[int]) -> None:
    made: list[str] = []
    with workspace.repository.transaction() as tx:
        for number, time_ns in enumerate(times):
            source = kept[number % len(kept)]
            back = number % BRANCH_EVERY == BRANCH_EVERY - 1
            parent = CheckpointId(made[number - 6]) if back else None
            facts = Facts(
                time_ns=time_ns,
                reason=Reason.RESTORE if back else Reason.AUTOSAVE,
                author="me",
                host=source.host,
                counts=Counts(1, 0, 1, 0),
                size_bytes=source.size_bytes,
                kind=source.kind,
                raw=source.raw,
                nbformat=source.nbformat,
                parent=parent,
                note="",
            )
            keys = [history_key(source.history), content_key(source.content)]
            body = checkpoint_body(facts)
            made.append(tx.add(CHECKPOINT, keys=keys, body=body, roots=[source.manifest]).id)


def main() -> None:
    store, notebook, count = sys.argv[1:]
    settings = Rewind(store_path=store, store_durability="process")
    make_long_history(settings, Path(notebook), int(count))


if __name__ == "__main__":
    main()
