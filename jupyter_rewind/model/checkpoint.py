"""A checkpoint: an immutable state of one notebook, and what is told about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jupyter_rewind.model.ids import CheckpointId, Digest, HistoryId

#: Where stock Jupyter keeps its one checkpoint of a file, beside it.
STOCK_FOLDER = ".ipynb_checkpoints"


class Reason(StrEnum):
    """Why a checkpoint was made."""

    SAVE = "save"
    AUTOSAVE = "autosave"
    MANUAL = "manual"
    BEFORE_RESTORE = "before-restore"
    BEFORE_DELETE = "before-delete"
    EXTERNAL_CHANGE = "external-change"
    RESTORE = "restore"
    IMPORTED = "imported"

    @property
    def weight(self) -> int:
        """How much a person meant it: a stronger reason for the same content is marked on it."""
        return _WEIGHT[self]

    @property
    def is_deliberate(self) -> bool:
        """True when a person asked for something just then; a timer or a program did not."""
        return self in _DELIBERATE

    def says_more_than(self, other: Reason) -> bool:
        """True when it is marked on a checkpoint of the same content made for `other`.

        A restore that changed nothing made no state, and what is found on the disk as it was kept
        did not change outside: how it came to be stays told."""
        tells_nothing = self in (Reason.RESTORE, Reason.EXTERNAL_CHANGE, Reason.BEFORE_DELETE)
        return not tells_nothing and self.weight > other.weight


_WEIGHT = {
    Reason.AUTOSAVE: 0,
    Reason.EXTERNAL_CHANGE: 1,
    Reason.IMPORTED: 1,
    Reason.SAVE: 1,
    Reason.BEFORE_RESTORE: 1,
    Reason.BEFORE_DELETE: 1,
    Reason.RESTORE: 2,
    Reason.MANUAL: 3,
}

_DELIBERATE = {Reason.MANUAL, Reason.RESTORE, Reason.BEFORE_RESTORE, Reason.BEFORE_DELETE}


@dataclass(frozen=True, slots=True)
class Counts:
    """How many cells there are, and how many differ from the checkpoint before."""

    cells: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0

    @property
    def is_change(self) -> bool:
        return bool(self.added or self.changed or self.removed)


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What stays the same when a file is renamed on its file system.

    `born_ns` is when the file was made and `mode` its permission bits, where they are known: file
    systems give freed inodes to new files at once, and what comes back has its permissions again.
    `disk` names the file system, empty where nobody knows: device numbers are given anew.
    """

    device: int
    inode: int
    born_ns: int | None = None
    mode: int | None = None
    disk: str = ""

    @property
    def key(self) -> str:
        return f"ino:{self.device:x}:{self.inode:x}"

    def can_be(self, other: FileIdentity) -> bool:
        """False where `other` is another file for sure."""
        return self.key == other.key and (
            None in (self.born_ns, other.born_ns) or self.born_ns == other.born_ns
        )

    def surely_is(self, other: FileIdentity) -> bool:
        """True where both are the same file, not two that had one inode in turn."""
        return self.can_be(other) and self.born_ns is not None and other.born_ns is not None

    def tells_more_than(self, known: FileIdentity | None) -> bool:
        """True where something of this is not told by what is known."""
        return (
            known is None
            or not self.can_be(known)
            or (self.born_ns is not None and known.born_ns is None)
            or (self.mode is not None and self.mode != known.mode)
            or (bool(self.disk) and self.disk != known.disk)
        )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One state of one notebook.

    `time_ns` is when the state was kept, in nanoseconds UTC; `size_bytes` and `raw` (blake3) are
    those of the very file; `content` names what the notebook says, volatile metadata aside;
    `kind` is "notebook", or "file" for what cannot be read as one; `readable` is False where the
    store knows that content of it is lost.
    """

    id: CheckpointId
    history: HistoryId
    path: str
    time_ns: int
    order: int
    reason: Reason
    author: str
    host: str
    counts: Counts
    size_bytes: int
    kind: str
    content: bytes
    raw: Digest
    manifest: Digest
    nbformat: tuple[int, int] | None = None
    labels: tuple[str, ...] = ()
    pinned: bool = False
    parent: CheckpointId | None = None
    note: str = ""
    readable: bool = True

    @property
    def is_kept_by_hand(self) -> bool:
        """True when a person said that this one stays."""
        return self.pinned or bool(self.labels)


@dataclass(frozen=True, slots=True)
class HistoryInfo:
    """One notebook's history at a glance."""

    id: HistoryId
    path: str
    deleted: bool
    came_from: str
    checkpoints: int
    first_ns: int
    last_ns: int
    head: Checkpoint | None = None
    disk_is_away: bool = False
    """Whether it lay on another disk than the one in its place now; told of those whose file is
    gone."""
