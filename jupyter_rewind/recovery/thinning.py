"""Which of many documents of one kind are read: not the newest alone.

Of many versions of a notebook the lost cells may be in an older one: the newest are read, the
largest of the others, and some between. Documents of no name are no versions of anything yet: the
newest are read, and all others are compared, one at a time. What is not read is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind.recovery.evidence import Holds, Scope, Trace
from jupyter_rewind.recovery.sentences import typed

MOST_DOCUMENTS = 24
"""So many documents of one kind and one notebook are read; all are listed."""
_NEWEST, _LARGEST = 12, 4
_MOST_ASKED = 3
_MOST_UNDATED = 100
"""All versions whose time nobody knows are read, up to so many: an archive may have any number."""
_APART = "memory"
"""The kind of trace whose documents have no time, and are few."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The traces to `read`, in their order; older ones of no name to `compare`, the newest first;
    and versions of notebooks that are `left`."""

    read: tuple[Trace, ...]
    compare: tuple[Trace, ...] = ()
    left: tuple[Trace, ...] = ()


def select(scope: Scope, traces: Sequence[Trace], version: str = "") -> Selection:
    """What is read of `traces`: of each kind and notebook, at most so many documents.

    The newest whose place has `version` in it are read in any case.
    """
    groups: dict[tuple[str, str | None], list[Trace]] = {}
    for trace in traces:
        if Holds.ORDER in trace.holds and Holds.MARKDOWN in trace.holds:
            groups.setdefault((trace.kind, trace.notebook), []).append(trace)
    asked = [each for each in _newest_first(traces) if version and version in each.place]
    out: set[int] = set()
    compare: list[Trace] = []
    left: list[Trace] = []
    for (kind, notebook), group in groups.items():
        only_dated = notebook is not None or kind == _APART
        some = [each for each in _newest_first(group) if not only_dated or each.time_ns is not None]
        undated = [each for each in group if each.time_ns is None] if notebook is not None else []
        if len(undated) > _MOST_UNDATED:
            rest = _undated_left(undated)
            unread = [each for each in rest if each not in asked[:_MOST_ASKED]]
            out |= {id(each) for each in unread}
            left.extend(unread)
        if len(some) <= MOST_DOCUMENTS:
            continue
        wanted = [each for each in some if _is_in_time(each, scope)]
        kept = _thinned(wanted) if notebook is not None else wanted[:MOST_DOCUMENTS]
        known = {id(each) for each in [*kept, *asked[:_MOST_ASKED]]}
        out |= {id(each) for each in some} - known
        rest = [each for each in wanted if id(each) not in known]
        (left if notebook is not None else compare).extend(rest)
    read = tuple(each for each in traces if id(each) not in out)
    return Selection(read, tuple(_newest_first(compare)), tuple(left))


def _undated_left(traces: Sequence[Trace]) -> list[Trace]:
    """What is not read of versions without a time: the last of those that have an order are, and
    the largest, for nobody knows which of the others is newer."""
    in_order = sorted((each for each in traces if each.order), key=lambda each: -each.order)
    last = {id(each) for each in in_order[: _MOST_UNDATED // 2]}
    others = [each for each in traces if id(each) not in last]
    others.sort(key=lambda each: each.size_bytes)
    return others[: len(traces) - _MOST_UNDATED]


def _is_in_time(trace: Trace, scope: Scope) -> bool:
    """Whether it may be of the time asked for: what came later is left out once it was read."""
    return scope.until_ns is None or (trace.time_ns or 0) <= scope.until_ns


def _newest_first(traces: Iterable[Trace]) -> list[Trace]:
    return sorted(traces, key=lambda each: each.time_ns or 0, reverse=True)


def _thinned(traces: Sequence[Trace]) -> list[Trace]:
    """Of versions, the newest first: the newest, the largest others, some between, and the first.

    A notebook that collapsed is small in all that was saved since.
    """
    if len(traces) <= MOST_DOCUMENTS:
        return list(traces)
    kept, older = list(traces[:_NEWEST]), list(traces[_NEWEST:])
    largest = sorted(older, key=lambda each: each.size_bytes, reverse=True)[:_LARGEST]
    others = [each for each in older if each not in largest]
    count = MOST_DOCUMENTS - len(kept) - len(largest)
    last = len(others) - 1
    between = [others[round(at * last / (count - 1))] for at in range(min(count, len(others)))]
    return kept + largest + between


def left_in_words(notebook: Path, unread: Iterable[Trace]) -> tuple[str, ...]:
    """What a person is told of documents that were not read, and how to get at them."""
    every = tuple(unread)
    undated = sum(each.notebook is not None and each.time_ns is None for each in every)
    named = sum(each.notebook is not None for each in every) - undated
    nameless = len(every) - named - undated
    lines = []
    if undated:
        one = undated == 1
        lines.append(
            f"{'1 version' if one else f'{undated} versions'} of it whose time nobody knows"
            f" {'was' if one else 'were'} not read: the largest were."
        )
    if named:
        one = named == 1
        lines.append(
            f"{'1 older version' if one else f'{named} older versions'} of it"
            f" {'was' if one else 'were'} not read: the newest, the largest and some between were."
        )
    if nameless:
        one = nameless == 1
        lines.append(
            f"{'1 notebook' if one else f'{nameless} notebooks'} without a name"
            f" {'was' if one else 'were'} not read, older than those that were."
        )
    how = (
        f" `jupyter rewind traces {typed(notebook)}` lists all: take one with --from and its place."
    )
    return tuple(each + how for each in lines)
