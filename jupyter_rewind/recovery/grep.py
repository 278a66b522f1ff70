"""Searches all code that was ever run here: by text, by regular expression, by what it defines.

An expression may take for ever on a single text, such as `(a+)+$`. So each text has its time; one
that takes longer is a problem that is told, and after a few of them the search is given up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from jupyter_rewind.errors import InvalidInput, RewindError
from jupyter_rewind.notebooks.expressions import require_bounded
from jupyter_rewind.recovery.definitions import find_definitions, parse_query
from jupyter_rewind.recovery.evidence import (
    Evidence,
    Finder,
    FoundRun,
    Fragment,
    Problem,
    Scope,
    Trace,
)
from jupyter_rewind.recovery.fragments import AS_IT_LIVES, MAY_BE_CHANGED
from jupyter_rewind.recovery.histories import Session
from jupyter_rewind.recovery.historyfiles import Stream
from jupyter_rewind.recovery.selection import is_allowed
from jupyter_rewind.recovery.traces.history import HistoryFinder
from jupyter_rewind.recovery.traces.live import LiveKernelFinder
from jupyter_rewind.recovery.traces.rewind import RewindFinder, journaled

SEARCHED: tuple[Finder, ...] = (HistoryFinder(), LiveKernelFinder(), RewindFinder())
"""Where code that was run is told of, in the order in which it is searched."""
TEXT_SECONDS = 2.0
MOST_SLOW = 3
Lines = tuple[int, ...]
Match = Callable[[str], Lines | None]
"""Gives the lines of a text that fit; None where that took too long to find out."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One execution that fits. `lines` are those of `source` (from 1) that do.

    `words` say why it may not be what was run, or that it is none: then its `line` is 0.
    """

    trace: Trace
    session: int
    line: int
    started_ns: int | None
    source: str
    lines: Lines
    notebook: str | None = None
    words: str = ""


def by_pattern(pattern: str, *, regex: bool = True, ignore_case: bool = False) -> Match:
    """Fits sources in which the pattern is found, within a line or over several.

    Raises InvalidInput where it is no regular expression, and from the match where it is too slow.
    """
    if not regex:
        plain = re.compile(re.escape(pattern), re.IGNORECASE if ignore_case else 0)
        return lambda source: _rows(source, (each.start() for each in plain.finditer(source)))
    if _is_quick(pattern):
        return _quick(pattern, ignore_case)
    return _Expression(pattern, ignore_case)


def _is_quick(pattern: str) -> bool:
    """Whether nothing in it can take long: Python's engine, several times faster, will do."""
    return "|" not in pattern and sum(map(pattern.count, "*+?{")) <= 1


def _quick(pattern: str, ignore_case: bool) -> Match:
    flags = re.MULTILINE | (re.IGNORECASE if ignore_case else 0)
    try:
        compiled = re.compile(pattern, flags)
    except (re.error, OverflowError) as error:
        raise _no_expression(pattern, error) from error
    return lambda source: _rows(source, (each.start() for each in compiled.finditer(source)))


def _no_expression(pattern: str, error: Exception) -> InvalidInput:
    return InvalidInput(
        f"{pattern!r} is no regular expression: {error}.",
        hint="Put a backslash before ( ) [ ] . * + ? to mean them literally.",
    )


class _Expression:
    """A regular expression that is given so much time for each text, and so many tries."""

    def __init__(self, pattern: str, ignore_case: bool) -> None:
        # Python's own engine cannot be stopped.
        import regex

        require_bounded(pattern)
        flags = regex.MULTILINE | (regex.IGNORECASE if ignore_case else 0)
        try:
            self._compiled = regex.compile(pattern, flags)
        except (regex.error, OverflowError, RecursionError) as error:
            raise _no_expression(pattern, error) from error
        self._pattern, self._slow = pattern, 0

    def __call__(self, source: str) -> Lines | None:
        try:
            found = self._compiled.finditer(source, timeout=TEXT_SECONDS)
            return _rows(source, (each.start() for each in found))
        except TimeoutError as error:
            self._slow += 1
            if self._slow < MOST_SLOW:
                return None
            raise InvalidInput(
                f"The search was given up: {self._pattern!r} took more than {TEXT_SECONDS:.0f}"
                f" seconds for a single cell, {MOST_SLOW} times.",
                hint="Nested repetitions such as (a+)+ are slow: write a simpler expression, or"
                " search for plain text with --fixed. Nothing was changed.",
            ) from error


def _rows(source: str, places: Iterator[int]) -> Lines:
    """The lines in which these places lie, each once."""
    rows: dict[int, None] = {}
    at, row = 0, 1
    for place in places:
        row += source.count("\n", at, place)
        at = place
        rows[row] = None
    return tuple(rows)


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
        except InvalidInput:
            raise  # it is the expression, not the trace
        except (RewindError, OSError) as error:
            yield Problem(trace.place, f"It could not be searched: {error}", trace)


def _in_journal(scope: Scope, match: Match) -> Iterator[Hit | Problem]:
    scope.progress("searching what Rewind recorded", None)
    for found in journaled(scope):
        if isinstance(found, Problem):
            yield found
        elif is_allowed(found.session, _session_of(found), scope):
            yield from _in_run(found, match)


def _too_slow(trace: Trace, session: int, line: int) -> Problem:
    words = f"line {line}" if line else "a function"
    words = f"session {session}, {words}" if session else words
    return Problem(
        trace.place,
        f"The search took more than {TEXT_SECONDS:.0f} seconds in {words}: it was left out there.",
        trace,
    )


def _in_history(trace: Trace, scope: Scope, match: Match) -> Iterator[Hit | Problem]:
    stream = Stream(Path(trace.place), scope)
    seen: set[tuple[int, int]] = set()
    for ran in stream:
        session = stream.sessions.get(ran.session)
        if not is_allowed(ran.session, session, scope, trace.time_ns):
            continue
        key = (ran.session, hash(ran.source))
        if key in seen:
            continue
        lines = match(ran.source)
        if lines is None:
            yield _too_slow(trace, ran.session, ran.line)
        if lines or lines is None:
            seen.add(key)
        if lines:
            started = session.started_ns if session else None
            words = MAY_BE_CHANGED if ran.changed else ""
            yield Hit(trace, ran.session, ran.line, started, ran.source, lines, words=words)
    yield from stream.problems


def _in_evidence(heard: Evidence, scope: Scope, match: Match) -> Iterator[Hit | Problem]:
    yield from heard.problems
    for run in heard.runs:
        if is_allowed(run.session, _session_of(run), scope):
            yield from _in_run(run, match)
    ran = [executed.source for run in heard.runs for executed in run.executions]
    for each in heard.fragments:
        if not any(each.source.strip() in source for source in ran):
            yield from _in_fragment(each, match, scope)


def _in_fragment(fragment: Fragment, match: Match, scope: Scope) -> Iterator[Hit | Problem]:
    """A function or a class that lives in a kernel, and that no cell of its own shows."""
    trace, source = fragment.trace, fragment.source
    if scope.until_ns is not None:
        return  # it is as it is now
    lines = match(source)
    if lines is None:
        yield _too_slow(trace, fragment.session, 0)
    elif lines:
        words = f"{fragment.kind} {fragment.name}, {AS_IT_LIVES}"
        yield Hit(trace, fragment.session, 0, None, source, lines, trace.notebook, words)


def _session_of(run: FoundRun) -> Session:
    return Session(run.session, run.started_ns, run.ended_ns)


def _in_run(run: FoundRun, match: Match) -> Iterator[Hit | Problem]:
    seen: set[str] = set()
    for executed in run.executions:
        if executed.source in seen:
            continue
        lines = match(executed.source)
        if lines is None:
            yield _too_slow(run.trace, run.session, executed.line)
        if lines or lines is None:
            seen.add(executed.source)
        if lines:
            started = executed.time_ns or run.started_ns
            source = executed.source
            yield Hit(run.trace, run.session, executed.line, started, source, lines, run.notebook)
