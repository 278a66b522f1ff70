"""A process image: the whole process of one kernel at one moment, and what is told about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

ImageId = NewType("ImageId", str)

ASKED, AFTER_CELL, BEFORE_RESTORE = "asked", "after a cell", "before restore"
IDLE, IMPORTED = "idle", "imported"


@dataclass(frozen=True, slots=True)
class ProcessImage:
    """`size_bytes` is what it takes before compression, `new_bytes` what it added to the store;
    `pid` is the kernel's number in its own room of processes; `reason` says why it was made."""

    id: ImageId
    kernel: str
    name: str
    path: str
    time_ns: int
    order: int
    pid: int
    boot: str
    criu: str
    reason: str
    size_bytes: int
    new_bytes: int
    labels: tuple[str, ...] = ()
    pinned: bool = False
