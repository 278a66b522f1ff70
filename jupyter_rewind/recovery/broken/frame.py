"""What stands before, between and behind the cells: brackets, metadata, the end of a notebook.

Tells whether the file is one well-formed notebook, and where in a gap the damage begins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from jupyter_rewind.recovery.broken.cellbytes import CellBytes, Read
from jupyter_rewind.recovery.broken.damage import NO_CELL, Damage, too_early
from jupyter_rewind.recovery.broken.jsonbytes import Broken, JsonBytes
from jupyter_rewind.recovery.misnamed import is_almost

_CELLS = "cells"
_PAIRS = {"}": "{", "]": "["}
_LONGEST_NAME = 40
_BOOK = re.compile(rb'\{\s*+"(?:cells|metadata|nbformat|nbformat_minor|worksheets)"\s*+:')


@dataclass(slots=True)
class Head:
    """What one notebook of the file says of itself, its cells aside."""

    metadata: dict[str, Any] = field(default_factory=dict)
    nbformat: int | None = None
    nbformat_minor: int | None = None
    title: str = ""

    @property
    def is_blank(self) -> bool:
        return not self.metadata and self.nbformat is None


class Frame:
    """Walks over gaps. `heads` grows by one with each notebook that begins."""

    def __init__(self, raw: JsonBytes, cells: CellBytes) -> None:
        self._raw = raw
        self._cells = cells
        self._open: list[str] = []
        self._has_list = False
        self._wants_comma = False
        # How many objects are open where a notebook's own keys stand.
        self._depth = 1
        self.is_behind = False
        """Whether a notebook has come to its proper end, and no other has begun since."""
        self.at = 0
        """How far the last walk came."""
        self.heads = [Head()]
        self.damages: list[Damage] = []

    @property
    def is_closed(self) -> bool:
        """Whether a notebook has come to its end, and none has begun since."""
        return self._has_list and not self._open

    @property
    def has_all_cells(self) -> bool:
        """Whether the walk is behind the list of cells, and nothing is wrong before that."""
        is_own = self._open == ["{"] * self._depth and len(self.heads) == 1
        return self._has_list and is_own and not self.damages

    @property
    def version(self) -> int:
        """The number of the notebook that the walk is in, from 0 on."""
        return len(self.heads) - 1

    def walk(self, at: int, limit: int, found: list[Read]) -> int | None:
        """From `at` to `limit`; where the damage begins, None without any.

        Objects among the cells that no key marks as one are in `found`.
        """
        while True:
            self.at = at = self._raw.skip(at)
            if at >= limit:
                return None
            try:
                at = self._step(at, found)
            except Broken as broken:
                return min(broken.at, limit)

    def enter_cells(self, at: int, *, is_sure: bool) -> None:
        """A cell stands at `at`; a list of cells that damage hid is open now."""
        if is_sure:
            self._begin_item(at)
        self._wants_comma = is_sure
        if not self._open or self._open[-1] != _CELLS:
            if is_sure:
                words = f"the cell at byte {at} stands outside the list of cells"
                self._note_fault(at, words, is_bracket=True)
            self._open = [*"{" * self._depth, _CELLS]
        self._has_list = True

    def resume(self, *, is_new: bool) -> None:
        """The walk goes on behind damage, at a notebook's `{` or at one of its keys."""
        self._depth = 1 if is_new else self._depth
        self._open = [] if is_new else ["{"] * self._depth
        self._wants_comma = False

    def close(self, is_cut: bool, is_sound: bool) -> None:
        """The file ends here, and nothing was damaged so far where it `is_sound`."""
        if self._open and not is_cut:
            self.damages.append(too_early(self._raw.size, is_sound and self.has_all_cells))

    def _step(self, at: int, found: list[Read]) -> int:
        letter = self._raw.peek(at)
        if self._open[-1:] == [_CELLS] and letter == "{":
            return self._stray(at, found)
        if self._open[-1:] in ([_CELLS], ["["]) and letter not in "{}[],":
            return self._no_cell(at, letter)
        if letter in "{[":
            if self._open:
                self._begin_item(at)
            else:
                self._begin(at)
            self._wants_comma = False
            self._open.append(letter)
        elif letter in "}]":
            self._shut(letter, at)
            self._wants_comma = True
        elif letter == ",":
            self._wants_comma = False
            if self._raw.peek(self._raw.skip(at + 1)) in ("]", "}", ","):
                words = f"a comma too many at byte {at}"
                self._note_fault(at, words)
        elif letter == '"':
            return self._key(at)
        else:
            raise Broken(at)
        return at + 1

    def _begin_item(self, at: int) -> None:
        if self._wants_comma:
            words = f"a comma is missing at byte {at}"
            self._note_fault(at, words)

    def _note_fault(self, at: int, words: str, *, is_bracket: bool = False) -> None:
        """Something that costs nothing, and may tell that another version goes on."""
        behind = self.is_behind
        fault = Damage(at, words, False, may_blend=True, is_bracket=is_bracket, is_behind=behind)
        self.damages.append(fault)

    def _begin(self, at: int) -> None:
        if self._has_list or not self.heads[-1].is_blank:
            self._next_notebook(at)

    def _next_notebook(self, at: int) -> None:
        self.heads.append(Head())
        self._has_list = self.is_behind = False
        self._cells.indent = None
        self.damages.append(Damage(at, f"another notebook begins at byte {at}", False))

    def _shut(self, letter: str, at: int) -> None:
        opener = self._open.pop() if self._open else ""
        if opener != _PAIRS[letter] and not (letter == "]" and opener == _CELLS):
            words = f"a bracket at byte {at} closes nothing"
            self._note_fault(at, words, is_bracket=True)
        elif not self._open and self._has_list and self.heads[-1].nbformat is not None:
            self.is_behind = True

    def _stray(self, at: int, found: list[Read]) -> int:
        read = self._cells.read(at)
        if read.broken is not None:
            raise Broken(max(at, read.broken))
        if read.is_cell:
            found.append(read)
            self.enter_cells(at, is_sure=True)
        else:
            self.damages.append(Damage(at, f"what stands at byte {at} {NO_CELL}"))
        return read.end

    def _no_cell(self, at: int, letter: str) -> int:
        """Something among the cells that is none; a key, if the list's end is lost."""
        value, end = self._raw.value(at)
        if letter == '"' and self._raw.peek(self._raw.skip(end)) == ":":
            self._open.pop()
            return self._key(at)
        self._begin_item(at)
        self._wants_comma = True
        self.damages.append(Damage(at, f"what stands at byte {at} {NO_CELL}", value is not None))
        return end

    def _key(self, at: int) -> int:
        key, place = self._raw.string(at)
        place = self._raw.skip(place)
        if self._raw.peek(place) != ":":
            raise Broken(at)
        self._begin_item(at)
        place = self._raw.skip(place + 1)
        if self._is_rotten_list(key, place):
            words = f"the list of cells stands under the name `{key}` at byte {at}"
            self.damages.append(Damage(at, words, False))
            key = _CELLS
        if key in ("cells", "worksheets") and self._raw.peek(place) == "[":
            if key == "cells" and self._has_list and len(self._open) <= self._depth:
                self._next_notebook(at)
            self._open = self._open or ["{"]
            self._open.append(_CELLS if key == "cells" else "[")
            self._has_list = self._has_list or key == "cells"
            self._wants_comma = False
            return place + 1
        if self._is_around(key, place):
            return self._step_in(key, place)
        value, end = self._raw.value(place)
        self._wants_comma = True
        if len(self._open) <= self._depth:
            self._note(key, value)
        return end

    def _is_rotten_list(self, key: str, place: int) -> bool:
        """Whether it is the list of cells, with one letter of its name changed."""
        is_own = self._open == ["{"] * self._depth and not self._has_list
        return is_own and is_almost(key, _CELLS) and self._raw.peek(place) == "["

    def _is_around(self, key: str, place: int) -> bool:
        """Whether a notebook stands at `place`, in an object that has no cells of its own."""
        is_outside = self._open == ["{"] and self._depth == 1 and not self._has_list
        if not is_outside or key == "metadata" or not self.heads[-1].is_blank:
            return False
        return _BOOK.match(self._raw.raw, place) is not None

    def _step_in(self, key: str, place: int) -> int:
        named = key[:_LONGEST_NAME]
        words = (
            f"the notebook stands inside another object (`{named}`), as a server's answer has it"
        )
        self.damages.append(Damage(place, words, False))
        self._depth = len(self._open) + 1
        self._open.append("{")
        self._wants_comma = False
        return place + 1

    def _note(self, key: str, value: Any) -> None:
        head = self.heads[-1]
        if key == "metadata" and isinstance(value, dict) and not head.metadata:
            head.metadata = value
        elif key == "nbformat" and type(value) is int:
            head.nbformat = value
        elif key == "nbformat_minor" and type(value) is int:
            head.nbformat_minor = value
