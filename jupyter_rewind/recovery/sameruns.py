"""Each run once, though several traces tell of it: a history, its copy, the kernel, the journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jupyter_rewind.recovery.evidence import Executed, FoundRun
from jupyter_rewind.recovery.kernelruns import AFTER, BEFORE, SECOND

RUNNING = "running"
NO_CHANCE = 3
"""So many executions that agree are no chance, where two runs did not begin at one moment."""


def merge_runs(runs: Sequence[FoundRun]) -> list[FoundRun]:
    """Each run once: two traces may hold the same (a database and its copy), in part each."""
    merged: dict[object, FoundRun] = {}
    for run in _numbered(runs):
        key: object = (run.session, run.started_ns // SECOND) if run.started_ns else id(run)
        known = merged.get(key)
        if known is None:
            merged[key] = run
        elif _agree(known, run):
            merged[key] = _union(known, run)
        else:
            merged[id(run)] = run
    return list(merged.values())


def _numbered(runs: Sequence[FoundRun]) -> list[FoundRun]:
    """The runs, those that have no number as the session of a history that they are.

    That session began just when the kernel did, and has the same code at the same counts.
    """
    found = []
    for run in runs:
        if run.session or run.started_ns is None:
            found.append(run)
            continue
        same = _session_of(run, runs)
        if run.remark == RUNNING:
            run = _without_shifted(run, same)
        if same is not None:
            run = replace(run, session=same.session, started_ns=same.started_ns)
        found.append(run)
    return found


def _session_of(run: FoundRun, runs: Sequence[FoundRun]) -> FoundRun | None:
    """The session of a history that a run without number is: of several the nearest."""
    began = run.started_ns or 0
    return min(
        (each for each in runs if is_same_kernel(run, each)),
        key=lambda each: abs((each.started_ns or 0) - began),
        default=None,
    )


def _without_shifted(run: FoundRun, same: FoundRun | None) -> FoundRun:
    """A running kernel's lines may be shifted against its values: where no history says that they
    are not, the values are left out."""
    lines = {each.line for each in same.executions} if same is not None else set()
    executions = tuple(
        each if each.line in lines else replace(each, text_output=None) for each in run.executions
    )
    return replace(run, executions=executions)


def is_same_kernel(running: FoundRun, other: FoundRun) -> bool:
    """Whether `other` is a history's session of the kernel that `running`, without number, is.

    They began at one moment, or the one began to be told of while the other lasted; and what both
    tell of is the same at the same counts.
    """
    if not other.session or other.started_ns is None or running.started_ns is None:
        return False
    later = running.started_ns - other.started_ns
    if later < -AFTER or (other.ended_ns is not None and running.started_ns > other.ended_ns):
        return False
    there = {each.line: each.source.rstrip() for each in other.executions}
    shared = [each for each in running.executions if each.line in there]
    least = 1 if later <= BEFORE else NO_CHANCE
    return len(shared) >= least and all(there[e.line] == e.source.rstrip() for e in shared)


def _agree(a: FoundRun, b: FoundRun) -> bool:
    there = {each.line: each.source.rstrip() for each in a.executions}
    return all(there.get(e.line, e.source.rstrip()) == e.source.rstrip() for e in b.executions)


def _union(a: FoundRun, b: FoundRun) -> FoundRun:
    by_line = {each.line: each for each in b.executions}
    for each in a.executions:
        other = by_line.get(each.line)
        if other is None or _richness(each) >= _richness(other):
            by_line[each.line] = each
    executions = tuple(by_line[line] for line in sorted(by_line))
    named = a if a.notebook or not b.notebook else b
    ended = a.ended_ns if a.ended_ns is not None else b.ended_ns
    return replace(named, executions=executions, ended_ns=ended)


def _richness(executed: Executed) -> tuple[bool, bool, bool, bool]:
    """How much a trace tells of an execution."""
    return (
        bool(executed.outputs),
        executed.cell_id is not None,
        executed.time_ns is not None,
        executed.text_output is not None,
    )
