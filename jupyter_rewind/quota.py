"""A store that keeps within what it may take: the oldest expire first, and never without a warning.

What counts are the segments' bytes on the disk, without the room that writers hold ready. From
nine tenths of `store.quota` on it is told; beyond the quota, once that has been told for an hour,
the oldest of what may go expires: as much as brings the store to eight tenths. Never the newest of
a notebook, of its last run or of a kernel that is there, and nothing with a label or a pin. Where
all of that does not fit, it stays, and that is told.

What the next collect frees is reckoned as if all writers had ended: what is held open by a kernel
that lives takes nothing else with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from jupyter_core.paths import jupyter_runtime_dir

from jupyter_rewind import clock
from jupyter_rewind.kernels.images.ageing import expire_images, list_expendable_images
from jupyter_rewind.kernels.records import SNAPSHOT
from jupyter_rewind.kernels.retention import choose_now, expire_expendable_snapshots
from jupyter_rewind.model.checkpoint import Checkpoint
from jupyter_rewind.model.ids import CheckpointId, EntryId, SnapshotId
from jupyter_rewind.model.image import ImageId
from jupyter_rewind.notebooks.expiry import expire_expendable, list_expendable
from jupyter_rewind.settings import parse_size
from jupyter_rewind.store.durable import Files, read_text_or_empty
from jupyter_rewind.store.locks import FileLock
from jupyter_rewind.store.plan import used_bytes
from jupyter_rewind.store.spare import in_spare_room
from jupyter_rewind.store.upkeep import estimate_freed
from jupyter_rewind.workspace import Workspace

_NEAR, _GOAL = 0.9, 0.8
_WARNED_NS = 3_600_000_000_000
_NOTE = "quota-warned"
Estimate = Callable[[Sequence[EntryId]], int]


class Room(StrEnum):
    """How a store stands to its quota."""

    WITHIN = "within"
    NEAR = "near"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the store may take and takes."""

    limit_bytes: int
    used_bytes: int

    @property
    def room(self) -> Room:
        if self.used_bytes > self.limit_bytes:
            return Room.OVER
        return Room.NEAR if self.used_bytes >= _NEAR * self.limit_bytes else Room.WITHIN

    @property
    def excess_bytes(self) -> int:
        """What has to go where it is over; 0 where it is not."""
        goal = int(_GOAL * self.limit_bytes)
        return self.used_bytes - goal if self.room is Room.OVER else 0


@dataclass(frozen=True, slots=True)
class Shortening:
    """What expires to keep the quota, oldest first, and what is then freed, as reckoned.

    `is_enough` is False where all that may go is too little."""

    names: tuple[EntryId, ...] = ()
    freed_bytes: int = 0
    is_enough: bool = True


@dataclass(frozen=True, slots=True)
class Kept:
    """One look at the quota: how it stands now, and what expired for it."""

    allowance: Allowance
    expired: tuple[Checkpoint, ...] = ()
    states: int = 0


def read_allowance(workspace: Workspace) -> Allowance | None:
    """How the store stands to its quota; None where it has none."""
    limit = parse_size(workspace.settings.store_quota)
    if not limit:
        return None
    return Allowance(limit, used_bytes(workspace.repository))


def plan_quota(workspace: Workspace, *, going: Sequence[EntryId] = ()) -> Shortening:
    """What would expire for the quota now, besides what is `going` anyway; changes nothing."""
    allowance = read_allowance(workspace)
    need = allowance.excess_bytes if allowance is not None else 0
    if not need:
        return Shortening()
    gone = set(going)
    names = [name for _, name in sorted(_expendable(workspace)) if name not in gone]
    return choose_oldest(
        names, need, lambda some: estimate_freed(workspace.repository, [*going, *some])
    )


def choose_oldest(names: Sequence[EntryId], need: int, estimate: Estimate) -> Shortening:
    """The fewest of `names`, which stand oldest first, whose going frees `need` bytes."""
    freed = estimate(())
    if freed >= need or not names:
        return Shortening((), freed, freed >= need)
    low, high, freed = 0, len(names), estimate(names)
    if freed < need:
        return Shortening(tuple(names), freed, is_enough=False)
    while high - low > 1:
        middle = (low + high) // 2
        now = estimate(names[:middle])
        if now >= need:
            high, freed = middle, now
        else:
            low = middle
    return Shortening(tuple(names[:high]), freed)


def shorten(workspace: Workspace, plan: Shortening) -> Kept:
    """What the plan names has expired, as far as it may still go. Frees no room by itself."""
    store, wanted = workspace.repository, set(plan.names)

    def act() -> tuple[list[Checkpoint], int]:
        gone = expire_expendable(
            workspace.histories, {CheckpointId(name) for name in wanted}, clock.now_ns()
        )
        states = expire_expendable_snapshots(store, {SnapshotId(name) for name in wanted})
        images = expire_images(store, {ImageId(name) for name in wanted}, _hosted())
        return gone, len(states) + len(images)

    expired, states = in_spare_room(store.layout, store.files, act) if wanted else ([], 0)
    return Kept(_look(workspace), tuple(expired), states)


def keep_quota(workspace: Workspace) -> Kept | None:
    """The store is within its quota, or that it is not was told; None where it has none.

    Raises Conflict (another upkeep is at work), Unavailable, Integrity (damage), Storage.
    """
    allowance = read_allowance(workspace)
    if allowance is None:
        return None
    turn = FileLock(workspace.repository.layout.locks / "quota")
    if not turn.try_acquire(exclusive=True):
        return Kept(allowance)  # another server is at it
    try:
        if not _is_due(workspace, allowance):
            return Kept(allowance)
        done = shorten(workspace, plan_quota(workspace))
        workspace.collect()
        return Kept(_look(workspace), done.expired, done.states)
    finally:
        turn.release()


def _is_due(workspace: Workspace, allowance: Allowance) -> bool:
    """Whether it is over, and was told so long enough ago; notes when it is told first."""
    note = workspace.repository.folder / _NOTE
    told = read_text_or_empty(note)
    if allowance.room is Room.WITHIN:
        if told:
            Files().replace_file(note, b"")
        return False
    now = clock.now_ns()
    if not (told.isdigit() and int(told) <= now):
        Files().replace_file(note, str(now).encode())
        return False
    return allowance.room is Room.OVER and now - int(told) >= _WARNED_NS


def _look(workspace: Workspace) -> Allowance:
    allowance = read_allowance(workspace)
    return allowance if allowance is not None else Allowance(0, 0)


def _expendable(workspace: Workspace) -> list[tuple[int, EntryId]]:
    """When each was made, and which it is."""
    store = workspace.repository
    store.refresh()
    found = [
        (one.time_ns, EntryId(one.id))
        for one in list_expendable(workspace.histories, clock.now_ns())
    ]
    states = {EntryId(name) for name in choose_now(store, 1, 1)}
    found += [
        (entry.order, entry.id)
        for entry in (store.entries(kind=SNAPSHOT) if states else ())
        if entry.id in states
    ]
    found += [(one.time_ns, EntryId(one.id)) for one in list_expendable_images(store, _hosted())]
    return found


def _hosted() -> set[str]:
    """The kernels that a server here has or may come back to, those that sleep in an image too."""
    # Where there is no fork, there is no kernel host either, and its module does not load.
    if not hasattr(os, "fork"):
        return set()
    from jupyter_rewind.kernels.hosting.record import places

    return {place.kernel for place in places(Path(jupyter_runtime_dir()))}
