"""Checkpoints and histories in the two forms of an answer: JSON for programs, rows for people."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from jupyter_rewind.faces.cli import wording
from jupyter_rewind.faces.cli.answers import Column, Table
from jupyter_rewind.model.image import ProcessImage

if TYPE_CHECKING:
    from jupyter_rewind.model.checkpoint import Checkpoint, Counts
    from jupyter_rewind.model.entry import Json
    from jupyter_rewind.model.snapshot import Snapshot
    from jupyter_rewind.workspace import HistoryInfo

IMAGE_ROW = "process image"
CHECKPOINT_COLUMNS = (
    Column("id", "yellow"),
    Column("time", "cyan"),
    Column("reason"),
    Column("cells", right=True, gives_way=2),
    Column("changes", gives_way=1),
    Column("size", right=True, gives_way=3),
    Column("author", "dim", gives_way=4),
    Column("labels", "bold green", fold=True),
)
HISTORY_COLUMNS = (
    Column("notebook", fold=True),
    Column("checkpoints", right=True, gives_way=2),
    Column("last", "cyan", gives_way=1),
    Column("history", "yellow"),
)


def checkpoint_json(checkpoint: Checkpoint) -> dict[str, Json]:
    """All that is known about a checkpoint without reading its notebook."""
    counts = checkpoint.counts
    return {
        "id": checkpoint.id,
        "history": checkpoint.history,
        "path": checkpoint.path,
        "time": wording.utc_time(checkpoint.time_ns),
        "time_ns": checkpoint.time_ns,
        "reason": str(checkpoint.reason),
        "author": checkpoint.author,
        "host": checkpoint.host,
        "labels": list(checkpoint.labels),
        "pinned": checkpoint.pinned,
        "kind": checkpoint.kind,
        "nbformat": list(checkpoint.nbformat) if checkpoint.nbformat else None,
        "size_bytes": checkpoint.size_bytes,
        "cells": counts.cells,
        "cells_added": counts.added,
        "cells_changed": counts.changed,
        "cells_removed": counts.removed,
        "parent": checkpoint.parent,
        "note": checkpoint.note,
        "readable": checkpoint.readable,
    }


def changes_words(counts: Counts) -> str:
    """`+1 ~2 -3`: cells added, changed, removed; empty where nothing did."""
    parts = (("+", counts.added), ("~", counts.changed), ("-", counts.removed))
    return " ".join(f"{sign}{number}" for sign, number in parts if number)


def marks(checkpoint: Checkpoint) -> str:
    """Labels, whether it is pinned, and whether content of it is lost."""
    pinned = ["(pinned)"] if checkpoint.pinned else []
    return ", ".join([*checkpoint.labels, *pinned, *([] if checkpoint.readable else ["(lost)"])])


def state_json(snapshot: Snapshot | None) -> dict[str, Json]:
    """Which state of a kernel belongs to a checkpoint."""
    if snapshot is None:
        return {"snapshot": None}
    return {"snapshot": {"id": snapshot.id, "run": snapshot.run, "count": snapshot.count}}


def checkpoint_table(
    checkpoints: Sequence[Checkpoint],
    *,
    terminal: bool,
    empty: str,
    states: Mapping[str, Snapshot] | None = None,
    images: Sequence[ProcessImage] = (),
    newest_first: bool = True,
) -> Table:
    """One row a checkpoint, with the cell after which the kernel's `states` belongs to it, and one
    a process image, by its time. Ids are cut short on a terminal, where they still differ."""
    shown = [*_between(checkpoints, images, newest_first)]
    length = wording.short_length(each.id for each in shown) if terminal else None
    size = wording.size if terminal else str
    rows = [
        (
            each.id[:length],
            wording.local_time(each.time_ns),
            IMAGE_ROW,
            *("", "", size(each.size_bytes), ""),
            ", ".join(each.labels),
            *([""] if states else []),
        )
        if isinstance(each, ProcessImage)
        else (
            each.id[:length],
            wording.local_time(each.time_ns),
            str(each.reason),
            str(each.counts.cells) if each.kind == "notebook" else "",
            changes_words(each.counts),
            size(each.size_bytes),
            each.author,
            marks(each),
            *([_state(states.get(each.id))] if states else []),
        )
        for each in shown
    ]
    columns = (
        (*CHECKPOINT_COLUMNS, Column("variables", gives_way=2)) if states else CHECKPOINT_COLUMNS
    )
    return Table(columns, rows, empty=empty)


def _between(
    checkpoints: Sequence[Checkpoint], images: Sequence[ProcessImage], newest_first: bool
) -> Iterator[Checkpoint | ProcessImage]:
    left = deque(sorted(images, key=lambda each: each.time_ns, reverse=newest_first))
    for each in checkpoints:
        # Checkpoints keep their order, whatever the clock did.
        while left and (left[0].time_ns > each.time_ns) == newest_first:
            yield left.popleft()
        yield each
    yield from left


def _state(snapshot: Snapshot | None) -> str:
    if snapshot is None:
        return ""
    return f"after {snapshot.place}" if snapshot.count else snapshot.place


def history_json(info: HistoryInfo) -> dict[str, Json]:
    """All that is known about a history."""
    return {
        "id": info.id,
        "path": info.path,
        "deleted": info.deleted,
        "came_from": info.came_from or None,
        "checkpoints": info.checkpoints,
        "first": wording.utc_time(info.first_ns) if info.checkpoints else None,
        "last": wording.utc_time(info.last_ns) if info.checkpoints else None,
    }


def history_table(histories: Sequence[HistoryInfo], *, empty: str) -> Table:
    """One row a history."""
    rows = [
        (each.path, str(each.checkpoints), wording.local_time(each.last_ns), each.id)
        for each in histories
    ]
    return Table(HISTORY_COLUMNS, rows, empty=empty)


def when(checkpoint: Checkpoint) -> str:
    """How a sentence names a checkpoint: its id and its time."""
    return f"{checkpoint.id[: wording.SHORT_ID]} ({wording.local_time(checkpoint.time_ns)})"
