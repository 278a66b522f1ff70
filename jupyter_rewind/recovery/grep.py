"""Searches all code that was ever run here: by text, by regular expression, by what it defines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from jupyter_rewind.errors import InvalidInput, RewindError
from jupyter_rewind.recovery.definitions import find_definitions, parse_query
from jupyter_rewind.recovery.evidence import Evidence, Finder, FoundRun, Problem, Scope, Trace
from jupyter_rewind.recovery.histories import Session
from jupyter_rewind.recovery.historyfiles import Stream
from jupyter_rewind.recovery.selection import is_allowed
from jupyter_rewind.recovery.traces.history import HistoryFinder
from jupyter_rewind.recovery.traces.live import LiveKernelFinder
from jupyter_rewind.recovery.traces.rewind import RewindFinder, journaled

SEARCHED: tuple[Finder, ...] = (HistoryFinder(), LiveKernelFinder(), RewindFinder())
"""Where code that was run is told of, in the order in which it is searched."""
Lines = tuple[int, ...]
Match = Callable[[str], Lines]


@dataclass(frozen=True, slots=True)
class Hit:
    """One execution that fits. `lines` are those of `source` (from 1) that do."""

    trace: Trace
    session: int
    line: int
    started_ns: int | None
    source: str
    lines: Lines
    notebook: str | None = None


def by_pattern(pattern: str, *, regex: bool = True, ignore_case: bool = False) -> Match:
    """Fits sources in which the pattern is found, within a line or over several.

    Raises InvalidInput where it is no regular expression.
    """
    flags = re.MULTILINE | (re.IGNORECASE if ignore_case else 0)
    try:
        compiled = re.compile(pattern if regex else re.escape(pattern), flags)
    except (re.error, OverflowError) as error:
        raise InvalidInput(
            f"{pattern!r} is no regular expression: {error}.",
            hint="Put a backslash before ( ) [ ] . * + ? to mean them literally.",
        ) from error

    def match(source: str) -> Lines:
        return tuple(dict.fromkeys(_lines_of(source, compiled)))

    return match


def _lines_of(source: str, compiled: re.Pattern[str]) -> Iterator[int]:
    at, row = 0, 1
    for found in compiled.finditer(source):
        row += source.count("\n", at, found.start())
        at = found.start()
        yield row


def by_definition(query: str) -> Match:
    """Fits sources that define what the query names, as `def f`. Raises InvalidInput."""
    wanted = parse_query(query)

    def match(source: str) -> Lines:
        rows: dict[int, None] = {}
        for each in find_definitions(source, wanted):
            rows |= dict.fromkeys(range(each.first, each.last + 1))
        return tuple(sorted(rows))

    return match


def grep(scope: Scope, match: Match) -> Iterator[Hit | Problem]:
    """Every execution that fits, history after history; what could not be searched is a problem.

    Each text is given once per session: a cell that was run again unchanged says nothing new.
    Running kernels and Rewind's journal, of all notebooks, give what no history has.
    """
    history, live, _ = SEARCHED
    seen: set[int] = set()
    for hit in _in_traces(history, scope, match):
        if isinstance(hit, Hit):
            seen.add(hash(hit.source.rstrip()))
        yield hit
    everywhere = replace(scope, folder=Path(scope.folder.anchor), notebook=None)
    for hit in (*_in_traces(live, everywhere, match), *_in_journal(everywhere, match)):
        if isinstance(hit, Problem) or hash(hit.source.rstrip()) not in seen:
            yield hit


def _in_traces(finder: Finder, scope: Scope, match: Match) -> Iterator[Hit | Problem]:
    for trace in finder.find(scope):
        if isinstance(trace, Problem):
            yield trace
            continue
        scope.progress(f"searching {trace.place}", None)
        try:
            if trace.kind == HistoryFinder.kind:
                yield from _in_history(trace, scope, match)
            else:
                yield from _in_evidence(finder.read(trace, scope), scope, match)
        except (RewindError, OSError) as error:
            yield Problem(trace.place, f"It could not be searched: {error}", trace)


def _in_journal(scope: Scope, match: Match) -> Iterator[Hit | Problem]:
    scope.progress("searching what Rewind recorded", None)
    for found in journaled(scope):
        if isinstance(found, Problem):
            yield found
        elif is_allowed(found.session, _session_of(found), scope):
            yield from _in_run(found, match)


def _in_history(trace: Trace, scope: Scope, match: Match) -> Iterator[Hit | Problem]:
    stream = Stream(Path(trace.place), scope)
    seen: set[tuple[int, int]] = set()
    for ran in stream:
        session = stream.sessions.get(ran.session)
        if not is_allowed(ran.session, session, scope, trace.time_ns):
            continue
        lines = match(ran.source)
        key = (ran.session, hash(ran.source))
        if lines and key not in seen:
            seen.add(key)
            started = session.started_ns if session else None
            yield Hit(trace, ran.session, ran.line, started, ran.source, lines)
    yield from stream.problems


def _in_evidence(heard: Evidence, scope: Scope, match: Match) -> Iterator[Hit | Problem]:
    yield from heard.problems
    for run in heard.runs:
        if is_allowed(run.session, _session_of(run), scope):
            yield from _in_run(run, match)


def _session_of(run: FoundRun) -> Session:
    return Session(run.session, run.started_ns, run.ended_ns)


def _in_run(run: FoundRun, match: Match) -> Iterator[Hit]:
    seen: set[str] = set()
    for executed in run.executions:
        lines = match(executed.source)
        if lines and executed.source not in seen:
            seen.add(executed.source)
            started = executed.time_ns or run.started_ns
            source = executed.source
            yield Hit(run.trace, run.session, executed.line, started, source, lines, run.notebook)
