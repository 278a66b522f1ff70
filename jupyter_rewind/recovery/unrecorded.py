"""Kernels that were started for a notebook after it was saved, and of which nobody knows the work.

Their language has no history, or it was switched off or deleted. What was saved before is an old
state then: of a checkpoint that is left alone, about every fourth cell had changed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import replace

from jupyter_rewind.recovery.attributed import Attributed
from jupyter_rewind.recovery.choosing import Base
from jupyter_rewind.recovery.evidence import ON_DISK, Evidence, FoundKernel
from jupyter_rewind.recovery.kernelruns import AFTER, BEFORE, SECOND

OPENED = 60 * SECOND
"""Who opens a notebook has its first checkpoint made, and a kernel started just then."""
AN_OLD_STATE = 0.75


def unrecorded(
    base: Base, evidence: Evidence, places: Collection[str], attributed: Sequence[Attributed]
) -> tuple[FoundKernel, ...]:
    """Those kernels, in the order of their starts; none where anything is known that ran since."""
    since = base.time_ns
    if base.document is None or base.document.trace.kind == ON_DISK or since is None:
        return ()
    if any((each.run.ended_ns or each.run.started_ns or since) > since for each in attributed):
        return ()
    starts = sorted(each.started_ns for each in evidence.runs if each.started_ns is not None)
    found = {
        each.started_ns: each
        for each in evidence.kernels
        if each.notebook in places and (each.started_ns or 0) > since + OPENED
    }
    return tuple(
        each
        for began, each in sorted(found.items(), key=lambda one: one[0] or 0)
        if not _has_one(starts, (began or 0) - BEFORE, (began or 0) + AFTER)
    )


def _has_one(starts: Sequence[int], first: int, last: int) -> bool:
    """Whether a session began between the two."""
    at = bisect_left(starts, first)
    return at < len(starts) and starts[at] <= last


def as_old(base: Base, kernels: Sequence[FoundKernel]) -> Base:
    """The base, whose cells are no surer than those of an old state where such kernels ran."""
    if not kernels:
        return base
    cells = (replace(each, surest=min(each.surest, AN_OLD_STATE)) for each in base.cells)
    return replace(base, cells=tuple(cells))
