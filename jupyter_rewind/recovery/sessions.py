"""The sessions of all histories, each with the notebook that it most likely belongs to.

A connection file names the notebook of a session that began when it was written. Otherwise the
notebook is the one whose cells the session ran most of, rare cells counting more than common
ones; that is a likelihood and is told as one.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jupyter_rewind.errors import RewindError
from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.attribution import AFTER, BEFORE
from jupyter_rewind.recovery.evidence import (
    Evidence,
    FoundKernel,
    FoundRun,
    Problem,
    Scope,
    Trace,
)
from jupyter_rewind.recovery.histories import Session
from jupyter_rewind.recovery.historyfiles import LARGE_BYTES
from jupyter_rewind.recovery.largehistories import survey_large
from jupyter_rewind.recovery.likeness import is_look
from jupyter_rewind.recovery.selection import is_allowed
from jupyter_rewind.recovery.traces.history import HistoryFinder

LIKELY = 0.25
_PREVIEW = 80


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One session of a history, or one run of Rewind's own journal.

    `likelihood` is 1.0 where `why` names a trace that says so, lower for a guess, 0.0 for none.
    """

    trace: Trace
    number: int
    started_ns: int | None
    ended_ns: int | None
    executions: int
    remark: str
    first: str
    notebook: str | None = None
    likelihood: float = 0.0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Sessions:
    """All sessions, oldest first, and what could not be read."""

    sessions: tuple[SessionInfo, ...]
    problems: tuple[Problem, ...]


def list_sessions(scope: Scope) -> Sessions:
    """The sessions of every history in `scope`; notebooks below `scope.folder` are compared."""
    found = search.look(scope)
    heard = search.gather(scope, found.traces)
    homes = _homes(heard)
    infos = [_place(run, heard.kernels, homes) for run in heard.runs]
    for trace in found.traces:
        if trace.kind == HistoryFinder.kind and trace.size_bytes > LARGE_BYTES:
            infos += _unread(trace, infos, heard.kernels, scope)
    return Sessions(tuple(sorted(infos, key=_moment)), found.problems + heard.problems)


def _unread(
    trace: Trace, infos: Iterable[SessionInfo], kernels: Sequence[FoundKernel], scope: Scope
) -> list[SessionInfo]:
    """The sessions of a large history of which no code was read."""
    try:
        survey = survey_large(Path(trace.place), scope)
    except (sqlite3.DatabaseError, RewindError):
        # Then it was read whole, page by page.
        return []
    if survey is None:
        return []
    read = {info.number for info in infos if info.trace == trace}
    added = []
    for number, tally in survey.tallies.items():
        session = survey.sessions.get(number, Session(number))
        if number in read or not is_allowed(number, session, scope):
            continue
        run = FoundRun(trace, number, (), session.started_ns, session.ended_ns)
        info = _place(run, kernels, {})
        added.append(replace(info, executions=tally.executions, remark=session.remark))
    return added


def _moment(info: SessionInfo) -> tuple[int, int]:
    return (info.started_ns or 0, info.number)


Homes = Mapping[str, Mapping[str, float]]


def _homes(heard: Evidence) -> Homes:
    """For each source of a notebook's cells, how much it speaks for which notebook."""
    places: dict[str, set[str]] = {}
    for document in heard.documents:
        if document.trace.notebook is None:
            continue
        for cell in document.cells:
            source = cell.source.strip()
            if cell.kind == "code" and source and not is_look(source):
                places.setdefault(source, set()).add(document.trace.notebook)
    return {
        source: dict.fromkeys(notebooks, 1 / len(notebooks)) for source, notebooks in places.items()
    }


def _place(run: FoundRun, kernels: Iterable[FoundKernel], homes: Homes) -> SessionInfo:
    info = SessionInfo(
        run.trace,
        run.session,
        run.started_ns,
        run.ended_ns,
        len(run.executions),
        run.remark,
        preview(run),
    )
    if run.notebook is not None and run.certain:
        return replace(info, notebook=run.notebook, likelihood=1.0, why="the trace names it")
    kernel = _kernel_of(run, kernels)
    if kernel is not None:
        words = "a kernel was started for it at that moment"
        return replace(info, notebook=kernel.notebook, likelihood=1.0, why=words)
    return _guess(info, run, homes)


def _kernel_of(run: FoundRun, kernels: Iterable[FoundKernel]) -> FoundKernel | None:
    if run.started_ns is None:
        return None
    near = [
        (abs(kernel.started_ns - run.started_ns), number, kernel)
        for number, kernel in enumerate(kernels)
        if kernel.started_ns is not None and -AFTER <= kernel.started_ns - run.started_ns <= BEFORE
    ]
    return min(near)[2] if near else None


def _guess(info: SessionInfo, run: FoundRun, homes: Homes) -> SessionInfo:
    telling = {each.source.strip() for each in run.executions if not is_look(each.source)}
    votes: Counter[str] = Counter()
    known = 0
    for source in telling:
        known += source in homes
        votes.update(homes.get(source, {}))
    if not votes:
        return info
    notebook = max(votes, key=lambda name: (votes[name], name))
    share = votes[notebook] / len(telling)
    if share < LIKELY:
        return info
    words = f"{known} of its {len(telling)} different cells are this notebook's"
    return replace(info, notebook=notebook, likelihood=min(share, 0.99), why=words)


def preview(run: FoundRun) -> str:
    """The first line that was run."""
    for executed in run.executions:
        for line in executed.source.splitlines():
            if line.strip():
                return line.strip()[:_PREVIEW]
    return ""


def of_notebook(sessions: Iterable[SessionInfo], notebook: Path) -> Iterator[SessionInfo]:
    """The sessions that most likely belong to that notebook."""
    return (each for each in sessions if each.notebook == str(notebook))
