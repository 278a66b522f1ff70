"""What has become old of kernels expires: states by their policy, journals by their age.

The journal of a run goes as a whole, and never while the run lives or a state of it is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_rewind import clock
from jupyter_rewind.kernels.records import SNAPSHOT
from jupyter_rewind.kernels.retention import expire_snapshots
from jupyter_rewind.kernels.runs import Runs
from jupyter_rewind.model.execution import EXECUTION, RUN, Run, run_key
from jupyter_rewind.model.ids import RunId, SnapshotId
from jupyter_rewind.store.repository import Repository

if TYPE_CHECKING:
    from jupyter_rewind.settings import Rewind

_DAY_NS = 86_400_000_000_000


def expire_kernels(
    repository: Repository, settings: Rewind, now_ns: int | None = None
) -> list[SnapshotId]:
    """The states and journals that the settings no longer keep have expired; which states.

    Raises Storage, Newer.
    """
    gone = expire_snapshots(
        repository,
        keep_runs=settings.kernels_keep_runs,
        keep_snapshots=settings.kernels_keep_snapshots,
    )
    expire_journals(repository, days=settings.kernels_journal_days, now_ns=now_ns)
    return gone


def expire_journals(repository: Repository, *, days: int, now_ns: int | None = None) -> list[RunId]:
    """The runs whose journals have expired now (or at `now_ns`): they began more than `days` ago.

    Raises Storage, Newer.
    """
    repository.refresh()
    oldest = (clock.now_ns() if now_ns is None else now_ns) - days * _DAY_NS
    if not _choose(repository, oldest):
        return []
    with repository.transaction(exclusive=True) as tx:
        gone = _choose(repository, oldest)
        for run in gone:
            found = repository.entries(kinds=(RUN, EXECUTION), key=run_key(run.id))
            tx.expire(entry.id for entry in found)
    return [run.id for run in gone]


def _choose(repository: Repository, oldest: int) -> list[Run]:
    runs = Runs(repository)
    old = [run for run in runs.all() if run.started_ns < oldest]
    return [run for run in old if not _is_needed(repository, runs, run)]


def _is_needed(repository: Repository, runs: Runs, run: Run) -> bool:
    states = repository.entries(kind=SNAPSHOT, key=run_key(run.id), limit=1)
    return bool(states) or runs.state(run).alive
