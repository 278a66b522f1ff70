"""The composition root for kernels' states: all that commands and the server see of them.

Beside `workspace`, over the same open store. It knows both the notebooks' histories and the runs of
kernels, so that a renamed notebook keeps its states, and a checkpoint has one.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jupyter_rewind.errors import NotFound
from jupyter_rewind.kernels import host
from jupyter_rewind.kernels.archive import Archive, Legacy
from jupyter_rewind.kernels.away import Unseen, unseen_executions
from jupyter_rewind.kernels.comparison import compare, report
from jupyter_rewind.kernels.environments import (
    KernelEnvironment,
    disable_for_user,
    enable_for_user,
    find_environments,
)
from jupyter_rewind.kernels.host import Started, drop_stale_notices, leave_notice
from jupyter_rewind.kernels.naming import find_snapshot
from jupyter_rewind.kernels.ran import Ran, list_ran
from jupyter_rewind.kernels.runs import RunState
from jupyter_rewind.kernels.telling import (
    changes_json,
    ran_json,
    report_json,
    run_json,
    snapshot_json,
)
from jupyter_rewind.lineage import runs_of_notebook
from jupyter_rewind.model.checkpoint import Checkpoint
from jupyter_rewind.model.execution import Run
from jupyter_rewind.model.snapshot import Snapshot, VariableChange, VariableReport
from jupyter_rewind.notebooks.documents import document_path
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from jupyter_rewind.model.entry import Json
    from jupyter_rewind.model.ids import ExecutionId

__all__ = [
    "KernelEnvironment", "Legacy", "Revival", "RunState", "Started", "Unseen", "changes_json",
    "disable_for_user", "drop_stale_notices", "enable_for_user", "find_environments",
    "leave_notice", "ran_json", "report_json", "run_json", "snapshot_json",
]  # fmt: skip


class Revival:
    """The runs and states of one store."""

    def __init__(self, repository: Repository, histories: Histories) -> None:
        self._repository = repository
        self._histories = histories
        self._archive = Archive(repository)

    def refresh(self) -> None:
        """What other processes wrote can be seen. Raises Storage, Newer."""
        self._repository.refresh()

    # --- looking ------------------------------------------------------------------------

    def runs(self) -> list[RunState]:
        """Every run that can have states, the newest first: not those a server only listened to."""
        every = reversed(self._archive.runs.all())
        return [self._archive.runs.state(run) for run in every if run.python]

    def runs_of(self, what: str) -> list[Run]:
        """The runs of a notebook (a path), of a kernel or of a run (the beginning of an id), oldest
        first. Raises NotFound."""
        if _is_path(what):
            found = self.runs_of_notebook(str(document_path(what)))
        else:
            every = self._archive.runs.all()
            found = [
                each
                for each in every
                if what and (each.kernel.startswith(what) or each.id.startswith(what))
            ]
        if not found:
            raise NotFound(
                f"The store knows of no kernel of {what}.",
                hint="`jupyter rewind kernels` lists all runs; `jupyter rewind doctor` says"
                " whether kernels keep their states.",
            )
        return found

    def runs_of_kernel(self, kernel: str) -> list[Run]:
        """The runs of a kernel by Jupyter's whole id of it, oldest first. Raises NotFound."""
        found = self._archive.runs.of_kernel(kernel)
        if not found:
            raise NotFound(
                f"The store knows of no kernel {kernel}.",
                hint="It may run without Rewind: `jupyter rewind doctor` says which kernels do.",
            )
        return found

    def snapshots_of_kernel(self, kernel: str) -> list[Snapshot]:
        """The states of a kernel, restarts included, oldest first. Raises NotFound."""
        return self._archive.snapshots_of(self.runs_of_kernel(kernel))

    def resolve_of_kernel(self, kernel: str, ref: str) -> Snapshot:
        """The state of a kernel that `ref` names. Raises NotFound, Conflict, InvalidInput."""
        return find_snapshot(ref, self.snapshots_of_kernel(kernel))

    def live_run_of_kernel(self, kernel: str) -> RunState | None:
        """The kernel's run whose process is there, if it is. Raises NotFound."""
        return self._newest_live(self.runs_of_kernel(kernel))

    def runs_of_notebook(self, path: str) -> list[Run]:
        """The runs of the notebook at `path` (real), also those under its earlier names."""
        return runs_of_notebook(self._archive, path, self._histories.bindings)

    def unseen(self, path: str, since_ns: int, heard: Collection[ExecutionId] = ()) -> list[Unseen]:
        """What cells of the notebook at `path` (real) put out since then. See `kernels/away`."""
        # What a program ran, it has written where it was told to.
        runs = [run for run in self.runs_of_notebook(path) if not run.program]
        return unseen_executions(self._repository, runs, since_ns, heard)

    def ran(
        self,
        path: str,
        *,
        limit: int,
        before: ExecutionId | None = None,
        heard: Collection[ExecutionId] = (),
    ) -> list[Ran]:
        """The newest executions of the notebook at `path` (real), without their outputs, those
        older than `before` where one is named. See `kernels/ran`."""
        runs = self.runs_of_notebook(path)
        return list_ran(self._repository, runs, limit=limit, before=before, heard=heard)

    def snapshots_of_notebook(self, path: str) -> list[Snapshot]:
        """The states of the notebook at `path` (real), also those under its earlier names, oldest
        first; none where it never had a kernel that keeps them."""
        found = self._archive.snapshots_of(self.runs_of_notebook(path))
        return sorted(found, key=lambda each: (each.time_ns, each.order, each.id))

    def resolve_of_notebook(self, path: str, ref: str) -> Snapshot:
        """The state of the notebook at `path` (real) that `ref` names.

        Raises NotFound, Conflict, InvalidInput.
        """
        return find_snapshot(ref, self.snapshots_of_notebook(path))

    def parent(self, snapshot: Snapshot) -> Snapshot | None:
        """The state that it stands on; None where it is the first, or that one has expired."""
        if snapshot.parent is None:
            return None
        try:
            return self._archive.snapshot(snapshot.parent)
        except NotFound:
            return None

    def snapshots(self, what: str) -> list[Snapshot]:
        """The states of a notebook, a kernel or a run, oldest first. Raises NotFound."""
        return self._archive.snapshots_of(self.runs_of(what))

    def resolve(self, what: str, ref: str) -> Snapshot:
        """The state that `ref` names; a cell's count means the newest run that has it.

        Raises NotFound, Conflict, InvalidInput.
        """
        return find_snapshot(ref, self.snapshots(what))

    def last_state(self, what: str) -> Legacy:
        """The newest state of a notebook, a kernel or a run. Raises NotFound."""
        found = self._archive.last_state(self.runs_of(what))
        if found is None:
            raise NotFound(f"No state of {what} has been kept.")
        return found

    def live_run(self, what: str) -> RunState | None:
        """The newest run of it whose process is there, if one is; none that a program runs from
        beginning to end."""
        return self._newest_live([run for run in self.runs_of(what) if not run.program])

    def _newest_live(self, runs: Sequence[Run]) -> RunState | None:
        states = (self._archive.runs.state(run) for run in reversed(runs))
        return next((each for each in states if each.alive), None)

    def report(self, snapshot: Snapshot) -> tuple[VariableReport, ...]:
        """How faithfully each variable is kept. Raises Integrity, Newer."""
        return report(self._repository, snapshot)

    def compare(self, before: Snapshot, after: Snapshot) -> tuple[VariableChange, ...]:
        """How the variables differ. Raises Integrity, Newer."""
        return compare(self._repository, before, after)

    def pair(self, path: str, checkpoints: Sequence[Checkpoint]) -> dict[str, Snapshot]:
        """The state that belongs to each checkpoint of the notebook at `path` (real): the last one
        that was kept before it, by id; checkpoints without one are left out."""
        snapshots = self.snapshots_of_notebook(path)
        times = [each.time_ns for each in snapshots]
        found = {}
        for checkpoint in checkpoints:
            at = bisect_right(times, checkpoint.time_ns)
            if at:
                found[str(checkpoint.id)] = snapshots[at - 1]
        return found

    # --- changing -----------------------------------------------------------------------

    def label(self, snapshot: Snapshot, text: str) -> None:
        """The state has this name. Raises InvalidInput."""
        self._archive.label(snapshot, text)

    def delete(self, snapshot: Snapshot, *, force: bool = False) -> None:
        """The state is gone. Raises Conflict."""
        self._archive.delete(snapshot, force=force)

    @staticmethod
    def ask(
        state: RunState, verb: str, words: Mapping[str, Json], *, timeout: float = 60.0
    ) -> dict[str, Json]:
        """What the running kernel answers. Raises Unavailable, and what the kernel raised."""
        return host.ask_kernel(state.run.connection, verb, words, timeout=timeout)

    def resume(
        self,
        what: str,
        snapshot: Snapshot,
        *,
        kernel_name: str | None = None,
        trust: bool = False,
    ) -> Started:
        """A new kernel with the state in it, for the notebook that `what` is or that its run was
        for; it goes on when this process has ended. With `trust`, also a state that another key
        made.

        Raises NotFound (no such kernel), Unavailable, and what the kernel raised.
        """
        path = str(document_path(what)) if _is_path(what) else snapshot.path
        return host.start_with_state(
            path, snapshot.id, store=str(self._repository.folder),
            kernel_name=kernel_name, trust=trust,
        )  # fmt: skip


def _is_path(what: str) -> bool:
    """Whether it names a notebook, and not a kernel or a run."""
    return os.path.lexists(what) or what.endswith(".ipynb") or os.sep in what
