"""One cell of a broken file, member by member, as far as it reads.

What lies behind damage is read as a cell of its own (`read_rest`, `read_lines`): the damage may
have eaten the border between two cells, and an output must never come under another's source.
Every text told is one stretch of the file; nothing is put together. With `mend`, a line of a source
in which somebody forgot to escape a quotation mark is read as it was meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jupyter_rewind.recovery.broken.damage import is_border
from jupyter_rewind.recovery.broken.jsonbytes import Broken, JsonBytes, Long, search
from jupyter_rewind.recovery.broken.welds import SOURCES, has_swallowed, runs_over
from jupyter_rewind.recovery.normal import join_lines

OUTPUT_TYPES = frozenset(
    {"stream", "display_data", "execute_result", "error", "pyout", "pyerr", "update_display_data"}
)
_OF_CELLS = frozenset({"cell_type", "source", "input", "code"})
_KEYS = (
    b"attachments|cell_type|collapsed|data|ename|evalue|execution_count|html|id|input|jpeg|json|"
    b"language|latex|level|metadata|name|output_type|outputs|png|prompt_number|source|stream|svg|"
    b"text|traceback|transient"
)
_REST = re.compile(
    rb'\{\s*+"(?:' + _KEYS + rb')"\s*+:|(?<!\\)"(?P<key>cell_type|outputs|source|input)"\s*+:'
)
_BORDER = re.compile(rb"[\]}\[{]\s*+,\s*+\Z|\"cell_type\"\s*:\s*\"\w+\"\s*,\s*\Z")
_LINE = re.compile(rb'(?P<indent>[ \t]*+)"(?P<body>[^\r\n]*)"[ \t]*+(?P<comma>,?)[ \t]*+\r?\n')
_KEYED = re.compile(rb'[ \t]*+"\w+"[ \t]*+:[ \t]*+')
_NEXT_LINE = re.compile(rb'[ \t]*+["\]}]')
_BARE_QUOTE = re.compile(rb'(?<!\\)((?:\\\\)*)"')
_END_OF_LINE = re.compile(rb'(?<!\\)(?:\\\\)*\\n"')
_LONGEST_INDENT = 256


@dataclass(frozen=True, slots=True)
class Mended:
    """Where something was wrong that cost nothing; `may_join` where what was read on both sides
    of it may be of two places of the file."""

    at: int
    words: str
    may_join: bool = True


@dataclass(slots=True)
class Read:
    """What was read of one cell: its members, where it ended, and where it broke (None: whole)."""

    start: int
    end: int = 0
    members: dict[str, Any] = field(default_factory=dict)
    broken: int | None = None
    indent: bytes | None = None
    """Where it broke inside its source: what stands before each line of that source."""
    mended: list[Mended] = field(default_factory=list)
    """What was wrong and cost nothing."""

    @property
    def source(self) -> str | None:
        """Its text, under whatever name; None where it has none."""
        for key in SOURCES:
            text = self.members.get(key)
            if isinstance(text, str):
                return text
        return None

    @property
    def says_something(self) -> bool:
        """Whether a person would miss it."""
        return bool(self.source or self.members.get("outputs") or self.members.get("attachments"))

    @property
    def is_cell(self) -> bool:
        """Whether it has what only cells have."""
        if "output_type" in self.members or "cells" in self.members:
            return False
        return isinstance(self.members.get("cell_type"), str) or self.source is not None


class CellBytes:
    """Reads cells, and what is left of cells, out of one file."""

    def __init__(self, raw: JsonBytes, mend: bool = False, is_old: bool = False) -> None:
        self._raw = raw
        self._is_old = is_old
        self._mends = mend
        self._known_rest: tuple[int, int, re.Match[bytes] | None] = (0, -1, None)
        self.indent: bytes | None = None
        """What stands before each key of a cell, in a file with lines; None in one without."""

    def read(self, at: int) -> Read:
        """The cell whose `{` is at `at`, as far as it reads."""
        read = Read(at)
        try:
            value, end = self._raw.short(at)
        except (Broken, Long):
            self._walk(read, self._raw.skip(at + 1))
            return read
        if isinstance(value, dict):
            if has_swallowed(value):
                self._walk(read, self._raw.skip(at + 1))
                return read
            read.members = value
            _join_sources(value, self._is_old)
        read.end = end
        return read

    def read_rest(self, at: int, limit: int) -> Read | None:
        """The next rest of a cell that begins between `at` and `limit`."""
        while True:
            found = self._next_rest(at, limit)
            if found is None:
                return None
            start = found.start()
            read = Read(start)
            if not found["key"]:
                at = self._object(read, start)
            elif self._is_border(start):
                self._walk(read, start)
                at = read.end
            else:
                at = start + 1
            at = max(at, start + 1)
            if at <= limit + 1 and read.says_something and not self._is_nested(read):
                read.end = max(read.end, at)
                return read

    def _next_rest(self, at: int, limit: int) -> re.Match[bytes] | None:
        """The next place where a rest may begin; one that is known already isn't looked for again.

        Without that, a file of many faults would be searched to its end for each.
        """
        known_from, known_limit, known = self._known_rest
        is_known = known_from <= at and limit == known_limit
        if not is_known or (known is not None and known.start() < at):
            known = search(_REST, self._raw.raw, at, limit)
            self._known_rest = (at, limit, known)
        return known

    def read_lines(self, at: int, limit: int, indent: bytes) -> tuple[str, int]:
        """The lines of a source that go on behind damage at `at`; "" without any.

        Only in a file that gives each line one of its own, with `indent` before it.
        """
        raw = self._raw.raw
        newline = raw.find(b"\n", at, limit)
        place = at if newline < 0 else newline + 1
        lines: list[str] = []
        while newline >= 0:
            found = _LINE.match(raw, place, limit)
            if not found or found["indent"] != indent or _KEYED.match(raw, place, limit):
                break
            try:
                text, end = self._raw.string(found.start("body") - 1)
            except Broken:
                break
            if end != found.end("body") + 1:
                break
            lines.append(text)
            place = found.end()
            if not found["comma"]:
                break
        return join_lines(lines, self._is_old), place

    def _is_border(self, at: int) -> bool:
        """Whether a key at `at` stands where keys of cells stand."""
        raw = self._raw.raw
        if self.indent is not None:
            start = raw.rfind(b"\n", max(0, at - _LONGEST_INDENT), at) + 1
            return raw[start:at] == self.indent
        return _BORDER.search(raw[max(0, at - 64) : at]) is not None

    def _is_nested(self, read: Read) -> bool:
        """Whether it is no cell but part of one, or holds some."""
        if "output_type" in read.members or "cells" in read.members:
            return True
        # What was printed has the name that text had in the oldest cells, behind their type.
        return "text" in read.members and read.members.keys().isdisjoint(_OF_CELLS)

    def _object(self, read: Read, at: int) -> int:
        """An output and what follows it in its cell; or a cell's beginning."""
        place = self._items(read, "outputs", at, self._output)
        if read.members.get("outputs"):
            if read.broken is None:
                place = self._raw.skip(place)
                if self._raw.peek(place) in (",", "}"):
                    self._walk(read, place)
                else:
                    read.broken = read.end = place
            return read.end if read.broken is None else max(read.broken, place)
        read.members.clear()
        read.broken = None
        self._walk(read, self._raw.skip(at + 1))
        return read.end

    def _walk(self, read: Read, at: int) -> None:
        """Reads members from `at` on, until the cell ends or breaks."""
        raw = self._raw
        is_first = True
        while True:
            at = self._past_comma(read, at, is_first)
            is_first = False
            if raw.peek(at) == "}":
                read.end = at + 1
                return
            try:
                key, at = raw.string(at)
                at = raw.skip(at)
                if raw.peek(at) != ":":
                    raise Broken(at)
                at = self._member(read, key, raw.skip(at + 1))
            except Broken as broken:
                read.broken = broken.at
            if read.broken is None:
                at = raw.skip(at)
                if raw.peek(at) not in (",", "}", '"') or at >= raw.size:
                    read.broken = at
            if read.broken is not None:
                read.end = read.broken
                return

    def _member(self, read: Read, key: str, at: int) -> int:
        if key in read.members or key in ("cells", "worksheets"):
            raise Broken(at)  # the second of a name is another cell's; and no cell holds cells
        if key in SOURCES:
            return self._source(read, key, at)
        if key == "outputs" and self._raw.peek(at) == "[":
            return self._items(read, key, self._raw.skip(at + 1), self._output)
        read.members[key], end = self._raw.value(at)
        return end

    def _source(self, read: Read, key: str, at: int) -> int:
        """Text or lines of text; what reads before damage is kept."""
        start = at
        if self._raw.peek(at) == "[":
            at = self._raw.skip(at + 1)
            start = at
            at = self._items(read, key, at, self._line)
        else:
            read.members[key] = []
            at = self._one(read, at, read.members[key])
        if read.members[key] or read.broken is None:
            read.members[key] = join_lines(read.members[key], self._is_old)
        else:
            del read.members[key]
        if read.broken is not None:
            line = self._raw.raw.rfind(b"\n", max(0, start - _LONGEST_INDENT), start) + 1
            read.indent = self._raw.raw[line:start]
        return at

    def _items(
        self, read: Read, key: str, at: int, take: Callable[[Read, int, list[Any]], int]
    ) -> int:
        """Items until `]`; where one breaks, those before it."""
        raw = self._raw
        items: list[Any] = read.members.setdefault(key, [])
        is_first = True
        while True:
            at = self._past_comma(read, at, is_first)
            is_first = False
            if raw.peek(at) == "]":
                return at + 1
            at = raw.skip(take(read, at, items))
            if read.broken is not None:
                return at

    def _past_comma(self, read: Read, at: int, is_first: bool) -> int:
        """The place behind commas; one too many or too few costs nothing."""
        raw, count, start = self._raw, 0, at
        while raw.peek(at) == ",":
            at = raw.skip(at + 1)
            count += 1
        wanted = 0 if is_first or raw.peek(at) in ("]", "}", "") else 1
        if count != wanted and not (is_first and count == 1):
            words = "is missing" if count < wanted else "too many"
            may_join = raw.peek(at) not in ("]", "}")  # one behind the last item is a slip
            read.mended.append(Mended(start, f"a comma {words} at byte {start}", may_join))
        return at

    def _output(self, read: Read, at: int, items: list[Any]) -> int:
        raw = self._raw
        try:
            try:
                value, end = raw.short(at)
            except Long:
                value, end = raw.members(at, self._output_member)
        except Broken as broken:
            read.broken = broken.at
            return broken.at
        is_output = isinstance(value, dict) and value.get("output_type") in OUTPUT_TYPES
        if not is_output or runs_over(value):
            read.broken = at
            return at
        items.append(value)
        return end

    def _output_member(self, key: str, at: int) -> tuple[Any, int]:
        if key == "data" and self._raw.peek(at) == "{":
            return self._raw.members(at, self._text)
        return self._raw.value(at) if key == "traceback" else self._text(key, at)

    def _text(self, key: str, at: int) -> tuple[Any, int]:
        """A long text; lines are joined while they are read, which takes a quarter of the room."""
        raw = self._raw
        if (
            self._is_old
            or raw.peek(at) != "["
            or key.endswith("json")
            or raw.peek(raw.skip(at + 1)) != '"'
        ):
            return raw.value(at)
        parts: list[str] = []
        end = raw.texts(at, parts.append)
        return "".join(parts), end

    def _line(self, read: Read, at: int, items: list[str]) -> int:
        end = self._one(read, at, items)
        if read.broken is None and self._raw.peek(self._raw.skip(end)) not in (",", "]", '"'):
            read.broken = end
        return end

    def _one(self, read: Read, at: int, items: list[str]) -> int:
        """One text; where it breaks, mended or its beginning."""
        raw = self._raw
        try:
            text, end = raw.string(at)
            broken = None if self._fits(end) else end
        except Broken as error:
            text, end, broken = error.text or "", error.at, error.at
        if broken is not None:
            mended = self._mend(read, at, items) if self._mends else None
            if mended is not None:
                return mended
            text = text if raw.peek(broken) in ("", "\0") else text[: text.rfind("\n") + 1]
            read.broken = broken
        if text or broken is None:
            items.append(text)
        return end

    def _fits(self, end: int) -> bool:
        """Whether something that may stand behind a text stands at `end`."""
        raw = self._raw
        after = raw.skip(end)
        if raw.peek(after) == ",":
            after = raw.skip(after + 1)
            return raw.peek(after) in ('"', ",", "]", "}", "")
        return raw.peek(after) in ('"', "]", "}", "")

    def _mend(self, read: Read, at: int, items: list[str]) -> int | None:
        """Takes the whole line of the file for one text."""
        raw = self._raw.raw
        start = raw.rfind(b"\n", max(0, at - _LONGEST_INDENT), at) + 1
        before = raw[start:at]
        if before.strip(b" \t") and not _KEYED.fullmatch(before):
            return None
        found = _LINE.match(raw, at)
        if found is None or not _NEXT_LINE.match(raw, found.end()):
            return None
        quotes = (quote.end() for quote in _BARE_QUOTE.finditer(found["body"]))
        if any(is_border(found.start("body") + quote) for quote in quotes):
            return None  # here another version may go on
        if _END_OF_LINE.search(found["body"]):
            return None  # the line ends there, and another one goes on
        body = _BARE_QUOTE.sub(rb'\1\\"', found["body"]).replace(b"\t", b"\\t")
        try:
            text, _ = JsonBytes(b'"' + body + b'"').string(0)
        except Broken:
            return None
        items.append(text)
        words = f"a line at byte {at} with a quotation mark not escaped, mended"
        read.mended.append(Mended(at, words))
        return found.end("body") + 1


def _join_sources(members: dict[str, Any], is_old: bool) -> None:
    for key in SOURCES:
        lines = members.get(key)
        if isinstance(lines, list) and all(isinstance(line, str) for line in lines):
            members[key] = join_lines(lines, is_old)
