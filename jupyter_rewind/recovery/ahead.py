"""Where versions belong that a clock dated ahead: in their order, and above no right date.

Git and Rewind list the versions of a notebook one behind the other, whatever their dates are. One
of a time to come stands right behind the older one that has a right date; what was dated ahead
together is in the order of its dates, whichever store it is in. Where no older one has a right
date, nobody knows when it was: it is newer than nothing but what was dated ahead before it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from jupyter_rewind.recovery.evidence import FoundDocument, Trace
from jupyter_rewind.recovery.traces.git import BRANCH, DROPPED, FETCHED, GitFinder
from jupyter_rewind.recovery.traces.rewind import (
    CHECKPOINT,
    CHECKPOINT_OF,
    KEPT_AS,
    RewindFinder,
)
from jupyter_rewind.recovery.traces.scan import MEMBER

TO_COME = "its time is still to come"


@dataclass(frozen=True, slots=True)
class _Ahead:
    """A trace that was dated ahead, by its number; the right dates of the versions around it."""

    number: int
    told_ns: int
    before_ns: int | None = None
    behind_ns: int | None = None


def in_order(traces: Sequence[Trace], latest_ns: int) -> list[Trace]:
    """The traces, as their finders listed them; those of a later time than `latest_ns` have none,
    and the place that their order gives them. A run keeps its time, and so does the
    notebook's own file; a draft stands behind the checkpoint that it is an edit of."""
    found = list(traces)
    groups: dict[tuple[object, ...], list[int]] = {}
    ahead: list[_Ahead] = []
    drafts = _drafts_ahead(found, latest_ns)
    for number, trace in enumerate(found):
        if _is_listed_in_order(trace):
            marks = FETCHED in trace.handle, BRANCH in trace.handle, trace.handle.get(KEPT_AS)
            group = groups.setdefault((trace.kind, trace.notebook, *marks), [])
            group += [*drafts.get(trace.handle.get(CHECKPOINT, ""), ()), number]
        elif _is_dated_alone(trace) and (trace.time_ns or 0) > latest_ns:
            ahead.append(_Ahead(number, trace.time_ns or 0))
    for group in groups.values():
        # They are listed the newest first.
        ahead += _between([(each, found[each].time_ns) for each in reversed(group)], latest_ns)
    last: int | None = None
    for order, each in enumerate(sorted(ahead, key=lambda one: one.told_ns), start=1):
        after_ns = None
        if each.before_ns is not None:
            after_ns = max(each.before_ns, last or 0) + 1
            # A date behind may be older: git's index was set back, or that clock was behind.
            if each.behind_ns is not None and each.behind_ns > each.before_ns:
                after_ns = min(after_ns, each.behind_ns - 1)
            last = after_ns
        trace = found[each.number]
        found[each.number] = replace(
            trace, time_ns=None, problem=trace.problem or TO_COME, after_ns=after_ns, order=order
        )
    return found


def _drafts_ahead(traces: Iterable[Trace], latest_ns: int) -> Mapping[str, list[int]]:
    """The numbers of the drafts that were dated ahead, the last first, by their checkpoints."""
    found: dict[str, list[int]] = defaultdict(list)
    drafts = ((n, each) for n, each in enumerate(traces) if each.handle.get(CHECKPOINT_OF))
    for number, each in sorted(drafts, key=lambda pair: pair[1].time_ns or 0, reverse=True):
        if (each.time_ns or 0) > latest_ns:
            found[each.handle[CHECKPOINT_OF]].append(number)
    return found


def _between(versions: Sequence[tuple[int, int | None]], latest_ns: int) -> Iterable[_Ahead]:
    """Of the versions of one store, the oldest first, those that were dated ahead. None of them is
    told to be older than one before it."""
    before: int | None = None
    told = 0
    for at, (number, time_ns) in enumerate(versions):
        if time_ns is None or time_ns <= latest_ns:
            before = before if time_ns is None else time_ns
            continue
        told = max(told, time_ns)
        later = (one for _, one in versions[at:] if one is not None and one <= latest_ns)
        yield _Ahead(number, told, before, next(later, None))


def _is_listed_in_order(trace: Trace) -> bool:
    """Whether its finder lists it before all older versions of the notebook, whatever their dates
    are."""
    if trace.kind == GitFinder.kind:
        return DROPPED not in trace.handle
    return trace.kind == RewindFinder.kind and CHECKPOINT in trace.handle


def _is_dated_alone(trace: Trace) -> bool:
    """Whether it is a file, or in one, whose date says all that is known of its age."""
    return trace.problem == TO_COME or not {MEMBER, DROPPED}.isdisjoint(trace.handle)


def age_of(document: FoundDocument) -> tuple[int, int]:
    """The greater, the newer it is: its time, or the place of what was dated ahead; 0 where neither
    is known."""
    if document.time_ns is not None:
        return document.time_ns, 0
    return document.trace.after_ns or 0, document.trace.order
