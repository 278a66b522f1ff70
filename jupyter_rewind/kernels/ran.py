"""What ran in a notebook, as a list shows it: the newest first, some at a time.

Outputs are not read. An execution whose source is damaged stands in the list and says so.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from jupyter_rewind.errors import NotFound, RewindError
from jupyter_rewind.kernels.life import is_alive
from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.execution import (
    BEGIN,
    EXECUTION,
    Execution,
    Run,
    checked_body,
    execution_key,
    read_execution,
    run_key,
)
from jupyter_rewind.model.ids import Digest, ExecutionId
from jupyter_rewind.store.repository import Repository


@dataclass(frozen=True, slots=True)
class Ran:
    """An execution without its outputs. `running` while more of it may come; `problem` says why
    its source cannot be read."""

    execution: Execution
    run: Run
    running: bool
    problem: str = ""

    @property
    def place(self) -> tuple[int, str]:
        """Where it stands among the others."""
        return self.execution.started_ns, self.execution.id


def list_ran(
    repository: Repository,
    runs: Sequence[Run],
    *,
    limit: int,
    before: ExecutionId | None = None,
    heard: Collection[ExecutionId] = (),
) -> list[Ran]:
    """The newest `limit` executions of `runs` that are older than `before`, the newest first.
    `heard` are those that somebody else knows to be running. Raises NotFound, Newer, Storage."""
    end = None if before is None else _begin_of(repository, before)
    found: list[Ran] = []
    for run in sorted(runs, key=lambda each: each.started_ns, reverse=True):
        if end is not None and run.started_ns > end[0]:
            continue
        last = repository.latest(kinds=[EXECUTION], key=run_key(run.id))
        full = len(found) >= limit
        # A run that ended before the oldest one that is shown began has nothing to add.
        if last is None or (full and last.order < found[limit - 1].execution.started_ns):
            continue
        found += (one for one in _of_run(repository, run, heard) if end is None or one.place < end)
        found.sort(key=lambda each: each.place, reverse=True)
        del found[limit:]
    return found


def _begin_of(repository: Repository, execution: ExecutionId) -> tuple[int, str]:
    for entry in repository.entries(kind=EXECUTION, key=execution_key(execution)):
        body, phase = checked_body(entry)
        started = body.get("started_ns")
        if phase == BEGIN and isinstance(started, int):
            return started, execution
    raise NotFound(f"The store knows of no execution {execution}.")


def _of_run(repository: Repository, run: Run, heard: Collection[ExecutionId]) -> list[Ran]:
    groups: dict[str, list[Entry]] = {}
    for entry in repository.entries(kind=EXECUTION, key=run_key(run.id)):
        groups.setdefault(str(entry.body.get("execution", "")), []).append(entry)
    alive = is_alive(repository.layout, run)
    found = []
    for entries in groups.values():
        execution, problem = _read(repository, entries)
        if execution is None or not execution.kept:
            continue
        open_still = execution.finished_ns is None
        running = open_still and (alive or execution.id in heard)
        found.append(Ran(execution, run, running, problem))
    return found


def _read(repository: Repository, entries: Sequence[Entry]) -> tuple[Execution | None, str]:
    problem = ""

    def read(digests: Sequence[Digest]) -> bytes:
        nonlocal problem
        try:
            return repository.get_blob(digests)
        except RewindError as error:
            problem = error.message
            return b""

    return read_execution(entries, read, with_outputs=False), problem
