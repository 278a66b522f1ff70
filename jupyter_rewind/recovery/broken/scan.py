"""Finds the cells in the bytes of a broken notebook: each is located and decoded by itself.

A cell is known by its key `cell_type`; structure is followed where it stands and found again where
it doesn't. Damage costs the cell it is in: what reads before and behind it is told apart.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace

from jupyter_rewind.recovery.broken.beginnings import Beginnings, find_anchor
from jupyter_rewind.recovery.broken.cellbytes import CellBytes, Read
from jupyter_rewind.recovery.broken.damage import Damage, describe_bytes
from jupyter_rewind.recovery.broken.frame import Frame, Head
from jupyter_rewind.recovery.broken.jsonbytes import Broken, JsonBytes, search
from jupyter_rewind.recovery.broken.nested import Nested, ends_in
from jupyter_rewind.recovery.broken.welds import MENDED, marked
from jupyter_rewind.recovery.evidence import EvidenceCell
from jupyter_rewind.recovery.misnamed import mend_names
from jupyter_rewind.recovery.normal import cell_of

_KERNEL = re.compile(rb'"(kernelspec|language_info)"\s*+:\s*+\{')
_STRUCTURE = re.compile(
    rb'(?:\{\s*+)?(?<!\\)"(?:cells|worksheets)"\s*+:\s*+\[|(?<!\\)"nbformat"\s*+:\s*+\d'
    rb'|(?<=\])\s*+,\s*+"metadata"\s*+:\s*+\{'
)


@dataclass(frozen=True, slots=True)
class Found:
    """A cell, or what is left of one, between two places; `version` counts the notebooks."""

    cell: EvidenceCell
    start: int
    end: int
    version: int


@dataclass(slots=True)
class Scanned:
    """All that one walk over the file brought."""

    found: list[Found]
    heads: list[Head]
    damages: list[Damage]

    @property
    def is_lossless(self) -> bool:
        return not any(damage.is_loss for damage in self.damages)


def scan(
    raw: JsonBytes,
    start: int = 0,
    *,
    mend: bool = False,
    is_old: bool = False,
    progress: Callable[[float], None] | None = None,
) -> Scanned:
    """Every cell in `raw` from `start` on, in the order of the file.

    `is_old` is for formats before 4; `mend` reads lines with a forgotten escape.
    """
    return _Walk(raw, start, CellBytes(raw, mend, is_old), is_old, progress).run()


class _Walk:
    def __init__(
        self,
        raw: JsonBytes,
        start: int,
        cells: CellBytes,
        is_old: bool,
        progress: Callable[[float], None] | None,
    ) -> None:
        self._start = start
        self._raw = raw
        self._cells = cells
        self._is_old = is_old
        self._beginnings = Beginnings(raw)
        self._nested = Nested(raw, start)
        self._frame = Frame(raw, self._cells)
        self._found: list[Found] = []
        self._damages: list[Damage] = []
        self._progress = progress
        self._is_cut = False
        self._is_loss = False
        self._end = 0

    def run(self) -> Scanned:
        at = from_ = self._start
        broken: Read | None = None
        while True:
            if self._progress is not None and self._raw.size:
                self._progress(at / self._raw.size)
            kind, start, anchor_end = self._next(at, from_)
            self._gap(at, start, broken)
            if not kind:
                break
            if self._frame.at > max(start, at):  # it was no cell, but part of another value
                at, from_, broken = self._frame.at, anchor_end, None
                continue
            broken = self._cell(start, anchor_end, kind)
            at = self._end
            from_ = max(at, anchor_end) if broken is None else anchor_end
        self._frame.close(self._is_cut, not self._damages)
        self._find_metadata()
        self._doubt_before_brackets()
        self._doubt_shown()
        return Scanned(self._found, self._frame.heads, self._damages + self._frame.damages)

    def _doubt_before_brackets(self) -> None:
        """What stands just before brackets that close too much is no more than a piece."""
        ends = [found.end for found in self._found]
        for fault in self._frame.damages:
            last = bisect_right(ends, fault.at) - 1
            if fault.is_bracket and not fault.is_behind and last >= 0:
                found = self._found[last]
                self._found[last] = replace(found, cell=replace(found.cell, whole=False))

    def _doubt_shown(self) -> None:
        """What stands between damage and the end of a notebook that a cell shows is that one's."""
        losses = sorted(damage.at for damage in self._damages if damage.is_loss)
        for end in ends_in(self._raw, self._start) if losses else ():
            damaged = losses[bisect_right(losses, end) - 1]
            if damaged > end:
                continue
            for at, found in enumerate(self._found):
                if damaged <= found.start and found.end <= end:
                    self._found[at] = replace(found, cell=replace(found.cell, whole=False))

    def _next(self, at: int, from_: int) -> tuple[str, int, int]:
        """The next cell: its kind, its beginning, the end of its key; "" behind the last."""
        while True:
            anchor = find_anchor(self._raw.raw, from_)
            if anchor is None:
                return "", self._raw.size, self._raw.size
            end = self._nested.end_around(anchor.start())
            if end is not None:
                from_ = end
                continue
            indent = self._beginnings.indent(anchor.start())
            known = self._cells.indent
            if known is not None and indent is not None and len(indent) > len(known):
                from_ = anchor.end()  # a notebook inside an output
                continue
            start = self._beginnings.find(anchor.start(), at, indent)
            if start is None and anchor.start() < at:
                from_ = anchor.end()  # inside what was read already
                continue
            if known is None:
                self._cells.indent = indent
            return anchor["kind"].decode(), anchor.start() if start is None else start, anchor.end()

    def _cell(self, start: int, anchor_end: int, kind: str) -> Read | None:
        """Takes the cell at `start`; what is left of it where it breaks, None where it doesn't."""
        if self._raw.peek(start) != "{":
            self._end = start  # only the key is left: read as a rest
            return Read(start, start, broken=start)
        read = self._cells.read(start)
        self._end = max(read.end, start + 1)
        self._note_mended(read)
        is_whole = read.broken is None
        if is_whole and not read.is_cell:
            return None
        self._frame.enter_cells(start, is_sure=is_whole and not self._is_loss)
        if is_whole or read.says_something:
            self._take(read, is_whole, kind)
        return None if is_whole else read

    def _gap(self, at: int, limit: int, broken: Read | None) -> None:
        strays: list[Read] = []
        junk = at if broken is not None else self._frame.walk(at, limit, strays)
        for read in strays:
            self._note_mended(read)
            self._take(read, True)
        while junk is not None:
            junk = self._junk(junk, limit, broken)
            broken = None

    def _junk(self, at: int, limit: int, broken: Read | None) -> int | None:
        """Reads what there is behind damage at `at`; where the next damage is, None without."""
        indent = broken.indent if broken else None
        is_behind = broken is None and self._frame.is_closed
        end = self._lines(at, limit, indent) if indent is not None else at
        rest = self._rest(end, limit)
        self._is_loss = True
        lost_to = limit if rest is None else rest.start
        goes_on = lost_to < self._raw.size and not is_behind
        self._damages.append(self._describe(at, lost_to, broken, goes_on))
        if limit >= self._raw.size and at >= self._raw.size:
            self._is_cut = True
        if rest is None:
            return self._frame_again(end, limit)
        self._frame.enter_cells(rest.start, is_sure=False)
        self._take(rest, False)
        if rest.broken is not None:
            return rest.end if rest.end < limit else None
        return self._frame.walk(rest.end, limit, []) if rest.end < limit else None

    def _rest(self, at: int, limit: int) -> Read | None:
        """What is left of the next cell that is no other notebook's, shown by one of this."""
        rest = self._cells.read_rest(at, limit)
        while rest is not None and (end := self._nested.end_around(rest.start)) is not None:
            rest = self._cells.read_rest(end, limit)
        return rest

    def _describe(self, at: int, end: int, broken: Read | None, goes_on: bool) -> Damage:
        has_all = broken is None and not self._damages and self._frame.has_all_cells
        damage = describe_bytes(self._raw.raw, at, max(at, end), has_all)
        is_seam = damage.is_seam or (end <= at < self._raw.size)
        is_behind = self._frame.is_behind
        damage = replace(damage, may_blend=is_seam and goes_on, is_behind=is_behind)
        if broken is not None and broken.says_something:
            words = f"{damage.words}; the cell at byte {broken.start} is kept in part"
            return replace(damage, words=words)
        return damage

    def _frame_again(self, at: int, limit: int) -> int | None:
        """Finds the metadata behind the last cell, and a second notebook's beginning."""
        raw = self._raw.raw
        mark = search(_STRUCTURE, raw, at, limit)
        while mark is not None and (end := self._nested.end_around(mark.start())) is not None:
            mark = search(_STRUCTURE, raw, end, limit)
        if mark is None:
            return None
        self._frame.resume(is_new=mark[0][:1] == b"{")
        return self._frame.walk(mark.start(), limit, [])

    def _lines(self, at: int, limit: int, indent: bytes) -> int:
        text, end = self._cells.read_lines(at, limit, indent)
        if not text:
            return at
        before = self._found[-1].cell.kind if self._found else ""
        self._take(Read(at, end, {"source": text}), False, before)
        return end

    def _take(self, read: Read, is_whole: bool, kind: str = "") -> None:
        """Converts at once: lines joined take a quarter of the room."""
        is_whole = is_whole and not (read.mended and read.source is None)
        members, misnamed = mend_names(read.members)
        for words in misnamed:
            told = f"in the cell at byte {read.start} {words}"
            self._damages.append(Damage(read.start, told, False))
        cell = cell_of(members, kind=kind, is_whole=is_whole, is_old=self._is_old)
        if any(each.may_join for each in read.mended):
            cell = marked(cell, MENDED)
        elif misnamed:
            cell = marked(cell, f"damaged: {misnamed[0]}")
        self._found.append(Found(cell, read.start, read.end, self._frame.version))

    def _note_mended(self, read: Read) -> None:
        self._damages += [
            Damage(each.at, each.words, False, may_blend=True) for each in read.mended
        ]

    def _find_metadata(self) -> None:
        """The kernel's name where the notebook's metadata is lost."""
        for head in self._frame.heads[:1]:
            if head.metadata:
                continue
            for found in _KERNEL.finditer(self._raw.raw):
                if self._raw.raw[max(0, found.start() - 1) : found.start()] == b"\\":
                    continue
                try:
                    value, _ = self._raw.value(found.end() - 1)
                except Broken:
                    continue
                head.metadata.setdefault(found[1].decode(), value)
                if len(head.metadata) == 2:
                    break
