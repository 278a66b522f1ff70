"""Histories that were written in another time zone than the one in which they are read.

IPython notes in local time when a session began, and not where that was: who has travelled since,
or reads what a container wrote, reads it hours off. The files of kernels have their true times. So
where sessions began just after kernels, but for one number of quarters of an hour, that is it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from jupyter_rewind.recovery.evidence import Evidence, FoundKernel, FoundRun, Problem
from jupyter_rewind.recovery.kernelruns import SECOND, Moments, is_ipython

HOUR = 3600 * SECOND
QUARTER = HOUR // 4
FARTHEST = 26 * HOUR
"""From one end of the zones to the other."""
_EARLY, _LATE = SECOND // 5, 5 * SECOND
_LONG_AGO = 7 * 24 * HOUR
_ENOUGH = 2
"""So many kernels that tell of one zone are no chance."""


@dataclass(frozen=True, slots=True)
class _Vote:
    """The run (by its place among all) began so many quarters of an hour off the kernel's start."""

    run: int
    kernel: int
    quarters: int


def in_one_zone(heard: Evidence) -> Evidence:
    """`heard` with the times of each history as they were in truth, as far as kernels tell."""
    runs, problems = list(heard.runs), list[Problem]()
    kernels = list(_kernels(heard.kernels))
    at_zero = Moments(runs, kernels).kernels_of()
    for place, numbers in _by_history(runs).items():
        off = _quarters_off(runs, numbers, kernels, at_zero)
        if not off:
            continue
        moved = {(runs[at].session, runs[at].started_ns): by for at, by in off.items()}
        runs = [_moved(each, moved.get((each.session, each.started_ns), 0)) for each in runs]
        trace = runs[numbers[0]].trace
        problems.append(Problem(place, _in_words(next(iter(off.values()))), trace))
    if not problems:
        return heard
    return replace(heard, runs=tuple(runs), problems=(*heard.problems, *problems))


def _kernels(kernels: Iterable[FoundKernel]) -> Iterator[FoundKernel]:
    """Those that may have a session, each once: a file and a process may tell of one."""
    seen = set[str]()
    for each in kernels:
        if each.started_ns is None or not is_ipython(each.language) or each.kernel in seen:
            continue
        seen |= {each.kernel} - {""}
        yield each


def _by_history(runs: Sequence[FoundRun]) -> Mapping[str, list[int]]:
    """The places of the numbered runs of each history, in the order of their numbers."""
    found: dict[str, list[int]] = defaultdict(list)
    for at, run in enumerate(runs):
        if run.session and run.started_ns is not None and run.trace.notebook is None:
            found[run.trace.place].append(at)
    return {place: sorted(each, key=lambda at: runs[at].session) for place, each in found.items()}


def _quarters_off(
    runs: Sequence[FoundRun],
    numbers: Sequence[int],
    kernels: Sequence[FoundKernel],
    at_zero: Mapping[int, FoundKernel],
) -> dict[int, int]:
    """By how many quarters of an hour each run is read too late; those that are read right left
    out. `at_zero` has the kernels of runs that seem to be read right."""
    right = [at for at in numbers if at in at_zero]
    votes = list(_votes(runs, numbers, kernels))
    quarters = _chosen(votes, (), runs)
    known = {each.run: quarters for each in votes if each.quarters == quarters}
    if not quarters or len(known) < 2 * len(right):  # jobs of every hour fit an hour off, too
        told = {id(each) for each in at_zero.values()}
        open_ = [each for each in kernels if id(each) not in told]
        votes = list(_votes(runs, [at for at in numbers if at not in at_zero], open_))
        quarters = _chosen(votes, [runs[at].started_ns or 0 for at in right], runs)
        known = {each.run: quarters for each in votes if each.quarters == quarters}
        known |= dict.fromkeys(right, 0)
    if not quarters:
        return {}
    sure = [place for place, at in enumerate(numbers) if at in known]
    found = {}
    for place, at in enumerate(numbers):
        nearest = min(sure, key=lambda each: abs(each - place))
        if known[numbers[nearest]]:
            found[at] = quarters
    return found


def _votes(
    runs: Sequence[FoundRun], numbers: Sequence[int], kernels: Sequence[FoundKernel]
) -> Iterator[_Vote]:
    """Every run that began as one does after its kernel's file was written, in another zone."""
    starts = sorted((runs[at].started_ns or 0, at) for at in numbers)
    for which, kernel in enumerate(kernels):
        began = kernel.started_ns or 0
        for started, at in starts[bisect_left(starts, (began - FARTHEST, -1)) :]:
            if started - began > FARTHEST + _LATE:
                break
            quarters = (started - began + _EARLY) // QUARTER
            if quarters and started - began - quarters * QUARTER <= _LATE:
                yield _Vote(at, which, quarters)


def _chosen(votes: Sequence[_Vote], right: Sequence[int], runs: Sequence[FoundRun]) -> int:
    """The zone that most kernels tell, in quarters of an hour; 0 where that may be chance.

    `right` are the starts of runs that are read right.
    """
    told: dict[int, tuple[set[int], set[int]]] = defaultdict(lambda: (set(), set()))
    for each in votes:
        told[each.quarters][0].add(each.kernel)
        told[each.quarters][1].add(each.run)
    # Files that a copy gave one time tell of one moment, however many they are.
    pairs = {quarters: min(map(len, each)) for quarters, each in told.items()}
    first, *others = sorted(pairs, key=lambda each: -pairs[each]) or [0]
    most, every = pairs.get(first, 0), {each.kernel for each in votes}
    if most >= _ENOUGH and 2 * most >= len(every):
        return first if not others or pairs[others[0]] < most else 0
    if len(votes) != 1 or first % 4:
        return 0
    began = runs[votes[0].run].started_ns or 0
    return 0 if any(abs(each - began) < _LONG_AGO for each in right) else first


def _moved(run: FoundRun, quarters: int) -> FoundRun:
    if not quarters or run.started_ns is None:
        return run
    started, ended = run.started_ns - quarters * QUARTER, run.ended_ns
    if run.utc_end_ns is not None:
        ended = run.utc_end_ns  # IPython 9 says of the end where that was
    elif ended is not None:
        ended -= quarters * QUARTER
    ended = ended if ended is None or ended >= started else None
    return replace(run, started_ns=started, ended_ns=ended)


def _in_words(quarters: int) -> str:
    hours = abs(quarters) / 4
    count = "1 hour" if hours == 1 else f"{hours:g} hours"
    where = "ahead of" if quarters > 0 else "behind"
    return (
        f"Its times are {count} {where} those of the kernels' files: it was written in another time"
        " zone. They were taken as they were in truth."
    )
