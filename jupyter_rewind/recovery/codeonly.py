"""Scripts and Markdown files hold no outputs, and filters take them out of commits: what stood
below their cells, another document has.

Only below a cell of the same text, in the same order, and marked with where it is from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from jupyter_rewind.recovery.ahead import age_of
from jupyter_rewind.recovery.choosing import GIT, Base, Based
from jupyter_rewind.recovery.evidence import FoundDocument, Holds


def with_saved_outputs(base: Base, documents: Iterable[FoundDocument]) -> Base:
    """The base, where cells of it that cannot have outputs have those of the newest of `documents`
    that can."""
    if base.document is None or not any(map(_is_bare, base.cells)):
        return base
    rich = [each for each in documents if Holds.OUTPUTS in each.trace.holds and _shows(each)]
    shown = max(rich, key=age_of, default=None)
    if shown is None:
        return base
    words = f"what it shows was saved earlier: {shown.trace.words or shown.trace.kind}"
    cells = list(base.cells)
    a = [(each.kind, each.source.strip()) for each in shown.cells]
    b = [(each.cell.kind, each.cell.source.strip()) for each in cells]
    for old, new, size in SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks():
        for saved, at in zip(shown.cells[old : old + size], range(new, new + size), strict=True):
            here = cells[at]
            if not _is_bare(here) or not saved.whole or not here.cell.whole:
                continue
            told = words if saved.outputs else ""
            # Of a commit only what it shows is missing: its cells have ids of their own.
            cell = (
                replace(here.cell, outputs=saved.outputs)
                if here.document.trace.kind == GIT
                else replace(saved, source=here.cell.source)
            )
            by = shown if saved.outputs else None
            cells[at] = replace(here, cell=cell, words=here.words or told, shown_by=by)
    document = base.document
    if _holds_none(document) and document.trace.kind != GIT:
        document = replace(document, metadata={**shown.metadata, **document.metadata})
    return replace(base, cells=_of(cells, base.document, document), document=document)


def outputs_in_words(base: Base) -> tuple[str, ...]:
    """What is lost where what is built on has no outputs."""
    if base.document is None or not _holds_none(base.document):
        return ()
    if base.document.trace.kind == GIT and not any(each.shown_by for each in base.cells):
        return ()  # it never ran, for all that is known
    bare = [each for each in base.cells if _is_bare(each)]
    without = sum(not each.cell.outputs for each in bare)
    if not without:
        return ()
    cells = "1 code cell" if without == 1 else f"{without} code cells"
    held = base.document.trace.words or base.document.trace.kind
    told = f"Outputs of {cells}, where there were any: there are none in: {held}."
    if any(each.cell.outputs and not each.cell.whole for each in base.cells):
        told += " What looks like their text is kept in the notebook's metadata."
    return (told,)


def _of(cells: Sequence[Based], old: FoundDocument, new: FoundDocument) -> tuple[Based, ...]:
    return tuple(replace(each, document=new) if each.document is old else each for each in cells)


def _is_bare(each: Based) -> bool:
    return each.cell.kind == "code" and not each.cell.outputs and _holds_none(each.document)


def _holds_none(document: FoundDocument) -> bool:
    if document.trace.kind == GIT:
        return _is_stripped(document)
    return bool(document.trace.holds) and Holds.OUTPUTS not in document.trace.holds


def _is_stripped(document: FoundDocument) -> bool:
    """Whether it says of no code that it ever ran: a filter took that out before the commit."""
    code = [each for each in document.cells if each.kind == "code"]
    return bool(code) and not any(each.outputs or each.execution_count for each in code)


def _shows(document: FoundDocument) -> bool:
    return any(each.outputs for each in document.cells)
