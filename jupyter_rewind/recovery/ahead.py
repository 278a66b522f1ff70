"""Where versions belong that a clock dated ahead: in their store's order, and above no right date.

Git and Rewind list the versions of a notebook one behind the other, whatever their dates are. One
of a time to come stands right behind the older one that has a right date. Where there is none, and
in an archive, nobody knows when it was: it is newer than nothing else, and the order of those that
were dated ahead together is theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jupyter_rewind.recovery.evidence import Trace
from jupyter_rewind.recovery.traces.git import BRANCH, DROPPED, FETCHED, GitFinder
from jupyter_rewind.recovery.traces.rewind import CHECKPOINT, RewindFinder
from jupyter_rewind.recovery.traces.scan import MEMBER

TO_COME = "its time is still to come"


def in_order(traces: Sequence[Trace], latest_ns: int) -> list[Trace]:
    """The traces of one finder, as it listed them; those of a later time than `latest_ns` have the
    time that their order gives them, or none, and their place among those of none."""
    found = list(traces)
    groups: dict[tuple[str | None, bool, bool], list[int]] = {}
    undated: list[int] = []
    for at, trace in enumerate(found):
        if is_listed_in_order(trace):
            key = (trace.notebook, FETCHED in trace.handle, BRANCH in trace.handle)
            groups.setdefault(key, []).append(at)
        elif not {MEMBER, DROPPED}.isdisjoint(trace.handle) and (trace.time_ns or 0) > latest_ns:
            undated.append(at)
    undated.sort(key=lambda at: found[at].time_ns or 0)
    for order, at in enumerate(undated, start=1):
        found[at] = _placed(found[at], None, order)
    for group in groups.values():
        before: int | None = None
        # They are listed the newest first.
        for order, at in enumerate(reversed(group), start=1):
            time_ns = found[at].time_ns
            if time_ns is not None and time_ns > latest_ns:
                before = None if before is None else before + 1
                found[at] = _placed(found[at], before, order)
            else:
                before = time_ns
    return found


def is_listed_in_order(trace: Trace) -> bool:
    """Whether its finder lists it before all older versions of the notebook, whatever their dates
    are."""
    if trace.kind == GitFinder.kind:
        return DROPPED not in trace.handle
    return trace.kind == RewindFinder.kind and CHECKPOINT in trace.handle


def _placed(trace: Trace, time_ns: int | None, order: int) -> Trace:
    return replace(trace, time_ns=time_ns, problem=trace.problem or TO_COME, order=order)
