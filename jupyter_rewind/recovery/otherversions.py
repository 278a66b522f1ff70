"""Documents beside the one that was built on: what they hold that the result lacks, and the choice.

The newest state is the best guess, not the only one: an old tab, a checkout or a sync may have
written an old state last. What other versions hold more is told, and any can be built on instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.model.shell import quoted
from jupyter_rewind.recovery.ahead import age_of
from jupyter_rewind.recovery.broken.versions import VERSION
from jupyter_rewind.recovery.evidence import Evidence, EvidenceCell, FoundDocument, Trace
from jupyter_rewind.recovery.exactness import is_page, said
from jupyter_rewind.recovery.remembered import MEMORY
from jupyter_rewind.recovery.unnamed import sort_out

MOST = 5


@dataclass(frozen=True, slots=True)
class OtherVersion:
    """A document that has `cells` that the result has nowhere, or shows the `outputs` of cells that
    show nothing there: most of what it shows.

    `is_base` says that it is what the result was built on: those cells were changed since.
    """

    trace: Trace
    time_ns: int | None
    cells: int
    is_base: bool = False
    outputs: int = 0


def other_versions(
    target: Path, evidence: Evidence, cells: Iterable[EvidenceCell], base: Trace | None = None
) -> tuple[OtherVersion, ...]:
    """The versions of the notebook that have more, those first that have most; of those alike the
    newest."""
    cells = tuple(cells)
    here = {_key(cell) for cell in cells}
    told_here = "".join(said(cell.source) for cell in cells if cell.kind == "markdown")
    bare = {_key(cell) for cell in cells if cell.kind == "code" and cell.source.strip()}
    bare -= {_key(cell) for cell in cells if _shows(cell)}
    found: list[tuple[OtherVersion, frozenset[tuple[str, str]]]] = []
    told: set[frozenset[tuple[str, str]]] = set()
    for document in _newest_first(sort_out(target, evidence)[0].documents):
        more = frozenset(_key(cell) for cell in document.cells if cell.source.strip()) - here
        if is_page(document):  # its marks may differ, and where its cells end
            more = frozenset(e for e in more if e[0] != "markdown" or said(e[1]) not in told_here)
        is_base = base is not None and _place(document.trace) == _place(base)
        shows = frozenset() if is_base else _shown_of(document) & bare
        if 2 * len(shows) <= len(_shown_of(document)):
            shows = frozenset()  # who runs a cell again may have it show less
        if (more and more not in told) or shows:
            told.add(more)
            bare -= shows
            counts = len(more), is_base, len(shows)
            found.append((OtherVersion(document.trace, document.time_ns, *counts), more))
    return _most_first(found)


def _most_first(
    found: Iterable[tuple[OtherVersion, frozenset[tuple[str, str]]]],
) -> tuple[OtherVersion, ...]:
    """What was built on, then as many as are told, each with most that those before it have not:
    the cells that were lost may be in an old version. The rest is as it came."""
    rest, ordered = list(found), list[OtherVersion]()
    told: frozenset[tuple[str, str]] = frozenset()
    while rest and len(ordered) < MOST:
        best = max(rest, key=lambda each: (each[0].is_base, len(each[1] - told) + each[0].outputs))
        rest.remove(best)
        ordered.append(best[0])
        told |= frozenset() if best[0].is_base else best[1]
    return (*ordered, *(each for each, _ in rest))


def in_words(others: Iterable[OtherVersion]) -> tuple[str, ...]:
    """What a person is told of them."""
    every = tuple(others)
    lines = [_line(each) for each in every[:MOST]]
    if len(every) > MOST:
        lines.append(f"{len(every) - MOST} more versions do: see `jupyter rewind traces`.")
    return tuple(lines)


def _line(other: OtherVersion) -> str:
    if other.is_base:
        one = other.cells == 1
        cells = "1 cell was" if one else f"{other.cells} cells were"
        return (
            f"{cells} given a later text, or left out. The text that stands in"
            f" {other.trace.place} is kept, too, with what found no place: look whether"
            f" {'it is' if one else 'they are'} right."
        )
    cells = "1 cell that is" if other.cells == 1 else f"{other.cells} cells that are"
    has = [f"has {cells} not in it"] if other.cells else []
    if other.outputs:
        one = other.outputs == 1
        shown = "a cell that shows" if one else f"{other.outputs} cells that show"
        has.append(f"has the outputs of {shown} nothing in it, or an error")
    when = ""
    if other.time_ns is not None:
        when = f", {datetime.fromtimestamp(other.time_ns / 1e9):%Y-%m-%d %H:%M}"
    where = f"--from {quoted(other.trace.place)}"
    if other.trace.kind == MEMORY:
        where = f"--memory --from {other.trace.handle.get('mark', other.trace.place)}"
    return (
        f"Another version {' and '.join(has)} ({other.trace.words or other.trace.kind}{when}):"
        f" build on it with {where}"
    )


def sides_in_words(cells: Iterable[EvidenceCell]) -> tuple[str, ...]:
    """What is to be done where a file held two versions: both are told."""
    sides = dict.fromkeys(str(cell.metadata[VERSION]) for cell in cells if VERSION in cell.metadata)
    if not sides:
        return ()
    names = " and ".join(sides)
    return (f"Cells of two versions are in it, each marked: {names}. Delete those of one.",)


def build_on(target: Path, evidence: Evidence, text: str) -> Evidence:
    """The evidence in which the newest document whose place or kind has `text` is the only one.

    It is the notebook then, for a person said so. Raises InvalidInput where none has `text`.
    """
    fitting = [
        each
        for each in _newest_first(evidence.documents)
        if text == each.trace.kind or text in each.trace.place
    ]
    if not fitting:
        places = sorted({each.trace.place for each in evidence.documents})
        raise InvalidInput(
            f"--from: no version was found in {text!r}.",
            hint=f"There are: {', '.join(places)}." if places else "No version was found at all.",
        )
    chosen = replace(fitting[0], trace=replace(fitting[0].trace, notebook=str(target)))
    return replace(evidence, documents=(chosen,))


def _shown_of(document: FoundDocument) -> frozenset[tuple[str, str]]:
    """The cells that show something other than that they failed."""
    return frozenset(_key(cell) for cell in document.cells if cell.whole and _shows(cell))


def _shows(cell: EvidenceCell) -> bool:
    return any(each.get("output_type") != "error" for each in cell.outputs)


def _newest_first(documents: Iterable[FoundDocument]) -> list[FoundDocument]:
    return sorted(documents, key=age_of, reverse=True)


def _place(trace: Trace) -> tuple[str, str]:
    return trace.kind, trace.place


def _key(cell: EvidenceCell) -> tuple[str, str]:
    return cell.kind, cell.source.strip()
