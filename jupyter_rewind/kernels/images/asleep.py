"""The run of a kernel that sleeps in its image has ended for the time being: nobody is told that it
was cut short, whoever restarts or closes the kernel. It begins again when the kernel wakes.
"""

from __future__ import annotations

import logging

from jupyter_rewind import clock
from jupyter_rewind.errors import RewindError
from jupyter_rewind.kernels.runs import Runs
from jupyter_rewind.model.execution import END, FORMAT, RUN, run_key
from jupyter_rewind.store.repository import Repository

log = logging.getLogger(__name__)
ASLEEP = "asleep"


def end_runs(repository: Repository, kernel: str) -> None:
    """What the kernel began has ended, as far as the store knows. Never fails: the kernel is in its
    image by then."""
    try:
        repository.refresh()
        open_runs = [run for run in Runs(repository).of_kernel(kernel) if run.ended_ns is None]
        with repository.transaction() as tx:
            for run in open_runs:
                tx.add(
                    RUN, keys=[run_key(run.id)],
                    body={"format": FORMAT, "phase": END, "run": run.id,
                          "finished_ns": clock.now_ns(), "how": ASLEEP},
                )  # fmt: skip
    except RewindError as error:
        log.warning("that kernel %s sleeps is not noted: %s", kernel, error)
