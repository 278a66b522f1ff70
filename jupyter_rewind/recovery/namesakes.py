"""Files that are called as a notebook: which are states of it, and which only have its name.

A README, a program's script or a report may have the notebook's name and nothing to do with it; it
is a state of it only where they share their code. One that a tool made of the file is no newer than
the file. A jupytext pair is written together with it, and may be edited later in an editor.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from difflib import SequenceMatcher

from jupyter_rewind.recovery.evidence import (
    EvidenceCell,
    FoundDocument,
    FoundName,
    Holds,
    Trace,
)
from jupyter_rewind.recovery.likeness import is_look

KIND = "export"
MADE, PAIR, TOOL, BY_NAME = "made", "pair", "tool", "by name"
"""In the handle of an export's trace: that jupytext keeps it in step, that a tool made it once, or
that nothing but its name and its form speaks of a notebook."""
ALONE = "alone"
"""In the handle of an export's trace: jupytext made it, and it names no notebook that it is paired
with. It may be the notebook itself, kept as text."""
TOGETHER_NS = 10_000_000_000
AT_ONCE_NS = 1_000_000_000
"""So much later than the file its pair may be written with it; later, only with the same cells."""
ALIKE = 0.3
FEW = 3
"""Fewer cells of code may be the same in two notebooks by chance."""
_BLANK = re.compile(r"[\s#]+")
_OF_COPIES = re.compile(
    r"ipynb|json|txt|copy\d*|copie|kopie|checkpoint|backup|bak|old|orig|original|save|saved"
    r"|autosave|tmp|invalid|sync|crdownload|download|part|v?\d+|\d+t\d+z?"
)
_BEFORE = re.compile(r"[.~#]*(?:(?:copy of|copie de|kopie von) )?", re.IGNORECASE)
_IMPORT = re.compile(r"\s*(?:(?:import|from)\s.*|[%#].*)?")


def without_namesakes(
    documents: Sequence[FoundDocument], ran: Collection[str] = frozenset()
) -> list[FoundDocument]:
    """`documents` without those known by name alone that have nothing of what the others have.

    Where there are no others, those that no tool made must have some of what surely `ran`.
    """
    known = {text for each in documents if not _is_judged(each) for text in _telling(each)}
    if known:
        return [each for each in documents if not _is_judged(each) or _is_alike(each, known)]
    known = only_telling({each.strip() for each in ran})
    if not known:
        return list(documents)
    return [each for each in documents if not _is_by_name(each) or _is_alike(each, known)]


def _is_judged(document: FoundDocument) -> bool:
    return document.trace.kind == KIND or _is_by_name(document)


def _is_by_name(document: FoundDocument) -> bool:
    return document.trace.handle.get(MADE) == BY_NAME


def _is_alike(document: FoundDocument, known: set[str]) -> bool:
    own = _telling(document)
    return len(own & known) >= ALIKE * min(len(own), len(known))


def _telling(document: FoundDocument) -> set[str]:
    """The texts that say what the document is about: no imports and looks, where it has more."""
    code = {each.source.strip() for each in document.cells if each.kind == "code"} - {""}
    return only_telling(code) or code or {each.source.strip() for each in document.cells} - {""}


def only_telling(code: Iterable[str]) -> set[str]:
    """What says what a notebook is about: no imports, and no passing looks."""
    return {each for each in code if not is_look(each) and not _only_imports(each)}


def _only_imports(source: str) -> bool:
    """Line by line: one pattern for all of them takes for ever where many lines are blank."""
    return all(_IMPORT.fullmatch(line) for line in source.splitlines())


def is_called(name: str, stem: str) -> bool:
    """Whether a file of that name may be a copy of the notebook: `x (1).ipynb`, `Copy of x.ipynb`,
    `x-2026-03-01.ipynb.bak`; not `x2.ipynb`, nor `x_new_data.ipynb`."""
    before, found, rest = name.partition(stem)
    if not found or rest[:1].isalnum() or not _BEFORE.fullmatch(before):
        return False
    words = re.findall(r"[^\W_]+", rest.lower())
    is_conflict = any(each.startswith(("conflict", "konflikt", "conflit")) for each in words)
    return is_conflict or all(_OF_COPIES.fullmatch(each) for each in words)


def is_edited_pair(document: FoundDocument, file: FoundDocument) -> bool:
    """Whether a jupytext pair of the file was edited after both were saved."""
    if document.trace.handle.get(MADE) != PAIR or file.time_ns is None:
        return False
    later = (document.time_ns or 0) - file.time_ns
    if later <= AT_ONCE_NS:
        return False
    if later > TOGETHER_NS:
        return _texts(document) != _texts(file)
    known = {_BLANK.sub("", each.source) for each in file.cells}
    return any(_BLANK.sub("", each.source) not in known for each in document.cells)


def as_pair(pair: FoundDocument, file: FoundDocument) -> list[tuple[EvidenceCell, FoundDocument]]:
    """The cells of the pair; what the file has as well is the file's, with its outputs."""
    made: list[tuple[EvidenceCell, FoundDocument]] = []
    a, b = ([_text(cell) for cell in each.cells] for each in (file, pair))
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    for kind, a0, a1, b0, b1 in matcher.get_opcodes():
        if kind == "equal":
            made += [(cell, file) for cell in file.cells[a0:a1]]
        else:
            made += [(cell, pair) for cell in pair.cells[b0:b1]]
    return made


def copied_over(
    documents: Iterable[FoundDocument], siblings: Iterable[FoundDocument], ran: Collection[str]
) -> tuple[FoundDocument, FoundDocument] | None:
    """The file and the notebook beside it that it is a copy of, where that was laid over it: what
    surely `ran` stands in another version, and not in the file. None where nothing says so."""
    every = tuple(documents)
    code = only_telling({each.strip() for each in ran})
    file = next((each for each in every if each.trace.kind == "file" and each.complete), None)
    if file is None or not code:
        return None
    own = _telling(file)
    if len(own) < FEW or _share(own, code) >= ALIKE:
        return None
    older = (_telling(each) for each in every if each is not file)
    if not any(_share(each, code) >= ALIKE > _share(each, own) for each in older):
        return None
    ran_as = _counted(file)
    others = (each for each in siblings if each.since_ns is None)
    twin = next((each for each in others if _counted(each) == ran_as), None)
    return None if twin is None else (file, twin)


def _share(some: set[str], others: set[str]) -> float:
    return len(some & others) / max(1, min(len(some), len(others)))


def _counted(document: FoundDocument) -> list[tuple[str, int | None]]:
    return [(each.source, each.execution_count) for each in document.cells if each.kind == "code"]


def is_poorer(document: FoundDocument, others: Iterable[FoundDocument]) -> bool:
    """Whether it is a Markdown file that a tool made together with another that shows outputs."""
    if document.trace.kind != KIND or document.trace.handle.get(MADE) == PAIR:
        return False
    if not document.trace.place.endswith(".md"):
        return False
    return any(
        each.trace.kind == KIND
        and Holds.OUTPUTS in each.trace.holds
        and abs((each.time_ns or 0) - (document.time_ns or 0)) <= TOGETHER_NS
        for each in others
    )


def _texts(document: FoundDocument) -> list[tuple[str, str]]:
    return [_text(each) for each in document.cells if each.source.strip()]


def _text(cell: EvidenceCell) -> tuple[str, str]:
    return cell.kind, cell.source.strip()


def names_of_pairs(traces: Iterable[Trace]) -> tuple[FoundName, ...]:
    """The names of the texts that jupytext keeps in step with notebooks: who opens the text as a
    notebook has a kernel under that name."""
    pairs = (each for each in traces if each.handle.get(MADE) == PAIR)
    return tuple(FoundName(each, each.notebook, each.place) for each in pairs if each.notebook)


def are_by_name(traces: Iterable[Trace]) -> bool:
    """Whether nothing but files of the right name and form tells of a notebook."""
    return all(each.kind == KIND and each.handle.get(MADE) == BY_NAME for each in traces)


def are_texts(traces: Iterable[Trace]) -> bool:
    """Whether nothing but notebooks that are kept as text tells of an `.ipynb`."""
    return all(each.kind == KIND and ALONE in each.handle for each in traces)
