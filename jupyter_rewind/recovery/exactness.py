"""Markdown that a web page gives turned back, as another document has it letter for letter.

Only where both say the same between the same cells of code: what was edited before the page was
made stays as the page has it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import groupby

from jupyter_rewind.recovery.ahead import age_of
from jupyter_rewind.recovery.choosing import Base, Based
from jupyter_rewind.recovery.evidence import FoundDocument
from jupyter_rewind.recovery.namesakes import KIND

_PAGES = (".html", ".htm")
_MARKS = re.compile(
    r"<[^<>]*>|(?<=\])\([^()\n]*\)|^[ \t]*(?:`{3}|~{3}).*$|^[ \t]*(?:[-*+>][ \t]*)*\d+[.)]\s",
    re.MULTILINE,
)
_OTHER = re.compile(r"[\W_]+")


def with_exact_markdown(base: Base, documents: Iterable[FoundDocument]) -> Base:
    """The base, where Markdown that it has of a page is that of the newest of `documents` which
    says the same there."""
    if not any(map(_is_turned_back, base.cells)):
        return base
    exact = [each for each in documents if each.complete and not is_page(each)]
    for document in sorted(exact, key=age_of, reverse=True):
        base = replace(base, cells=_taken(base.cells, document))
    return base


def _taken(cells: Sequence[Based], document: FoundDocument) -> tuple[Based, ...]:
    here = _stretches(cells)
    there = _stretches([Based(cell, document) for cell in document.cells])
    matcher = SequenceMatcher(None, [key for key, _ in here], [key for key, _ in there], False)
    for old, new, size in matcher.get_matching_blocks():
        for at, exact in zip(range(old, old + size), there[new : new + size], strict=True):
            if any(map(_is_turned_back, here[at][1])):
                here[at] = exact
    return tuple(each for _, stretch in here for each in stretch)


def _stretches(cells: Sequence[Based]) -> list[tuple[tuple[str, str], list[Based]]]:
    """Each cell of code, and all Markdown between two of them as one: a page may join its cells."""
    made = []
    for kind, group in groupby(cells, key=lambda each: each.cell.kind):
        if kind == "markdown":
            stretch = list(group)
            words = "".join(said(each.cell.source) for each in stretch)
            made.append(((kind, words), stretch))
        else:
            made += [((kind, each.cell.source.strip()), [each]) for each in group]
    return made


def said(source: str) -> str:
    """The letters and numbers of Markdown or HTML, without all marks."""
    return _OTHER.sub("", html.unescape(_MARKS.sub("", source)))


def is_page(document: FoundDocument) -> bool:
    """Whether it is a web page, whose Markdown is turned back from what was made of it."""
    return document.trace.kind == KIND and document.trace.place.lower().endswith(_PAGES)


def _is_turned_back(each: Based) -> bool:
    return each.cell.kind == "markdown" and is_page(each.document)
