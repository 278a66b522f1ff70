"""What cells put out after their notebook was saved last: a front end that was away needs it.

Of each cell only the newest execution counts. What had ended before the file was written stands in
it already, or somebody has removed it since: it is not told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from jupyter_rewind.kernels.life import is_alive
from jupyter_rewind.kernels.runs import Runs
from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.execution import BEGIN, END, EXECUTION, Execution, Run, run_key
from jupyter_rewind.model.ids import ExecutionId
from jupyter_rewind.store.repository import Repository


@dataclass(frozen=True, slots=True)
class Unseen:
    """An execution whose end nobody has saved; `running` while more of it may come."""

    execution: Execution
    running: bool


def unseen_executions(
    repository: Repository,
    runs: Iterable[Run],
    since_ns: int,
    heard: Collection[ExecutionId] = (),
) -> list[Unseen]:
    """The newest execution of each cell, where it went on after `since_ns`; in the order in which
    they began. `heard` are those that somebody else knows to be running.

    Raises Integrity where content of one is damaged, Newer.
    """
    newest: dict[str, Unseen] = {}
    for run in runs:
        latest = repository.latest(kinds=[EXECUTION], key=run_key(run.id))
        if latest is None:
            continue
        alive = is_alive(repository.layout, run)
        if latest.order <= since_ns and not alive and not heard:
            continue
        for found in _of_run(repository, run, since_ns, heard, alive=alive):
            cell = found.execution.cell_id or found.execution.source
            known = newest.get(cell)
            if known is None or known.execution.started_ns < found.execution.started_ns:
                newest[cell] = found
    return sorted(newest.values(), key=lambda each: each.execution.started_ns)


def _of_run(
    repository: Repository,
    run: Run,
    since_ns: int,
    heard: Collection[ExecutionId],
    *,
    alive: bool,
) -> list[Unseen]:
    groups: dict[str, list[Entry]] = {}
    for entry in repository.entries(kind=EXECUTION, key=run_key(run.id)):
        groups.setdefault(str(entry.body.get("execution", "")), []).append(entry)
    chosen = []
    for name, entries in groups.items():
        running = not _has_ended(entries) and (alive or name in heard)
        if (running or entries[-1].order > since_ns) and _is_kept(entries):
            chosen.append((ExecutionId(name), running))
    runs = Runs(repository)
    return [Unseen(runs.execution(name), running) for name, running in chosen]


def _has_ended(entries: Sequence[Entry]) -> bool:
    return any(entry.body.get("phase") == END for entry in entries)


def _is_kept(entries: Sequence[Entry]) -> bool:
    """Whether it stands in Jupyter's own history, and its beginning is known."""
    return any(
        entry.body.get("phase", BEGIN) == BEGIN and entry.body.get("kept", True)
        for entry in entries
    )
