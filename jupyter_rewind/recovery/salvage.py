"""A broken notebook gives back every cell that still reads; it never tells one that was not there.

Truncated, NUL-filled, garbled, with git's conflict marks, two notebooks in one file, in a wrong
encoding, of any nbformat, or a web page in a notebook's name. A cell in part (`whole` False) is one
stretch of the file. The file is read in place; memory follows the cells.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path

from jupyter_rewind.recovery.broken import encodings
from jupyter_rewind.recovery.broken.damage import Damage, block_of_turns, in_words
from jupyter_rewind.recovery.broken.jsonbytes import Broken, Buffer, JsonBytes
from jupyter_rewind.recovery.broken.repeats import block_of_repeats
from jupyter_rewind.recovery.broken.scan import Scanned, scan
from jupyter_rewind.recovery.broken.strays import is_one_stray
from jupyter_rewind.recovery.broken.versions import (
    doubt_unconfirmed,
    drop_repeated,
    is_mixture,
    merge,
    without_told_pieces,
)
from jupyter_rewind.recovery.evidence import EvidenceCell
from jupyter_rewind.recovery.exports.page import page_title, read_page
from jupyter_rewind.recovery.regular import open_file
from jupyter_rewind.recovery.salvaged import Salvaged

__all__ = ["Salvaged", "salvage_notebook"]

Progress = Callable[[str, float | None], None]
_UTF8_MARK = b"\xef\xbb\xbf"
_PAGE = re.compile(rb"\s*+(?:<!--.{0,1000}?-->\s*+)?<(?:!doctype\s+html|html|head)\b", re.I | re.S)
_CELL_TYPE = "cell_type"
_QUOTED = "the notebook stands in the file as one text, in quotation marks"
_MOST_FAULTS_MENDED = 20
_MOST_TWICE = 1 << 24
_END = 1 << 16
_OLD = re.compile(rb'(?<!\\)"(?:nbformat"\s*+:\s*+[123]\b|worksheets"\s*+:\s*+\[)')
_NEW = re.compile(rb'(?<!\\)"nbformat"\s*+:\s*+4\b')


def salvage_notebook(source: Path | Buffer, *, progress: Progress | None = None) -> Salvaged:
    """Every cell in `source` that still reads, in order, and in words what is wrong.

    Raises OSError where the file cannot be read at all.
    """
    tell = progress or _silent
    if not isinstance(source, Path):
        return _salvage(source, tell)
    with open_file(source) as file:
        if file.seek(0, 2) == 0:
            return _salvage(b"", tell)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            return _salvage(mapped, tell)


def _silent(words: str, share: float | None) -> None:
    """Progress that nobody watches."""


def _salvage(raw: Buffer, tell: Progress) -> Salvaged:
    if len(raw) == 0:
        return _nothing("the file is empty (0 bytes)")
    if _is_blank(raw):
        return _nothing(f"the file has {len(raw)} bytes, all of them blank or NUL")
    wide = encodings.wide_encoding(raw)
    if wide is not None:
        text = encodings.to_utf8(raw, *wide)
        return _with(_salvage_utf8(text, tell), f"the file is in {wide[0].upper()}, not UTF-8")
    return _salvage_utf8(raw, tell)


def _nothing(words: str) -> Salvaged:
    return Salvaged(damages=(words,), whole=False, complete=False)


def _is_blank(raw: Buffer) -> bool:
    return all(
        not raw[at : at + (1 << 20)].strip(b"\0 \t\r\n") for at in range(0, len(raw), 1 << 20)
    )


def _with(salvaged: Salvaged, words: str) -> Salvaged:
    return replace(salvaged, damages=(words, *salvaged.damages), whole=False)


def _salvage_utf8(raw: Buffer, tell: Progress) -> Salvaged:
    start = 3 if raw[:3] == _UTF8_MARK else 0
    if _PAGE.match(raw, start):
        return _salvage_page(raw, start, tell)
    quoted = _quoted(raw, start)
    if quoted is not None:
        return _with(_salvage_utf8(quoted, tell), _QUOTED)
    if encodings.has_conflict(raw):
        return _salvage_conflict(raw, start, tell)
    made = _salvage_json(raw, start, tell)
    return _with(made, "the file begins with a byte order mark") if start else made


def _quoted(raw: Buffer, start: int) -> bytes | None:
    """The notebook that is one text of JSON in all of the file, cut short or not; None if none is.

    A program that writes JSON of what is JSON already leaves such a file.
    """
    reader = JsonBytes(raw)
    at = reader.skip(start)
    if reader.peek(at) != '"':
        return None
    try:
        text, end = reader.string(at)
    except Broken as broken:
        text, end = broken.text or "", broken.at
    is_all = reader.skip(end) >= reader.size
    return text.encode("utf-8", "replace") if is_all and _CELL_TYPE in text else None


def _salvage_page(raw: Buffer, start: int, tell: Progress) -> Salvaged:
    """A web page in a notebook's name: the notebook it shows, or the one in its text."""
    text = raw[start:].decode("utf-8", "replace")
    title = page_title(text)
    words = f"the file is a web page{f' ({title})' if title else ''}, not a notebook"
    shown = read_page(text)
    if shown is not None:
        return _with(shown, f"{words}; what it shows of one is told")
    made = _salvage_json(raw, start, tell)
    if not made.cells and "&quot;" in text:
        made = _salvage_json(unescape(text).encode("utf-8", "replace"), 0, tell)
    if made.cells:
        return _with(replace(made, damages=(), complete=False), f"{words}; a notebook is inside")
    return _nothing(f"{words}, and shows no cell: load the notebook itself again")


def _salvage_conflict(raw: Buffer, start: int, tell: Progress) -> Salvaged:
    """Both sides of a git conflict, what they share once."""
    sides = []
    for name, text in encodings.conflict_sides(raw):
        sides.append((name, _salvage_json(text, start, tell)))
        del text
    (ours, first), (theirs, second) = sides
    words = f"git's conflict marks: {ours} and {theirs}; both sides are kept"
    damages = [f"{side}: {told}" for side, one in sides for told in one.damages]
    return Salvaged(
        tuple(merge(first.cells, (ours, theirs), second.cells)),
        first.metadata or second.metadata,
        max(first.nbformat, second.nbformat),
        (words, *damages),
        whole=False,
        complete=first.complete and second.complete,
    )


def _salvage_json(raw: Buffer, start: int, tell: Progress) -> Salvaged:
    scanned = _best_scan(raw, start, tell)
    damages = list(scanned.damages)
    spans: dict[int, tuple[int, int]] = {}
    seam = min((damage.at for damage in damages if damage.is_seam), default=len(raw))
    before_seam = sum(found.start < seam for found in scanned.found)
    lists: list[list[EvidenceCell]] = [[] for _ in scanned.heads]
    while scanned.found:
        found = scanned.found.pop()
        lists[found.version].append(found.cell)
        spans[id(found.cell)] = (found.start, found.end)
    for cells in lists:
        cells.reverse()
    block = _block_of_versions(raw, damages)
    across = {key for key, (at, end) in spans.items() if block and at // block != end // block}
    cells = _united(lists, damages, across, before_seam)
    if not cells and damages:
        damages.append(Damage(len(raw), "no cell reads"))
    head = next((one for one in scanned.heads if one.metadata), scanned.heads[0])
    number = (head.nbformat or 4, head.nbformat_minor or 0)
    return Salvaged(
        tuple(cells),
        head.metadata,
        number,
        in_words(damages),
        whole=not damages,
        complete=not any(damage.is_loss for damage in damages),
    )


def _block_of_versions(raw: Buffer, damages: list[Damage]) -> int:
    """The size of the blocks in which two versions take turns; 0 where nothing tells of any."""
    if not damages:
        return 0
    inside = [one for one in damages if not one.is_behind]
    block = block_of_turns(inside)
    if block and is_one_stray(raw, damages):
        return block_of_repeats(raw, ())
    sizes = {block, block_of_repeats(raw, inside)} - {0}
    return min(sizes, default=0)


def _united(
    lists: list[list[EvidenceCell]], damages: list[Damage], across: set[int], before_seam: int
) -> list[EvidenceCell]:
    """The cells of all notebooks in the file as those of one.

    Where blocks of two versions take turns (seams), a cell `across` the border of two blocks may
    be put together from two without showing it: it counts as whole only if it is there twice.
    """
    every = [cell for cells in lists for cell in cells]
    if across:
        lists = [doubt_unconfirmed(cells, across, every) for cells in lists]
    filled = [cells for cells in lists if cells]
    if not filled:
        return []
    cells = filled[0]
    for number, more in enumerate(filled[1:], 2):
        cells = merge(cells, ("first notebook in the file", f"notebook {number} in the file"), more)
    has_seam = any(damage.is_seam for damage in damages)
    if len(filled) == 1 and has_seam and is_mixture(cells):
        before = len(cells)
        cells = drop_repeated(cells, before_seam)
        words = f"two versions are mixed; {before - len(cells)} cells that came twice are told once"
        damages.append(Damage(0, words, False))
    if len(filled) > 1 or any("two versions" in one.words for one in damages):
        cells = without_told_pieces(cells)
    return cells


def _is_cut(raw: Buffer) -> bool:
    """Whether the end is missing: then no mending of what is there makes the file whole."""
    return not raw[-_END:].rstrip(b" \t\r\n").endswith(b"}")


def _is_only_cut(scanned: Scanned) -> bool:
    """Whether all that is wrong lies behind the last cell that reads whole."""
    end = max((found.end for found in scanned.found if found.cell.whole), default=None)
    return end is not None and all(one.at >= end for one in scanned.damages if one.is_loss)


def _is_old(raw: Buffer) -> bool:
    """Whether the file says at one of its ends that its format is one before 4."""
    ends = (raw[:_END], raw[-_END:])
    return any(map(_OLD.search, ends)) and not any(map(_NEW.search, ends))


def _best_scan(raw: Buffer, start: int, tell: Progress) -> Scanned:
    """As it is; or mended, or in another encoding, where that explains all that is wrong, or all
    that is wrong in front of where the file is cut short."""

    def share(value: float) -> None:
        tell("Reading the broken notebook", value)

    is_old = _is_old(raw)
    scanned = scan(JsonBytes(raw), start, is_old=is_old, progress=share)
    losses = sum(damage.is_loss for damage in scanned.damages)
    if not losses:
        return scanned
    if losses <= _MOST_FAULTS_MENDED and not _is_cut(raw):
        if len(raw) > _MOST_TWICE:
            scanned.found.clear()  # read again rather than held beside what may replace it
        mended = scan(JsonBytes(raw), start, mend=True, is_old=is_old, progress=share)
        if mended.is_lossless:
            return mended
        del mended
        if len(raw) > _MOST_TWICE:
            scanned = scan(JsonBytes(raw), start, is_old=is_old, progress=share)
    encoding = encodings.one_byte_encoding(raw)
    if encoding is not None:
        recoded = scan(JsonBytes(raw, encoding), start, is_old=is_old, progress=share)
        if recoded.is_lossless or _is_only_cut(recoded):
            words = f"the file is not in UTF-8; read as {encoding.replace('cp', 'Windows-')}"
            recoded.damages.append(Damage(0, words, False))
            return recoded
    return scanned
