"""A snapshot: the state of one kernel after one execution, and what is told about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jupyter_rewind.model.ids import Digest, ExecutionId, RunId, SnapshotId

PRESENT, ASKED, MOVED = "present-", "asked-", "moved-"
"""How the names of executions begin that are none: what is kept before a move, on request, and
after a move that no cell follows."""


class Fidelity(StrEnum):
    """How faithfully a value is kept; the later, the less of it comes back."""

    EXACT = "exact"
    REBUILT = "rebuilt"
    REFERENCE = "by reference"
    MISSING = "missing"

    @property
    def loss(self) -> int:
        """Grows with what is lost; the largest of its parts is that of the whole."""
        return tuple(Fidelity).index(self)


@dataclass(frozen=True, slots=True)
class VariableReport:
    """What a snapshot says of one variable.

    `reason` is empty where the value is exact; `changed` is against the snapshot before;
    `size_bytes` is what its pod takes before compression, with all that shares it. After a move,
    `left_alive` is where something of it that was not kept is alive, and stays what it is now.
    """

    name: str
    type_name: str
    size_bytes: int
    fidelity: Fidelity
    reason: str = ""
    changed: bool = False
    preview: str = ""
    left_alive: bool = False


@dataclass(frozen=True, slots=True)
class FidelityCounts:
    """How many variables are kept how."""

    exact: int = 0
    rebuilt: int = 0
    reference: int = 0
    missing: int = 0

    @property
    def variables(self) -> int:
        return self.exact + self.rebuilt + self.reference + self.missing


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of one kernel after one execution.

    `state` names the node that holds it; `merged` are executions since the snapshot before whose
    own state was not kept; `new_bytes` is what this one added to the store; `python` is the
    version that wrote it; `trusted` is False where its tag was not made with this store's key;
    `excluded` are variables that the user had left out of it.
    """

    id: SnapshotId
    run: RunId
    execution: ExecutionId
    count: int
    path: str
    time_ns: int
    order: int
    state: Digest
    counts: FidelityCounts
    parent: SnapshotId | None = None
    merged: tuple[ExecutionId, ...] = ()
    new_bytes: int = 0
    python: str = ""
    labels: tuple[str, ...] = ()
    pinned: bool = False
    trusted: bool = True
    excluded: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """`In[7]`; for what was kept after no cell, why it was."""
        if self.count:
            return f"In[{self.count}]"
        if self.execution.startswith(ASKED):
            return "on request"
        return "after a move" if self.execution.startswith(MOVED) else "before a move"

    @property
    def is_untouched(self) -> bool:
        """True for what was there before a move and is nobody's work: no variable, or what a run
        had before its first cell."""
        is_first = self.parent is None and not self.merged
        return self.execution.startswith(PRESENT) and (is_first or not self.counts.variables)


class How(StrEnum):
    """What became of a variable between two states."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class VariableChange:
    """How one variable differs between two states; sizes and previews are empty where it is not."""

    name: str
    how: How
    type_name: str
    before_bytes: int = 0
    after_bytes: int = 0
    before: str = ""
    after: str = ""
