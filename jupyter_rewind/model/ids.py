"""Names of things, each a type of its own, so that one cannot be handed in for another."""

from __future__ import annotations

from typing import NewType

Digest = NewType("Digest", bytes)
"""32 bytes: blake3 of the raw content of a chunk."""

EntryId = NewType("EntryId", str)
"""16 lower-case hexadecimal digits, random."""

CheckpointId = NewType("CheckpointId", str)
"""The entry id of the checkpoint's entry."""

HistoryId = NewType("HistoryId", str)
WriterId = NewType("WriterId", str)
"""Names a segment, and the one writer that may append to it."""

StoreId = NewType("StoreId", str)

RunId = NewType("RunId", str)
"""Names one kernel process from start to end."""

ExecutionId = NewType("ExecutionId", str)
"""Names one run of one cell."""

SnapshotId = NewType("SnapshotId", str)
"""The entry id of the snapshot's entry."""

DraftId = NewType("DraftId", str)
"""32 lower-case hexadecimal digits, drawn by the browser that began the draft."""
