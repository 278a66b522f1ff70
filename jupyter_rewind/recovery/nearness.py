"""How near in time runs are, and how much likeness that takes: a restart needs less of it."""

from __future__ import annotations

from collections.abc import Iterable

from jupyter_rewind.recovery.evidence import FoundRun
from jupyter_rewind.recovery.kernelruns import SECOND

AT_ONCE, ENOUGH = 0.6, 0.35
"""So much of a run at home in a notebook makes it the notebook's, where nothing else speaks:
certainly, and rather so."""
RESTART = 180 * SECOND


def needed(run: FoundRun, chosen: Iterable[FoundRun]) -> float:
    """Less where a restart lies between it and a run of the notebook, more while one went on."""
    least = ENOUGH
    for other in chosen:
        if _within(run, other):
            return AT_ONCE
        if _restarted(other, run) or _restarted(run, other):
            least = ENOUGH - 0.2
    return least


def _within(run: FoundRun, other: FoundRun) -> bool:
    if run.started_ns is None or other.started_ns is None or other.ended_ns is None:
        return False
    return other.started_ns < run.started_ns < other.ended_ns


def _restarted(first: FoundRun, second: FoundRun) -> bool:
    if first.ended_ns is None or second.started_ns is None:
        return False
    return 0 <= second.started_ns - first.ended_ns <= RESTART


def moment(run: FoundRun) -> tuple[int, int]:
    """What runs are put in order by."""
    return (run.started_ns or 0, run.session)


def last_moment(run: FoundRun) -> tuple[int, int]:
    """When the run is known to have gone on last: what was lost just now was worked on last."""
    return max(run.ended_ns or 0, run.started_ns or 0), run.session
