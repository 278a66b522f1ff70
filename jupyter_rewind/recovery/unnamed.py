"""Documents that no trace gives a name: whether they are the notebook that is looked for.

A blob of git, a file of a scanned folder or an editor that was never saved may be any notebook. One
that shares its code with what is known of the notebook is taken for a state of it. All others are
left out, unless nothing else is left at all: then they are offered, and marked as doubtful. Where
only a guessed session is left, one that agrees with it is taken with it. What stands in the memory
of a program only, where notebooks of all names do, is told, and left there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import replace
from pathlib import Path

from jupyter_rewind.model.shell import quoted
from jupyter_rewind.recovery.advice import BY_LIKENESS
from jupyter_rewind.recovery.attribution import attribute
from jupyter_rewind.recovery.evidence import Evidence, EvidenceCell, FoundDocument, Holds
from jupyter_rewind.recovery.hearing import known_places
from jupyter_rewind.recovery.likeness import is_look
from jupyter_rewind.recovery.namesakes import only_telling
from jupyter_rewind.recovery.rebuild import Rebuilt, rebuild
from jupyter_rewind.recovery.sentences import typed

ENOUGH = 0.3
HALF = 0.5
DOUBTFUL = 0.3
ONLY_THERE = 0.8
"""No cell is surer that only a notebook without a name has, where nothing but code says that it is
the one."""
AGREE, NO_CHANCE = 0.8, 2
"""So much of what a guessed session gives, and so many cells, is a nameless notebook's own."""
LIKELY = 0.6
_GUESSED = (
    "No trace names this notebook: the session that it was made from is a guess. Is the name right?"
    " Choose among `jupyter rewind sessions` with --session."
)
_AGREED = (
    "No trace names this notebook: the session that was guessed and {documents} without a name"
    " ({where}) agree, so both were taken. Is the name right? See `jupyter rewind traces`, and"
    " choose with --from."
)
_APART = "memory"
"""The kind of trace whose documents are told, and taken for the notebook only by who names one."""
_MOST_TOLD, _MOST_BESIDE = 5, 2
"""So many are told where nothing came back, and where something did."""
_DRAWN = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8,32}")
"""Ids as Jupyter, nbformat and VS Code draw them."""
_ONLY_THERE = "only in a notebook without a name that has much of this one"
_WORDS = "found without a name: it may be of another notebook"


def rebuild_named(target: Path, evidence: Evidence) -> Rebuilt:
    """As `rebuild`, from documents that are the notebook's, and from others only in need."""
    named, strange = sort_out(target, evidence)
    rebuilt = _no_surer_than_its_sessions(rebuild(target, named))
    rebuilt = _no_surer_than_its_name(rebuilt, evidence, named)
    apart = tuple(each for each in strange if each.trace.kind == _APART)
    strange = tuple(each for each in strange if each.trace.kind != _APART)
    if strange and not rebuilt.cells:
        rebuilt = _doubt(rebuild(target, replace(named, documents=named.documents + strange)))
    elif agreeing := _agreeing(rebuilt, strange):
        own = tuple(_as_own(each, target) for each in agreeing)
        both = rebuild(target, replace(named, documents=named.documents + own))
        rebuilt = _no_surer_than_likely(both, agreeing)
    elif strange or evidence.unlike:
        cells = [each.cell for each in rebuilt.cells]
        steps = _left_out_in_words(strange, cells, evidence.unlike)
        rebuilt = replace(rebuilt, next_steps=(*rebuilt.next_steps, *steps))
    if not rebuilt.cells:  # the likeliest place of all that is left
        told = _apart_in_words(target, apart, _MOST_TOLD)
        return replace(rebuilt, next_steps=(*told, *rebuilt.next_steps))
    told = _apart_in_words(target, apart, _MOST_BESIDE)
    return replace(rebuilt, next_steps=(*rebuilt.next_steps, *told))


def _left_out_in_words(
    strange: Sequence[FoundDocument], cells: Sequence[EvidenceCell], unlike: int = 0
) -> list[str]:
    """What is told of documents with less of the notebook's `cells` than says that they are it, and
    of so many that have nothing of it."""
    code, ids = set(_code(cells)), ids_of(cells)
    kin = [(each, share_of(each, code), share_of_ids(each, ids)) for each in strange]
    alike = sorted((each for each in kin if max(each[1:]) > 0), key=lambda each: -max(each[1:]))
    lines = [
        f"Not taken: a notebook without a name ({each.trace.words or each.trace.kind}) that"
        f" {_kinship(by_code, by_id)}. If it is the one: --from {quoted(each.trace.place)}"
        for each, by_code, by_id in alike[:_MOST_BESIDE]
    ]
    left = len(strange) - len(lines) + unlike
    if left:
        count = "A notebook" if left == 1 else f"{left} notebooks"
        like = "unlike this one, " if len(alike) <= _MOST_BESIDE else ""
        lines.append(f"{count} without a name, {like}left out: see `jupyter rewind traces`.")
    return lines


def _kinship(by_code: float, by_id: float) -> str:
    if by_id:
        return f"has {by_id:.0%} of its cells in common with this one, by their ids"
    return f"shares {by_code:.0%} of its code with this one"


def _apart_in_words(target: Path, documents: Iterable[FoundDocument], most: int) -> tuple[str, ...]:
    """What is told of documents that nothing says to be the notebook, each one once."""
    largest = sorted(documents, key=lambda each: len(each.cells), reverse=True)
    found = {each.trace.handle.get("mark", ""): each.trace for each in largest}
    command = f"jupyter rewind recover {typed(target)} --memory --from"
    lines = [
        f"Not taken, since nothing says that it is this notebook. {trace.words}. If it is the one:"
        f" {command} {mark}"
        for mark, trace in found.items()
    ]
    if len(lines) > most:
        more = len(lines) - most
        notebooks = "1 more notebook" if more == 1 else f"{more} more notebooks"
        lines[most:] = [f"{notebooks} in memory unlike this one: not taken either."]
    return tuple(lines)


def _no_surer_than_its_sessions(rebuilt: Rebuilt) -> Rebuilt:
    """Where only guessed sessions speak, no cell is surer than that they are the notebook's."""
    sessions = rebuilt.sessions
    traces = {origin.trace for each in rebuilt.cells for origin in each.provenance}
    if not sessions or any(each.certain for each in sessions):
        return rebuilt
    if any(Holds.MARKDOWN in trace.holds for trace in traces):
        return rebuilt
    most = max(each.share for each in sessions)
    cells = (replace(each, confidence=min(each.confidence, most)) for each in rebuilt.cells)
    steps = (each for each in rebuilt.next_steps if each != BY_LIKENESS)
    return replace(rebuilt, cells=tuple(cells), next_steps=(_GUESSED, *steps))


def sort_out(target: Path, evidence: Evidence) -> tuple[Evidence, tuple[FoundDocument, ...]]:
    """The evidence without documents of no name that are unlike the notebook; and those."""
    loose = [each for each in evidence.documents if each.trace.notebook is None]
    if not loose:
        return evidence, ()
    known, alone = _known_code(target, evidence), _Newest(target, evidence)
    named, strange = [], []
    for document in evidence.documents:
        if document.trace.notebook is not None:
            named.append(document)
        elif share_of(document, known) >= ENOUGH and alone.is_in(document):
            named.append(_as_own(document, target))
        else:
            strange.append(document)
    return replace(evidence, documents=tuple(named)), tuple(strange)


class _Newest:
    """What the notebook was last, by documents that have its name and by runs that are its own.

    Many notebooks begin with the same few cells: another one's code may be known by a third, and
    has little of what this one is about.
    """

    def __init__(self, target: Path, evidence: Evidence) -> None:
        places = known_places(target, evidence)
        own = [each for each in evidence.documents if each.trace.notebook in places]
        own = sorted((each for each in own if each.cells), key=lambda each: each.time_ns or 0)
        last = _code(own[-1].cells) if own else []
        named = [each for each in evidence.documents if each.trace.notebook is not None]
        runs = attribute(target, replace(evidence, documents=tuple(named)), last)
        ran = [each.run for each in runs if each.certain][-1:]
        texts = [last, *([one.source.strip() for one in each.executions] for each in ran)]
        self._code = [only_telling(each) or set(each) for each in texts if each]
        self._ids = ids_of(own[-1].cells) if own else frozenset()

    def is_in(self, document: FoundDocument) -> bool:
        """Whether the document has half of it, or half of its cells are that one's by their ids."""
        if has_ids_of(document, self._ids):
            return True
        code = set(_code(document.cells))
        return any(len(code & each) >= HALF * len(each) for each in self._code)


def has_ids_of(document: FoundDocument, ids: Set[str]) -> bool:
    """Whether half of the document's cells are the notebook's by their ids."""
    return bool(ids) and share_of_ids(document, ids) >= HALF


def _no_surer_than_its_name(rebuilt: Rebuilt, evidence: Evidence, named: Evidence) -> Rebuilt:
    """What only documents without a name have is likely, where nothing but code says that they are
    the notebook."""
    had = {each.trace for each in evidence.documents}
    own = [each for each in named.documents if each.trace in had]
    ids = frozenset(one for each in own for one in ids_of(each.cells))
    taken = {
        each.trace
        for each in named.documents
        if each.trace not in had and not has_ids_of(each, ids)
    }
    if not taken:
        return rebuilt
    known = {(cell.kind, cell.source.strip()) for each in own for cell in each.cells}
    cells = tuple(
        replace(each, confidence=min(each.confidence, ONLY_THERE), words=each.words or _ONLY_THERE)
        if {origin.trace for origin in each.provenance} <= taken
        and (each.cell.kind, each.cell.source.strip()) not in known
        else each
        for each in rebuilt.cells
    )
    return replace(rebuilt, cells=cells)


def _as_own(document: FoundDocument, target: Path) -> FoundDocument:
    return replace(document, trace=replace(document.trace, notebook=str(target)))


def _agreeing(rebuilt: Rebuilt, strange: Iterable[FoundDocument]) -> list[FoundDocument]:
    """Of documents without a name: those with nearly all that only a guessed session gave."""
    if rebuilt.base is not None or any(each.certain for each in rebuilt.sessions):
        return []
    given = {each.cell.source.strip() for each in rebuilt.cells if each.cell.kind == "code"}
    telling = {source for source in given if source and not is_look(source)}
    if len(telling) < NO_CHANCE:
        return []
    return [
        each
        for each in strange
        if len(telling & set(_code(each.cells))) >= AGREE * len(telling)
        and share_of(each, telling) >= ENOUGH
    ]


def _no_surer_than_likely(rebuilt: Rebuilt, agreeing: list[FoundDocument]) -> Rebuilt:
    """Two traces agree on the notebook, and none on its name."""
    count = "a notebook" if len(agreeing) == 1 else f"{len(agreeing)} notebooks"
    where = agreeing[0].trace.words or agreeing[0].trace.kind
    cells = (replace(each, confidence=min(each.confidence, LIKELY)) for each in rebuilt.cells)
    step = _AGREED.format(documents=count, where=where)
    return replace(rebuilt, cells=tuple(cells), next_steps=(step, *rebuilt.next_steps))


def _known_code(target: Path, evidence: Evidence) -> frozenset[str]:
    """The code of the notebook's own documents and of the runs that are surely its."""
    places = known_places(target, evidence)
    code = {
        source
        for document in evidence.documents
        if document.trace.notebook in places
        for source in _code(document.cells)
    }
    named = (each for each in evidence.documents if each.trace.notebook is not None)
    own = attribute(target, replace(evidence, documents=tuple(named)), code)
    ran = (executed.source for each in own if each.certain for executed in each.run.executions)
    return frozenset(code | {source.strip() for source in ran})


def share_of(document: FoundDocument, known: Iterable[str]) -> float:
    """How much of the document's telling code is known to be the notebook's."""
    code = set(_code(document.cells))
    telling = {source for source in code if not is_look(source)} or code
    return len(telling & set(known)) / len(telling) if telling else 0.0


def share_of_ids(document: FoundDocument, known: Set[str]) -> float:
    """How many of the document's cells have an id that is known to be of the notebook's cells.

    A duplicate of a notebook keeps its ids: they say less than a name.
    """
    ids = ids_of(document.cells)
    return len(ids & known) / len(ids) if ids else 0.0


def ids_of(cells: Iterable[EvidenceCell]) -> frozenset[str]:
    """The ids of cells that a program drew: others, as `cell-1`, are in many notebooks."""
    return frozenset(e.cell_id for e in cells if e.cell_id and _DRAWN.fullmatch(e.cell_id))


def _code(cells: Iterable[EvidenceCell]) -> list[str]:
    return [cell.source.strip() for cell in cells if cell.kind == "code" and cell.source.strip()]


def _doubt(rebuilt: Rebuilt) -> Rebuilt:
    cells = tuple(
        replace(each, confidence=min(each.confidence, DOUBTFUL), words=_WORDS)
        for each in rebuilt.cells
    )
    step = "Compare this notebook with what you remember: nothing says that it is the one."
    return replace(rebuilt, cells=cells, next_steps=(step, *rebuilt.next_steps))
