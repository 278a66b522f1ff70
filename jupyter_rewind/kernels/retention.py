"""Expiring snapshots by policy: old runs of a notebook, and old states of a run.

Never goes: the newest state of a run (that of one that lives, in any case), and what has a label
or a pin. What was expired frees its room with the next collect.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from jupyter_rewind.kernels.archive import Archive
from jupyter_rewind.kernels.records import SNAPSHOT, SNAPSHOT_MARK, mark_key
from jupyter_rewind.model.execution import Run
from jupyter_rewind.model.ids import EntryId, RunId, SnapshotId
from jupyter_rewind.model.snapshot import Snapshot
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.transaction import Transaction


def choose_expired_snapshots(
    runs: Sequence[Run],
    snapshots: Mapping[RunId, Sequence[Snapshot]],
    *,
    keep_runs: int,
    keep_snapshots: int,
    living: Iterable[RunId] = (),
) -> list[SnapshotId]:
    """What goes: all states of runs but the newest `keep_runs` of each notebook, and of those
    runs all but the newest `keep_snapshots`. The states of each run stand oldest first."""
    alive = set(living)
    kept: dict[str, int] = {}
    gone: list[SnapshotId] = []
    for run in sorted(runs, key=lambda one: (one.started_ns, one.id), reverse=True):
        states = snapshots.get(run.id, ())
        if not states:
            continue
        kept[run.path] = kept.get(run.path, 0) + 1
        is_old = kept[run.path] > keep_runs and run.id not in alive
        old = states if is_old else states[: -max(1, keep_snapshots)]
        gone += [one.id for one in old if not (one.labels or one.pinned)]
    return gone


def expire_snapshots(
    repository: Repository, *, keep_runs: int, keep_snapshots: int
) -> list[SnapshotId]:
    """What the policy expires now has expired. Raises Storage, Newer.

    The choice is made while every other writer is kept out, so that a label given a moment ago
    counts, and so does a state that a kernel is about to build on.
    """
    repository.refresh()
    if not choose_now(repository, keep_runs, keep_snapshots):
        return []
    with repository.transaction(exclusive=True) as tx:
        gone = choose_now(repository, keep_runs, keep_snapshots)
        _expire(tx, repository, gone)
    return gone


def expire_expendable_snapshots(
    repository: Repository, wanted: Collection[SnapshotId]
) -> list[SnapshotId]:
    """Those of `wanted` that may still go have expired: no newest state of a notebook's last run,
    or of a kernel that lives, and none with a label or a pin."""
    repository.refresh()
    with repository.transaction(exclusive=True) as tx:
        gone = [name for name in choose_now(repository, 1, 1) if name in wanted]
        _expire(tx, repository, gone)
    return gone


def _expire(tx: Transaction, repository: Repository, names: Iterable[SnapshotId]) -> None:
    for name in names:
        marks = repository.entries(kind=SNAPSHOT_MARK, key=mark_key(name))
        tx.expire([EntryId(name), *(mark.id for mark in marks)])


def choose_now(repository: Repository, keep_runs: int, keep_snapshots: int) -> list[SnapshotId]:
    """What would go now. Changes nothing."""
    archive = Archive(repository)
    named = {str(entry.body.get("run")) for entry in repository.entries(kind=SNAPSHOT)}
    runs = [run for run in archive.runs.all() if run.id in named]
    return choose_expired_snapshots(
        runs,
        {run.id: archive.snapshots(run.id) for run in runs},
        keep_runs=keep_runs,
        keep_snapshots=keep_snapshots,
        living=[run.id for run in runs if archive.runs.state(run).alive],
    )
