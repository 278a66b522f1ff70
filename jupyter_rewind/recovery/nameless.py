"""Many documents of no name: each is read, and only what is like the notebook is kept.

A folder of downloads, or all that git ever staged, may hold thousands. One after the other is
compared with what is known of the notebook by its code and the ids of its cells, within a bound;
what lies beyond that, or where nothing is known to compare with, is not read, and told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from jupyter_rewind.recovery.evidence import Evidence, FoundDocument, Scope, Trace
from jupyter_rewind.recovery.namesakes import only_telling
from jupyter_rewind.recovery.unnamed import ids_of, share_of_ids

MOST_BYTES, MOST_READ = 1 << 28, 2000
"""So much, and so many, are compared: a few seconds' work."""
MOST_ALIKE = 48
"""So many of those that are most like the notebook are kept."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What the notebook is known to hold, and what of all that ran may be its own, too."""

    code: frozenset[str]
    ids: frozenset[str]
    ran: frozenset[str]

    def likeness_of(self, document: FoundDocument) -> tuple[float, float]:
        """How much of the document is the notebook's; and how much of it ran at all."""
        code = {each.source.strip() for each in document.cells if each.kind == "code"} - {""}
        telling = only_telling(code) or code
        most = max(1, len(telling))
        own = max(len(telling & self.code) / most, share_of_ids(document, self.ids))
        return own, len(telling & self.ran) / most


def alike_among(
    scope: Scope, traces: Sequence[Trace], heard: Evidence, read: Callable[[Trace], Evidence]
) -> Evidence:
    """The documents in `traces` (the newest first) that are like what was heard of the notebook.

    Of the others it says how many have nothing of it, and which were not read.
    """
    known = _known(heard)
    if not known.code and not known.ran:
        return Evidence(unread=tuple(traces))
    sizes = accumulate(each.size_bytes for each in traces)
    count = min(MOST_READ, sum(size <= MOST_BYTES for size in sizes))
    found: list[tuple[tuple[float, float], FoundDocument]] = []
    told, unlike = Evidence(unread=tuple(traces[count:])), 0
    for number, trace in enumerate(traces[:count]):
        scope.progress("Comparing notebooks without a name", number / count)
        one = read(trace)
        told += Evidence(problems=one.problems)
        for document in one.documents:
            likeness = known.likeness_of(document)
            if any(likeness):
                found.append((likeness, document))
            else:
                unlike += 1
        if len(found) > 2 * MOST_ALIKE:
            unlike += len(found) - MOST_ALIKE
            found = _best(found)
    unlike += max(0, len(found) - MOST_ALIKE)
    documents = tuple(document for _, document in _best(found))
    return told + Evidence(documents, unlike=unlike)


def _best(
    found: list[tuple[tuple[float, float], FoundDocument]],
) -> list[tuple[tuple[float, float], FoundDocument]]:
    """The most like it; of those alike the first, which are the newest."""
    return sorted(found, key=lambda each: each[0], reverse=True)[:MOST_ALIKE]


def _known(heard: Evidence) -> _Known:
    named = [each for each in heard.documents if each.trace.notebook is not None]
    cells = [cell for each in named for cell in each.cells]
    code = {each.source.strip() for each in cells if each.kind == "code"}
    runs = [[each.source.strip() for each in run.executions] for run in heard.runs]
    own = {
        source
        for run, sources in zip(heard.runs, runs, strict=True)
        if run.certain
        for source in sources
    }
    ran = {source for sources in runs for source in sources}
    return _Known(frozenset(code | own) - {""}, ids_of(cells), frozenset(ran) - {""})
