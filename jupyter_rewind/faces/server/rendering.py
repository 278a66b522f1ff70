"""Checkpoints and what belongs to them as JSON, the same in every answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from jupyter_rewind.model.checkpoint import Checkpoint, Counts, HistoryInfo

if TYPE_CHECKING:
    from jupyter_rewind.faces.server.paths import Paths
    from jupyter_rewind.workspace import NotebookSize


class Figures(Protocol):
    """What `Workspace.stats` tells."""

    @property
    def bytes(self) -> int: ...
    @property
    def absent_bytes(self) -> int: ...
    @property
    def entries(self) -> int: ...
    @property
    def raw_bytes(self) -> int: ...
    @property
    def stored_bytes(self) -> int: ...
    @property
    def kept_bytes(self) -> int: ...
    @property
    def sharing_ratio(self) -> float: ...
    @property
    def packing_ratio(self) -> float: ...


def moment(time_ns: int) -> datetime:
    """A time of the model in UTC."""
    return datetime.fromtimestamp(time_ns // 1000 / 1e6, UTC)


def moment_text(time_ns: int) -> str:
    """A time of the model as ISO 8601 text in UTC."""
    return moment(time_ns).isoformat().replace("+00:00", "Z")


def render_counts(counts: Counts) -> dict[str, int]:
    return {
        "cells": counts.cells,
        "added": counts.added,
        "changed": counts.changed,
        "removed": counts.removed,
    }


def render_checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    """The checkpoint in an answer of our own interface."""
    return {
        "id": checkpoint.id,
        "history": checkpoint.history,
        "time": moment_text(checkpoint.time_ns),
        "reason": str(checkpoint.reason),
        "author": checkpoint.author,
        "host": checkpoint.host,
        "labels": list(checkpoint.labels),
        "pinned": checkpoint.pinned,
        "counts": render_counts(checkpoint.counts),
        "size": checkpoint.size_bytes,
        "kind": checkpoint.kind,
        "parent": checkpoint.parent,
        "note": checkpoint.note,
        "readable": checkpoint.readable,
    }


def render_labelled(checkpoint: Checkpoint, moved_from: Checkpoint | None) -> dict[str, Any]:
    """The checkpoint, and which one lost the label that it was given."""
    return {**render_checkpoint(checkpoint), "moved_from": moved_from.id if moved_from else None}


def render_contents_checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    """The checkpoint as Jupyter's contents service shows it, with more than it must."""
    return {
        "id": checkpoint.id,
        "last_modified": moment(checkpoint.time_ns),
        "reason": str(checkpoint.reason),
        "label": checkpoint.labels[0] if checkpoint.labels else "",
        "labels": list(checkpoint.labels),
        "pinned": checkpoint.pinned,
        "author": checkpoint.author,
        "counts": render_counts(checkpoint.counts),
        "size": checkpoint.size_bytes,
        "kind": checkpoint.kind,
        "readable": checkpoint.readable,
    }


def render_history(info: HistoryInfo, paths: Paths) -> dict[str, Any]:
    """What is known of one history as a whole."""
    return {
        "history": info.id,
        "path": paths.api_path(info.path) or "",
        "deleted": info.deleted,
        "came_from": (paths.api_path(info.came_from) or "") if info.came_from else None,
        "count": info.checkpoints,
        "first": moment_text(info.first_ns) if info.first_ns else None,
        "last": moment_text(info.last_ns) if info.last_ns else None,
    }


def render_stats(stats: Figures) -> dict[str, Any]:
    """The figures of the store as a whole."""
    return {
        "bytes": stats.bytes,
        "absent_bytes": stats.absent_bytes,
        "entries": stats.entries,
        "raw_bytes": stats.raw_bytes,
        "stored_bytes": stats.stored_bytes,
        "kept_bytes": stats.kept_bytes,
        "sharing_ratio": round(stats.sharing_ratio, 4),
        "packing_ratio": round(stats.packing_ratio, 4),
    }


def render_size(size: NotebookSize, paths: Paths) -> dict[str, Any]:
    """What one history takes; its path is empty where this server does not show it."""
    return {
        "history": size.history,
        "path": paths.shown_path(size.path) or "",
        "deleted": size.deleted,
        "checkpoints": size.checkpoints,
        "saved_bytes": size.saved_bytes,
        "own_bytes": size.own_bytes,
        "shared_bytes": size.shared_bytes,
    }
