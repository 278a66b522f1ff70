"""What came of keeping one state."""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_rewind.kernels.keeping import Job
from jupyter_rewind.model.ids import ExecutionId
from jupyter_rewind.model.snapshot import Snapshot, VariableReport


@dataclass(slots=True)
class Captured:
    """What came of one capture. The snapshot may still be on its way: `wait` for it."""

    execution: ExecutionId
    skipped_because: str = ""
    losses: tuple[VariableReport, ...] = ()
    """Variables that were told anew and are not exact."""
    late: tuple[str, ...] = ()
    """Variables that there was no time for: the state is without them."""
    seconds: float = 0.0
    verified: int = 0
    changed: int = 0
    job: Job | None = None

    @property
    def late_because(self) -> str:
        """Why the state was not in the store when its cell had ended; empty where it was."""
        return self.job.late_because if self.job is not None else ""

    @property
    def snapshot(self) -> Snapshot | None:
        """The snapshot, as soon as it is in the store. Raises what storing it raised."""
        return self.wait()

    def wait(self) -> Snapshot | None:
        if self.job is None:
            return None
        self.job.done.wait()
        if self.job.error is not None:
            raise self.job.error
        return self.job.snapshot
