"""Snapshots, runs and what is said of variables as JSON: one form for commands, REST, kernels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from jupyter_rewind.model.entry import Json
from jupyter_rewind.model.snapshot import Snapshot, VariableChange, VariableReport

if TYPE_CHECKING:
    from jupyter_rewind.kernels.ran import Ran
    from jupyter_rewind.kernels.runs import RunState

_LINE_WIDTH = 160


def snapshot_json(snapshot: Snapshot) -> dict[str, Json]:
    """All that is known of a snapshot without reading its state."""
    counts = snapshot.counts
    return {
        "id": snapshot.id,
        "run": snapshot.run,
        "execution": snapshot.execution,
        "count": snapshot.count,
        "path": snapshot.path,
        "time_ns": snapshot.time_ns,
        "parent": snapshot.parent,
        "labels": list(snapshot.labels),
        "pinned": snapshot.pinned,
        "merged": len(snapshot.merged),
        "new_bytes": snapshot.new_bytes,
        "python": snapshot.python,
        "trusted": snapshot.trusted,
        "variables": {
            "exact": counts.exact,
            "rebuilt": counts.rebuilt,
            "by reference": counts.reference,
            "missing": counts.missing,
        },
    }


def run_json(state: RunState) -> dict[str, Json]:
    """A run and how it stands."""
    run = state.run
    return {
        "run": run.id,
        "kernel": run.kernel,
        "connection": run.connection,
        "path": run.path,
        "program": run.program,
        "python": run.python,
        "host": run.host,
        "pid": run.pid,
        "started_ns": run.started_ns,
        "ended_ns": run.ended_ns,
        "alive": state.alive,
        "cut_short": state.was_cut_short,
        "executions": state.executions,
    }


def ran_json(ran: Ran) -> dict[str, Json]:
    """An execution as a list shows it: of its source the first line that says something."""
    execution = ran.execution
    lines = execution.source.splitlines()
    first = next((line.strip() for line in lines if line.strip()), "")
    return {
        "id": execution.id,
        "run": execution.run,
        "kernel": ran.run.kernel,
        "cell": execution.cell_id,
        "count": execution.count,
        "line": first[:_LINE_WIDTH],
        "lines": len(lines),
        "status": execution.status,
        "running": ran.running,
        "error": execution.error,
        "started_ns": execution.started_ns,
        "finished_ns": execution.finished_ns,
        "problem": ran.problem,
    }


def report_json(variables: Iterable[VariableReport]) -> list[Json]:
    """How faithfully each variable is kept."""
    return [
        {
            "name": each.name,
            "type": each.type_name,
            "size": each.size_bytes,
            "fidelity": str(each.fidelity),
            "reason": each.reason,
            "changed": each.changed,
            "preview": each.preview,
        }
        for each in variables
    ]


def changes_json(changes: Iterable[VariableChange]) -> list[Json]:
    """How variables differ."""
    return [
        {
            "name": each.name,
            "how": str(each.how),
            "type": each.type_name,
            "before_bytes": each.before_bytes,
            "after_bytes": each.after_bytes,
            "before": each.before,
            "after": each.after,
        }
        for each in changes
    ]
