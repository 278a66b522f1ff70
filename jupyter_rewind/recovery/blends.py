"""Cells put together of two versions in a file that reads as a sound notebook all the same.

Where blocks of an older and of a newer version were mixed, and one of the borders lies within a
text, nothing is wrong with the JSON. What tells is another trace: the text begins as one that it
knows and ends as this one does, a stretch between is missing or comes twice, and that happens just
at a border of the file's blocks. A stretch of whole lines counts as an edit of the user's.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from jupyter_rewind.recovery.ahead import age_of
from jupyter_rewind.recovery.evidence import Evidence, EvidenceCell, FoundDocument, Trace
from jupyter_rewind.recovery.filestate import LARGE_BYTES
from jupyter_rewind.recovery.regular import read_file

BLEND = "rewind_blend"
"""The key in a cell's metadata: the other text that it may have had ("" where only its outputs are
a blend), whose that is, and which trace knew one."""
IN_FILE = "the text that lies in the file"
KINDS = frozenset({"file", "checkpoint"})
"""The traces that are one file each, written in place."""
_BLOCK = 512
_LEAST = 8
_MOST_OPEN = 16
_STRING = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"(\s*+:)?', re.S)
_COMMA = re.compile(rb"\s*+,\s*+")


@dataclass(frozen=True, slots=True)
class Known:
    """A text that another trace has, and the cell that it is of."""

    text: str
    cell: EvidenceCell
    trace: Trace


@dataclass(frozen=True, slots=True)
class Suspect:
    """A text that begins and ends as a known one; it may have been cut from `low` to `high`.

    Where `high` lies before `low`, they are the first and the last of several cuts.
    """

    cell: int
    text: str
    known: Known
    low: int
    high: int

    @property
    def is_of_words(self) -> bool:
        """Whether whole words may be what is missing: alone that is more likely an edit."""
        longer, size = _longer(self.text, self.known.text)
        return self.low <= self.high and any(
            not _is_in_word(longer, at) and not _is_in_word(longer, at + size)
            for at in range(self.low, self.high + 1)
        )


def without_blends(evidence: Evidence) -> Evidence:
    """The evidence with the text that another trace knows in place of each that is a blend.

    The cell is marked (`BLEND`), and keeps the text that lies in the file there; outputs are
    those that the other trace shows.
    """
    documents = tuple(_mended(each, evidence) for each in evidence.documents)
    return replace(evidence, documents=documents)


def _mended(document: FoundDocument, evidence: Evidence) -> FoundDocument:
    if document.trace.kind not in KINDS or document.damages or not document.complete:
        return document
    suspects = list(_suspects(document, evidence))
    if not suspects:
        return document
    try:
        raw = read_file(document.trace.place, LARGE_BYTES)
    except OSError:
        return document  # it was read a moment ago: what was read is what is known
    found = {each.cell: each for each in suspects if _is_at_border(raw, each)}
    is_sure = not all(each.is_of_words for each in found.values())
    cells = list(document.cells)
    for at, suspect in found.items():
        cells[at] = _replaced(cells[at], suspect) if is_sure else _marked(cells[at], suspect)
    count = sum(BLEND in cell.metadata for cell in cells)
    if not count:
        return document
    told = f"{count} cells seem to be" if count > 1 else "1 cell seems to be"
    words = f"{told} put together of two versions of the notebook"
    return replace(document, cells=tuple(cells), damages=(words,))


def _replaced(cell: EvidenceCell, suspect: Suspect) -> EvidenceCell:
    """The cell as the other trace knows it; outputs only of what has exactly this source."""
    known = suspect.known
    other = cell.source if cell.source != known.cell.source else ""
    notes = {"other": other, "of": IN_FILE, "known": _place(known)}
    return replace(
        known.cell,
        cell_id=cell.cell_id or known.cell.cell_id,
        metadata={**cell.metadata, BLEND: notes},
    )


def _marked(cell: EvidenceCell, suspect: Suspect) -> EvidenceCell:
    """The cell as it is; it may be one that was edited. What it shows is left in peace."""
    known = suspect.known
    if suspect.text != cell.source:
        return cell
    notes = {"other": known.text, "of": _place(known), "known": _place(known)}
    return replace(cell, metadata={**cell.metadata, BLEND: notes})


def _place(known: Known) -> str:
    return known.trace.words or known.trace.kind


# ---------------------------------------------------------------------- what may be a blend


def _suspects(document: FoundDocument, evidence: Evidence) -> Iterator[Suspect]:
    sources = _Texts()
    for cell, trace in _others(document, evidence):
        sources.add(Known(cell.source, cell, trace))
    outputs: dict[str, _Texts] = defaultdict(_Texts)
    wanted = {cell.source for cell in document.cells if cell.outputs}
    for cell, trace in _others(document, evidence):
        if cell.source in wanted:
            for text in _shown(cell):
                outputs[cell.source].add(Known(text, cell, trace))
    for at, cell in enumerate(document.cells):
        found = sources.like(cell.source)
        if found is not None and found[0].cell.kind == cell.kind:
            yield Suspect(at, cell.source, *found)
        elif cell.source in outputs:
            for text in _shown(cell):
                found = outputs[cell.source].like(text)
                if found is not None:
                    yield Suspect(at, text, *found)


def _others(document: FoundDocument, evidence: Evidence) -> Iterator[tuple[EvidenceCell, Trace]]:
    """Cells as all other traces know them, documents first, the newest of them first."""
    documents = [each for each in evidence.documents if each is not document]
    documents.sort(key=age_of, reverse=True)
    for each in documents:
        for cell in each.cells:
            if cell.whole:
                yield cell, each.trace
    for run in evidence.runs:
        for executed in run.executions:
            yield EvidenceCell("code", executed.source), run.trace


def _shown(cell: EvidenceCell) -> Iterator[str]:
    """The texts of the cell's outputs."""
    for output in cell.outputs:
        data = output.get("data")
        values = data.values() if isinstance(data, Mapping) else (output.get("text"),)
        yield from (each for each in values if isinstance(each, str))


class _Texts:
    """Known texts, found by how they begin and end."""

    def __init__(self) -> None:
        self._all: set[str] = set()
        self._by_ends: dict[tuple[str, str], list[Known]] = defaultdict(list)

    def add(self, known: Known) -> None:
        if known.text not in self._all:
            self._all.add(known.text)
            if len(known.text) >= 2 * _LEAST:
                self._by_ends[_ends(known.text)].append(known)

    def like(self, text: str) -> tuple[Known, int, int] | None:
        """A known text without a stretch, or with one twice, and where the cut may be."""
        if text in self._all or len(text) < 2 * _LEAST:
            return None
        several: tuple[Known, int, int] | None = None
        for known in self._by_ends.get(_ends(text), ()):
            low = len(text) - _shared(text, known.text, from_end=True)
            high = _shared(text, known.text)
            if low > high + _BLOCK // 2:
                several = several or (known, low, high)
            if low <= high <= low + _MOST_OPEN and not _are_lines(text, known.text, low, high):
                return known, low, high
        return several


def _ends(text: str) -> tuple[str, str]:
    return text[:_LEAST], text[-_LEAST:]


def _shared(a: str, b: str, *, from_end: bool = False) -> int:
    """How many letters the two have in common at one end."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        same = a[-middle:] == b[-middle:] if from_end else a[:middle] == b[:middle]
        low, high = (middle, high) if same else (low, middle - 1)
    return low


def _are_lines(text: str, known: str, low: int, high: int) -> bool:
    """Whether what is missing, or comes twice, are whole lines: so people edit."""
    longer, size = _longer(text, known)
    return any(
        (not at or text[at - 1] == "\n") and longer[at : at + size].endswith("\n")
        for at in range(low, high + 1)
    )


def _longer(text: str, known: str) -> tuple[str, int]:
    """The longer of the two, and by how much."""
    return max(text, known, key=len), abs(len(known) - len(text))


def _is_in_word(text: str, at: int) -> bool:
    """Whether letters or digits stand on both sides of that place."""
    return text[at - 1 : at].isalnum() and text[at : at + 1].isalnum()


# ---------------------------------------------------------------------- where it lies in the file


def _is_at_border(raw: bytes, suspect: Suspect) -> bool:
    """Whether, where the text lies in the file, a border of blocks is at the cut."""
    head = suspect.text[:_LEAST].split("\n")[0]
    both = (json.dumps(head, ensure_ascii=ascii)[1:-1] for ascii in (True, False))
    begins = tuple(each.encode("utf-8", "surrogatepass") for each in both)
    for strings in _groups(raw):
        if not strings[0][1].startswith(begins):
            continue
        parts = [_decoded(each) for _, each in strings]
        if "".join(parts) == suspect.text and _cuts(raw, strings, parts, suspect):
            return True
    return False


def _groups(raw: bytes) -> Iterator[list[tuple[int, bytes]]]:
    """The strings of the file, with their places: each value alone, lines of one list together."""
    group: list[tuple[int, bytes]] = []
    end = 0
    for found in _STRING.finditer(raw):
        if group and (found[2] or not _COMMA.fullmatch(raw, end, found.start())):
            yield group
            group = []
        if not found[2]:
            group.append((found.start(1), found[1]))
        end = found.end()
    if group:
        yield group


def _cuts(
    raw: bytes, strings: Iterable[tuple[int, bytes]], parts: list[str], suspect: Suspect
) -> bool:
    """Whether borders lie in the text just where it may have been cut."""
    borders = list(_borders(raw, strings, parts))
    low, high = suspect.low, suspect.high
    if low <= high:
        return any(low <= at <= high for at in borders)
    first = max((at for at in borders if high - _MOST_OPEN <= at <= high), default=None)
    last = min((at for at in borders if low <= at <= low + _MOST_OPEN), default=None)
    if first is None or last is None:
        return False
    within = [at for at in borders if first <= at <= last]
    return all(suspect.text[a:b] in suspect.known.text for a, b in pairwise(within))


def _borders(raw: bytes, strings: Iterable[tuple[int, bytes]], parts: list[str]) -> Iterator[int]:
    """The places in the text of these strings where borders of blocks lie in the file."""
    before = 0
    for (start, body), part in zip(strings, parts, strict=True):
        for border in range(start + -start % _BLOCK, start + len(body) + 1, _BLOCK):
            yield before + len(_decoded(raw[start:border]))
        before += len(part)


def _decoded(body: bytes) -> str:
    """The text of a JSON string, as far as it reads."""
    for size in range(len(body), max(-1, len(body) - 12), -1):
        try:
            text: str = json.loads(b'"' + body[:size] + b'"', strict=False)
            return text
        except ValueError:
            continue
    return ""


# ---------------------------------------------------------------------- in words


def blend_in_words(cell: EvidenceCell) -> str:
    """What a person is told of the cell; "" where it is no blend."""
    notes = cell.metadata.get(BLEND)
    if not isinstance(notes, Mapping):
        return ""
    known = notes.get("known")
    if not notes.get("other"):
        return f"what it shows in the file is blended of two versions: this is that of {known}"
    if notes.get("of") == IN_FILE:
        return f"in the file it may be blended of two versions: this is the text of {known}"
    return f"it may be blended of two versions: the text of {known} is kept beside"


def other_text(cell: EvidenceCell) -> tuple[str, str]:
    """Of a cell that may be blended the text that it has not, and what is to be said of that."""
    notes = cell.metadata.get(BLEND)
    if not isinstance(notes, Mapping):
        return "", ""
    return str(notes.get("other") or ""), f"of a cell that may be blended: {notes.get('of')}"
