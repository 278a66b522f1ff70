"""The snapshots that a store tells of, of all runs: found, named, marked, deleted.

For whoever reads what other processes wrote: the server, commands, and a kernel that looks for
what its predecessor left. Callers have refreshed the repository.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jupyter_rewind.errors import Conflict, NotFound
from jupyter_rewind.kernels.naming import check_name, mark
from jupyter_rewind.kernels.records import (
    SNAPSHOT,
    SNAPSHOT_MARK,
    decode_snapshot,
    mark_key,
)
from jupyter_rewind.kernels.runs import Runs, RunState
from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.execution import Run, run_key
from jupyter_rewind.model.ids import EntryId, RunId, SnapshotId
from jupyter_rewind.model.snapshot import Snapshot
from jupyter_rewind.store.repository import Repository


@dataclass(frozen=True, slots=True)
class Legacy:
    """What a run left behind: the run, and the last state of it that can be restored."""

    state: RunState
    snapshot: Snapshot

    @property
    def run(self) -> Run:
        return self.state.run


class Archive:
    """The snapshots and runs of one store."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.runs = Runs(repository)

    def snapshots(self, run: RunId) -> list[Snapshot]:
        """All snapshots of the run, oldest first. Raises Newer, Format."""
        marks: dict[str, list[Entry]] = {}
        for told in self.repository.entries(kind=SNAPSHOT_MARK, key=run_key(run)):
            marks.setdefault(str(told.body.get("snapshot")), []).append(told)
        layout = self.repository.layout
        found = self.repository.entries(kind=SNAPSHOT, key=run_key(run))
        return [decode_snapshot(each, layout, marks.get(each.id, ())) for each in found]

    def snapshots_of(self, runs: Iterable[Run]) -> list[Snapshot]:
        """All snapshots of these runs, oldest first."""
        found = [each for run in runs for each in self.snapshots(run.id)]
        return sorted(found, key=lambda each: (each.order, each.id))

    def snapshot(self, name: SnapshotId) -> Snapshot:
        """Raises NotFound, also for one that has expired."""
        entry = self.repository.entry(EntryId(name))
        if entry.kind != SNAPSHOT:
            raise NotFound(f"{name} is not the id of a snapshot.")
        return self._decoded([entry])[0]

    def last_state(self, runs: Sequence[Run], *, but: RunId | None = None) -> Legacy | None:
        """The newest state that these runs left behind, `but` left out, if they left any: not what
        one had before it took another's state over, and died of that."""
        best: tuple[Run, Snapshot] | None = None
        for run in sorted(runs, key=lambda each: (each.started_ns, each.id), reverse=True):
            if run.id == but or (best is not None and _ended_before(run, best[0])):
                continue
            found = self._last_of(run.id)
            if found is not None and (best is None or found.order > best[1].order):
                best = run, found
        return None if best is None else Legacy(self.runs.state(best[0]), best[1])

    def _last_of(self, run: RunId) -> Snapshot | None:
        key = run_key(run)
        newest = self.repository.entries(kind=SNAPSHOT, key=key, newest_first=True, limit=1)
        found = self._decoded(newest)
        if found and found[0].is_untouched:
            found = self.snapshots(run)[::-1]
        return next((each for each in found if not each.is_untouched), None)

    def label(self, snapshot: Snapshot, text: str) -> None:
        """The snapshot has this name, and no other of its run has it any more; it does not expire.

        Raises InvalidInput, NotFound.
        """
        label = check_name(text)
        with self.repository.transaction() as tx:
            for other in self.snapshots(snapshot.run):
                if label in other.labels and other.id != snapshot.id:
                    tx.add(SNAPSHOT_MARK, **mark(other, {"unlabel": label}))
            tx.add(SNAPSHOT_MARK, **mark(snapshot, {"label": label}))

    def delete(self, snapshot: Snapshot, *, force: bool = False) -> None:
        """The snapshot is gone. Raises Conflict for one with a label or a pin without `force`, and
        for the newest of a run that lives."""
        with self.repository.transaction(exclusive=True) as tx:
            now = self.snapshot(snapshot.id)
            if (now.labels or now.pinned) and not force:
                raise Conflict(
                    f"Snapshot {now.id} has a label or a pin.",
                    hint="Nothing was changed. Take them away first.",
                )
            newest = self.snapshots(now.run)[-1]
            if newest.id == now.id and self.runs.state(self.runs.get(now.run)).alive:
                raise Conflict(
                    f"Snapshot {now.id} is the newest of a kernel that lives.",
                    hint="Nothing was changed. It can go when the next one is there.",
                )
            marks = self.repository.entries(kind=SNAPSHOT_MARK, key=mark_key(now.id))
            tx.expire([EntryId(now.id), *(each.id for each in marks)])

    def _decoded(self, entries: Sequence[Entry]) -> list[Snapshot]:
        layout = self.repository.layout
        return [decode_snapshot(each, layout, self._marks(each)) for each in entries]

    def _marks(self, entry: Entry) -> list[Entry]:
        key = mark_key(SnapshotId(entry.id))
        return self.repository.entries(kind=SNAPSHOT_MARK, key=key)


def _ended_before(run: Run, other: Run) -> bool:
    return run.ended_ns is not None and run.ended_ns < other.started_ns
