"""Which surviving document the rebuilding starts from, and what others add to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import chain, takewhile
from pathlib import PurePath

from jupyter_rewind.recovery.ahead import age_of
from jupyter_rewind.recovery.blends import blend_in_words, other_text
from jupyter_rewind.recovery.broken.versions import VERSION
from jupyter_rewind.recovery.broken.welds import weld_in_words
from jupyter_rewind.recovery.evidence import Evidence, EvidenceCell, FoundDocument
from jupyter_rewind.recovery.namesakes import (
    KIND,
    TOGETHER_NS,
    as_pair,
    copied_over,
    is_edited_pair,
    is_poorer,
    without_namesakes,
)
from jupyter_rewind.recovery.remembered import (
    UNSURE,
    is_unsure,
    is_untimed,
    known_texts,
    time_of,
)
from jupyter_rewind.recovery.traces.git import BRANCH, DROPPED, FETCHED

MUCH_MORE, COLLAPSED = 1.5, 3.0
"""So many times the cells of the newest document make an older one richer; and so many say that the
newest was emptied, not cleaned up."""
NEARLY_ALL = 0.8
GIT = "git"


@dataclass(frozen=True, slots=True)
class Based:
    """A cell of the document that is built on, the document it is from, and why it is there."""

    cell: EvidenceCell
    document: FoundDocument
    certain: bool = True
    words: str = ""
    shown_by: FoundDocument | None = None
    """Which other document its outputs are from."""
    surest: float = 1.0
    """How sure it is at most that it was like this."""


@dataclass(frozen=True, slots=True)
class Base:
    """The cells that rebuilding starts from, and the time at which they were the notebook."""

    cells: tuple[Based, ...]
    document: FoundDocument | None
    time_ns: int | None
    passed_over: tuple[str, ...] = ()
    branches: tuple[FoundDocument, ...] = ()
    """Its states on other branches of git: what was saved there is missing from it by intent."""


def choose_base(
    evidence: Evidence, places: frozenset[str], ran: Collection[str] = frozenset()
) -> Base:
    """The newest document with anything in it; a far richer older one where the newest lost much.

    What is missing from a document that isn't complete is filled in from the next one that is.
    `ran` is code that the notebook's kernels surely ran.
    """
    documents = _ours(evidence.documents, places, ran)
    words = tuple(
        f"{each.trace.place}: no cell of it has anything in it."
        for each in takewhile(lambda one: not _texts(one), documents)
    )
    over = copied_over(documents, evidence.siblings, ran)
    if over is not None:
        laid, twin = over
        documents = [each for each in documents if each is not laid]
        name = PurePath(twin.trace.place).name
        words += (
            f"{laid.trace.place}: it is {name}, copied over it; what this notebook's kernel ran is"
            " not in it.",
        )
    filled = [each for each in documents if _texts(each)]
    if not filled:
        return Base((), None, None, words)
    newest = filled[0]
    file = next((each for each in filled if each.trace.kind == "file" and each.complete), None)
    if file is not None and is_edited_pair(newest, file):
        both = _doubted(Based(*each) for each in as_pair(newest, file))
        return Base(tuple(both), replace(file, time_ns=newest.time_ns), newest.time_ns, words)
    own = [each for each in filled[1:] if not _is_others(each)]
    chosen = next((each for each in own if is_richer(each, newest)), None)
    if chosen is not None and not is_cleaned_up(newest, chosen, own):
        words += (_less(newest, chosen),)
        is_lost = _is_lost(newest, chosen)
        newest, lost = chosen, newest
        cells = _merge(newest, lost, fill=not is_lost)
    elif not newest.complete:
        whole = next((each for each in own if each.complete), None)
        cells = _merge(whole, newest, fill=True) if whole else _as_based(newest)
    else:
        cells = _as_based(newest)
    branches = [each for each in filled if BRANCH in each.trace.handle and not _is_others(newest)]
    cells = _no_surer_than_its_document(cells, documents)
    return Base(tuple(cells), newest, _since(newest, documents), words, tuple(branches))


def _since(document: FoundDocument, documents: Iterable[FoundDocument]) -> int | None:
    """When the document was the notebook; of one of no time that says nothing of what ran, the time
    that it is taken for."""
    if any(each.execution_count for each in document.cells):
        return document.time_ns
    if not is_untimed(document):
        return age_of(document)[0] or document.time_ns
    return time_of(document, documents, None) or None


def _no_surer_than_its_document(
    cells: Iterable[Based], documents: Sequence[FoundDocument]
) -> list[Based]:
    known = known_texts(documents)
    return [
        replace(each, surest=UNSURE)
        if is_unsure(each.document) and (each.cell.kind, each.cell.source.strip()) not in known
        else each
        for each in cells
    ]


def _ours(
    documents: Iterable[FoundDocument], places: frozenset[str], ran: Collection[str]
) -> list[FoundDocument]:
    known = without_namesakes([each for each in documents if each.trace.notebook in places], ran)
    others = [each for each in documents if each.trace.notebook is None]
    file = next((each for each in known if each.trace.kind == "file" and each.complete), None)

    newest = max((age_of(each)[0] for each in known), default=0)

    def rank(document: FoundDocument) -> tuple[bool, bool, int, int, bool, int]:
        time_ns = time_of(document, known, file)
        if document.trace.kind == "file" and document.time_ns is None:
            time_ns = newest + 1  # its clock was wrong: it is taken for what it most likely is
        if file is not None and document.trace.kind == KIND and not is_edited_pair(document, file):
            time_ns = min(time_ns, (file.time_ns or 0) - 1)  # made of the file as it is
        if is_poorer(document, known):
            time_ns -= TOGETHER_NS + 1  # the page that was made with it has what was shown
        is_fetched, is_others = FETCHED in document.trace.handle, _is_others(document)
        order, cells = age_of(document)[1], len(document.cells)
        return not is_fetched, not is_others, time_ns, order, document.complete, cells

    return sorted(known or others, key=rank, reverse=True)


def _is_others(document: FoundDocument) -> bool:
    """Whether it was fetched of others, or is of another branch: newer than the work that was
    lost, and yet no later state of it."""
    return FETCHED in document.trace.handle or BRANCH in document.trace.handle


def _texts(document: FoundDocument) -> Counter[str]:
    return Counter(cell.source.strip() for cell in document.cells if cell.source.strip())


def is_richer(older: FoundDocument, newer: FoundDocument) -> bool:
    """Whether `older` has nearly all of `newer` and much more: the newer one has lost cells."""
    old, new = _texts(older), _texts(newer)
    kept = (old & new).total()
    return old.total() >= MUCH_MORE * new.total() and kept >= NEARLY_ALL * new.total()


def _is_lost(newer: FoundDocument, older: FoundDocument) -> bool:
    """Whether what the newer one lacks was lost rather than deleted by a person."""
    is_hurt = bool(newer.damages) or not newer.complete
    return is_hurt or _texts(older).total() >= COLLAPSED * _texts(newer).total()


def is_cleaned_up(
    newest: FoundDocument, older: FoundDocument, others: Iterable[FoundDocument]
) -> bool:
    """Whether a person took away what the newest lacks of an older one that is richer."""
    return not _is_lost(newest, older) and _is_committed(newest, older, others)


def _is_committed(
    newest: FoundDocument, older: FoundDocument, others: Iterable[FoundDocument]
) -> bool:
    """Whether git was told after the older one to keep that very state: it was meant to be so.

    What git dropped was taken away after that, perhaps.
    """
    texts = _texts(newest)
    return DROPPED not in older.trace.handle and any(
        each.trace.kind == GIT
        and DROPPED not in each.trace.handle
        and age_of(each) >= age_of(older)
        and _texts(each) == texts
        for each in chain((newest,), others)
    )


def _less(newer: FoundDocument, older: FoundDocument) -> str:
    """What a person is told of a newer document that is not built on."""
    lacks = (_texts(older) - _texts(newer)).total()
    cells = "1 cell" if lacks == 1 else f"{lacks} cells"
    hurt = "it is damaged, and" if newer.damages or not newer.complete else "it"
    words = "." if newer.damages or not newer.complete else "; deleted since, perhaps."
    name = older.trace.words or older.trace.kind
    when = "" if None in (newer.time_ns, older.time_ns) else ", newer"
    return f"{newer.trace.place}{when}: {hurt} lacks {cells} of another version ({name}){words}"


def _as_based(document: FoundDocument) -> list[Based]:
    return _doubted([Based(cell, document) for cell in document.cells])


def _doubted(cells: Iterable[Based]) -> list[Based]:
    """Pieces of cells, blends, and cells that only one of two versions has, are not certain."""
    made = []
    for each in cells:
        side, blend = each.cell.metadata.get(VERSION), blend_in_words(each.cell)
        weld = weld_in_words(each.cell)
        if isinstance(side, str):
            words = f"one of two versions: only in {side}"
            each = replace(each, certain=False, words=each.words or words)
        elif blend:
            certain = each.certain and not other_text(each.cell)[0]
            each = replace(each, certain=certain, words=each.words or blend)
        elif weld:
            each = replace(each, certain=False, words=each.words or weld)
        elif not each.cell.whole:
            each = replace(each, certain=False)
        made.append(each)
    return made


def _merge(older: FoundDocument, newer: FoundDocument, fill: bool) -> list[Based]:
    """The cells of both, in one order: where the two differ, the newer text wins.

    With `fill` cells that only the older has are doubtful (they may have been deleted); without,
    they are what was lost.
    """
    a, b = [_key(cell) for cell in older.cells], [_key(cell) for cell in newer.cells]
    merged: list[Based] = []
    of = "" if newer.complete else "what is left of "
    which = "" if None in (newer.time_ns, older.time_ns) else ", which is newer"
    words = f"not in {of}{newer.trace.place}{which}"
    for kind, a0, a1, b0, b1 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind == "equal" or kind == "insert":
            merged += [Based(cell, newer) for cell in newer.cells[b0:b1]]
        else:
            left = [c for c in newer.cells[b0:b1] if not _is_begun(c, older.cells[a0:a1])]
            replaced = _same_cells(older.cells[a0:a1], left)
            merged += [
                Based(cell, older, not fill, words)
                for at, cell in enumerate(older.cells[a0:a1])
                if at not in replaced
            ]
            merged += [Based(cell, newer) for cell in left]
    return _doubted(merged)


def _is_begun(piece: EvidenceCell, older: Iterable[EvidenceCell]) -> bool:
    """Whether it is only the beginning of a cell that is whole in the older document."""
    begin = piece.source.rstrip()
    return not piece.whole and any(
        each.whole
        and each.kind == piece.kind
        and each.source.startswith(begin)
        and (bool(begin) or each.cell_id == piece.cell_id is not None)
        for each in older
    )


def _same_cells(older: Sequence[EvidenceCell], newer: Sequence[EvidenceCell]) -> set[int]:
    ids = {cell.cell_id for cell in newer if cell.cell_id}
    return {at for at, cell in enumerate(older) if cell.cell_id and cell.cell_id in ids}


def _key(cell: EvidenceCell) -> tuple[str, str]:
    return (cell.kind, cell.source.rstrip())
