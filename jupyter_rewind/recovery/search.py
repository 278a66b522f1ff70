"""Asks every finder: first what there is (`look`), then what it testifies to (`gather`).

A finder that fails costs itself alone. What a document or a connection file tells is handed on as
hints, so that large histories are read where it counts.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from jupyter_rewind import clock
from jupyter_rewind.recovery.ahead import TO_COME, age_of, in_order
from jupyter_rewind.recovery.evidence import (
    Evidence,
    Finder,
    FoundRun,
    Hints,
    Problem,
    Scope,
    Trace,
)
from jupyter_rewind.recovery.lineends import plain
from jupyter_rewind.recovery.regular import NO_FILE
from jupyter_rewind.recovery.thinning import select
from jupyter_rewind.recovery.traces import ALL
from jupyter_rewind.recovery.traces.history import HistoryFinder
from jupyter_rewind.recovery.traces.present import PresentFinder
from jupyter_rewind.recovery.zones import in_one_zone

DAY_NS = 86_400_000_000_000
SKEW_NS = 600_000_000_000
"""No clocks of two machines that share a disk differ by more. A notebook's own file of a later time
would seem newer than all that ran; of other traces, the time of day may be another zone's."""
_NO_TIME = (
    "{reason}: a clock was wrong. What ran since it was saved is told by the numbers of its cells."
)
_LAST_NS = 253_402_300_799_000_000_000 - DAY_NS
"""The end of the year 9999, less what a zone may add."""
_START_NS = 120_000_000_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """A kind of trace and where it was looked for."""

    kind: str
    title: str
    where: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a look brought: traces in the order of their finders, and what could not be seen."""

    traces: tuple[Trace, ...]
    problems: tuple[Problem, ...]
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Nothing:
    """That traces gave not one cell: what of them could not be read, and what is left to try."""

    problems: tuple[Problem, ...]
    next_steps: tuple[str, ...]


def look(scope: Scope, finders: Sequence[Finder] = ALL) -> Found:
    """Every trace in `scope`; none of them is read."""
    traces: list[Trace] = []
    problems: list[Problem] = []
    asked = [each for each in finders if _is_asked(each, scope)]
    for number, finder in enumerate(asked):
        scope.progress(f"Looking for {finder.title}", number / len(asked))
        _collect(finder, scope, traces, problems)
    placed = in_order(traces, clock.now_ns() + DAY_NS)
    return Found(tuple(placed), tuple(problems), places(scope, finders))


def places(scope: Scope, finders: Sequence[Finder] = ALL) -> tuple[Place, ...]:
    """Every kind of trace that is looked for, and where that is on the scope's platform."""
    return tuple(
        Place(each.kind, each.title, where_on(each, scope.platform))
        for each in finders
        if _is_asked(each, scope)
    )


def _is_asked(finder: Finder, scope: Scope) -> bool:
    """Whether `finder` is one that always looks, or the user asked for it."""
    if not finder.asked_only:
        return True
    return scope.memory if finder.kind == "memory" else bool(scope.scan)


def where_on(finder: Finder, platform: str) -> str:
    """Where `finder` looks on a platform as `sys.platform` names it."""
    name = {"darwin": "macos", "win32": "windows"}.get(platform, platform)
    return finder.where.get(name) or finder.where.get("linux", "")


def _collect(finder: Finder, scope: Scope, traces: list[Trace], problems: list[Problem]) -> None:
    """What `finder` finds is in `traces`; what it finds before it fails, too."""

    def hear() -> None:
        for each in finder.find(scope):
            found = each if isinstance(each, Problem) else _as_it_lies(each)
            if isinstance(found, Problem):
                problems.append(found)
                continue
            traces.append(found)
            reason = _wrong_time(each) if isinstance(each, Trace) else None
            if found.kind == PresentFinder.kind and found.size_bytes and reason is not None:
                words = _NO_TIME.format(reason=reason.capitalize())
                problems.append(Problem(found.place, words, found))

    problems += _guarded(finder.title, None, hear)


def _as_it_lies(trace: Trace) -> Trace | Problem:
    """The trace; one that is an empty file holds nothing, a pipe or a device is none at all. The
    time of a file that cannot be is none."""
    status = _status_of(trace.place)
    if status is not None and not stat.S_ISDIR(status.st_mode):
        if not stat.S_ISREG(status.st_mode):
            return Problem(trace.place, NO_FILE)
        if status.st_size == 0 and not trace.place.startswith("/proc/"):
            trace = replace(trace, holds=frozenset(), problem=trace.problem or "0 bytes")
    is_file = status is not None and stat.S_ISREG(status.st_mode)
    reason = _wrong_time(trace)
    is_placed = trace.kind != PresentFinder.kind and trace.problem is None
    if reason == TO_COME and not (is_file and not is_placed):
        # It gets its place among the others; what is in no file has its own order.
        return replace(trace, problem=reason) if is_file else trace
    if reason is not None:
        trace = replace(trace, time_ns=None, problem=trace.problem or reason)
    return trace


def _status_of(place: str) -> os.stat_result | None:
    """Of a place that is a file's or a folder's; there may be none, or one in a file."""
    try:
        return os.stat(place) if os.path.isabs(place) else None
    except (OSError, ValueError):
        return None


def _wrong_time(trace: Trace) -> str | None:
    """What is wrong with it: nothing is the newest of all because a clock was wrong, and a number
    that is no date at all is not told."""
    time_ns = trace.time_ns or 0
    if not 0 <= time_ns <= _LAST_NS:
        return "its time is none that a calendar has" if time_ns > 0 else "its time is before 1970"
    ahead = SKEW_NS if trace.kind == PresentFinder.kind else DAY_NS
    return TO_COME if time_ns > clock.now_ns() + ahead else None


def gather(
    scope: Scope,
    traces: Iterable[Trace],
    finders: Sequence[Finder] = ALL,
    version: str = "",
) -> Evidence:
    """What `traces` testify to, read in the order of the finders; failures are its problems.

    Of many documents some are not read (`unread`), or only where they are like the notebook; those
    in whose place `version` is are.
    """
    chosen = select(scope, tuple(traces), version)
    heard = Evidence(unread=chosen.left)
    for number, trace in enumerate(chosen.read):
        scope.progress(f"Reading {trace.place}", number / len(chosen.read))
        # Made for each of many notebooks, they would cost more than these.
        is_history = trace.kind == HistoryFinder.kind
        hinted = replace(scope, hints=hints_of(heard, scope)) if is_history else scope
        heard += _read(trace, hinted, finders)
    if chosen.compare:
        from jupyter_rewind.recovery.nameless import alike_among

        heard += alike_among(scope, chosen.compare, heard, lambda each: _read(each, scope, finders))
    return until(in_one_zone(heard), scope)


def _read(trace: Trace, scope: Scope, finders: Sequence[Finder]) -> Evidence:
    """What its finder reads in the trace; a failure is a problem."""
    finder = next(each for each in finders if each.kind == trace.kind)
    more: list[Evidence] = []
    problems = _guarded(trace.place, trace, lambda: more.append(finder.read(trace, scope)))
    return _placed(plain(sum(more, Evidence(problems=tuple(problems)))), trace)


def _placed(heard: Evidence, trace: Trace) -> Evidence:
    """`heard` from a trace that may have been dated ahead: what it holds was, too, and has the
    place of the trace."""
    if trace.problem != TO_COME:
        return heard
    latest_ns = clock.now_ns() + DAY_NS
    documents = (
        replace(each, time_ns=None) if (each.time_ns or 0) > latest_ns else each
        for each in heard.documents
    )
    return replace(heard, documents=tuple(documents))


def hints_of(heard: Evidence, scope: Scope) -> Hints:
    """What is known so far: cells of documents, and when kernels of the notebook started."""
    notebook = None if scope.notebook is None else str(scope.notebook)
    sources = frozenset(
        cell.source
        for document in heard.documents
        for cell in document.cells
        if cell.kind == "code" and cell.source.strip()
    )
    windows = tuple(
        (kernel.started_ns - _START_NS, kernel.started_ns + _START_NS)
        for kernel in heard.kernels
        if kernel.started_ns is not None and (notebook is None or kernel.notebook == notebook)
    )
    return Hints(sources, windows)


def until(heard: Evidence, scope: Scope) -> Evidence:
    """`heard` without documents of a later time than the one asked for, and without runs that
    began after it, or ended before the earliest that was asked for."""
    if scope.until_ns is None and scope.since_ns is None:
        return heard
    last = scope.until_ns
    documents = tuple(each for each in heard.documents if last is None or age_of(each)[0] <= last)
    runs = tuple(_cut(each, last) for each in heard.runs if _is_within(each, scope))
    return replace(heard, documents=documents, runs=runs)


def _is_within(run: FoundRun, scope: Scope) -> bool:
    """Whether the run may have run something in the time asked for; one that was named has."""
    if scope.sessions and run.session in scope.sessions:
        return True
    times = [each.time_ns for each in run.executions if each.time_ns is not None]
    ended = run.ended_ns if run.ended_ns is not None else max(times, default=None)
    if scope.since_ns is not None and ended is not None and ended < scope.since_ns:
        return False
    began = run.started_ns if run.started_ns is not None else min(times, default=None)
    return scope.until_ns is None or began is None or began <= scope.until_ns


def _cut(run: FoundRun, last: int | None) -> FoundRun:
    """The run without what is known to have run later."""
    if last is None:
        return run
    kept = tuple(each for each in run.executions if each.time_ns is None or each.time_ns <= last)
    return replace(run, executions=kept)


def _guarded(place: str, trace: Trace | None, act: Callable[[], None]) -> list[Problem]:
    """Runs `act` on what strangers wrote: whatever it fails with costs this trace alone."""
    try:
        act()
    except Exception as error:
        told = error.strerror if isinstance(error, OSError) else None
        reason = told or str(error).strip() or type(error).__name__
        return [Problem(place, f"It could not be read: {reason}", trace)]
    return []


def notebooks_in(traces: Iterable[Trace]) -> list[Path]:
    """The notebooks that traces name, sorted."""
    return sorted({Path(each.notebook) for each in traces if each.notebook})
