"""The sessions of all histories, each with the notebook that it most likely belongs to.

It is the notebook that recovering would lay the session over (`attribution.py`): one rule for both,
so that what is listed here is what is brought back there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from jupyter_rewind.errors import RewindError
from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.attribution import Attribution
from jupyter_rewind.recovery.evidence import (
    Evidence,
    Executed,
    FoundDocument,
    FoundRun,
    Problem,
    Scope,
    Trace,
)
from jupyter_rewind.recovery.fit import HALF, Rank
from jupyter_rewind.recovery.histories import Session
from jupyter_rewind.recovery.historyfiles import LARGE_BYTES
from jupyter_rewind.recovery.largehistories import survey_large
from jupyter_rewind.recovery.likeness import is_look
from jupyter_rewind.recovery.sameruns import is_same_kernel
from jupyter_rewind.recovery.selection import is_allowed
from jupyter_rewind.recovery.siblings import brought_back_at, with_rivals_around
from jupyter_rewind.recovery.traces.history import HistoryFinder

MOST_NOTEBOOKS = 1000
"""So many are compared with all sessions."""
_PREVIEW = 80
_SURE = 0.95


class _Claim(NamedTuple):
    """How well a session fits a notebook, whether more than likeness says so, how sure it is of it,
    its path, and why; `is_before` where the notebook was brought back after it began."""

    rank: Rank
    is_told: bool
    share: float
    notebook: str
    words: str
    is_before: bool = False

    @property
    def shows(self) -> bool:
        """Whether most of what is saved there is what was run."""
        return self.rank[0]


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
    for trace in found.traces:
        if trace.kind == HistoryFinder.kind and trace.size_bytes > LARGE_BYTES:
            heard += Evidence(runs=tuple(_unread(trace, heard, scope)))
    placed = Attribution(with_rivals_around(heard, scope))
    return Sessions(tuple(place_all(placed)), found.problems + heard.problems)


def place_all(placed: Attribution) -> list[SessionInfo]:
    """All sessions that ran anything, each with the notebook that recovering would take it for."""
    claims: dict[int, list[_Claim]] = {}
    results = _results(placed.evidence.documents)
    numbers = {id(run): number for number, run in enumerate(placed.runs)}
    for notebook, sources in candidates(placed).items():
        for each in placed.of(Path(notebook), sources):
            if not sources and not each.certain and each.odds == 1:
                continue  # the newest session, of which nothing speaks
            number = numbers[id(each.run)]
            fit = placed.rivals.rank(number, notebook)
            is_before = results.get(notebook, 0) > (each.run.started_ns or 0)
            told = not each.by_likeness
            claim = _Claim(fit, told, each.share, notebook, each.words, is_before)
            claims.setdefault(number, []).append(claim)
    twice = _told_twice(placed.runs)
    for number, other in twice.items():
        claims.setdefault(other, []).extend(claims.get(number, []))
    infos = []
    for number, run in enumerate(placed.runs):
        if number in twice:
            continue
        share, notebook, words = _settle(claims.get(number, []))
        infos.append(
            SessionInfo(
                run.trace,
                run.session,
                run.started_ns,
                run.ended_ns,
                len(run.executions),
                run.remark,
                preview(run),
                notebook or None,
                share,
                words,
            )
        )
    return sorted(infos, key=_moment)


def _told_twice(runs: Sequence[FoundRun]) -> dict[int, int]:
    """The runs of Rewind's journal that a history tells of, too: each is its numbered session."""
    return {
        number: other
        for number, run in enumerate(runs)
        if not run.session
        for other, each in enumerate(runs)
        if is_same_kernel(run, each)
    }


def _results(documents: Iterable[FoundDocument]) -> dict[str, int]:
    """When notebooks that were brought back were, by their paths."""
    found = ((each.trace.notebook, brought_back_at(each)) for each in documents)
    return {notebook: at for notebook, at in found if notebook is not None and at is not None}


def _settle(claims: list[_Claim]) -> tuple[float, str, str]:
    """The best of the claims; where others are as good as it, each is the less likely for it.

    A name that a kernel was started under gives way to the notebook that has its cells.
    """
    if not claims:
        return 0.0, "", ""
    claims = [each for each in claims if not each.is_before] or claims
    sure = [each for each in claims if each.share >= _SURE]
    if sure and not max(sure).shows:
        sure += [each for each in claims if each.shows and HALF <= each.share < _SURE]
    best = max(sure) if sure else max(claims, key=lambda each: (each.share, each.rank))
    share, as_good = best.share, [each for each in sure or claims if each.rank >= best.rank]
    if share < 1:
        share *= share / sum(each.share for each in (as_good if sure else claims))
    return share, best.notebook, best.words


def candidates(placed: Attribution) -> dict[str, set[str]]:
    """The notebooks that any of the runs may be of, each with the code of its documents.

    Those that a trace names for a run, and those that share code with one; where they are many,
    the ones that share most.
    """
    sources: dict[str, set[str]] = {}
    for document in placed.evidence.documents:
        if document.trace.notebook is not None:
            own = sources.setdefault(document.trace.notebook, set())
            own.update(each.source.rstrip() for each in document.cells if each.kind == "code")
    ran = {source for source in placed.words.in_source if source and not is_look(source)}
    shared = {notebook: len(ran & own) for notebook, own in sources.items()}
    named = {run.notebook for run in placed.runs if run.notebook and run.certain}
    named |= {each.kernel.notebook for each in placed.began.values() if each.kernel is not None}
    alike = sorted((each for each in shared if shared[each]), key=lambda each: -shared[each])
    wanted = [*sorted(named), *(each for each in alike if each not in named)][:MOST_NOTEBOOKS]
    return {each: sources.get(each, set()) for each in wanted}


def _unread(trace: Trace, heard: Evidence, scope: Scope) -> Iterator[FoundRun]:
    """The sessions of a large history of which no code was read, as runs of blank cells."""
    try:
        survey = survey_large(Path(trace.place), scope)
    except (sqlite3.DatabaseError, RewindError):
        # Then it was read whole, page by page.
        return
    if survey is None:
        return
    read = {run.session for run in heard.runs if run.trace == trace and run.executions}
    for number, tally in survey.tallies.items():
        session = survey.sessions.get(number, Session(number))
        if number not in read and is_allowed(number, session, scope, trace.time_ns):
            blank = tuple(Executed(line, "") for line in range(1, tally.executions + 1))
            yield FoundRun(
                trace, number, blank, session.started_ns, session.ended_ns, remark=session.remark
            )


def _moment(info: SessionInfo) -> tuple[int, int]:
    return (info.started_ns or 0, info.number)


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
