"""Whether a large file is a notebook, told without holding it: no value is built, none is kept."""

from __future__ import annotations

import re

from jupyter_rewind.notebooks.condition import SOUND, Condition
from jupyter_rewind.recovery.broken.jsonbytes import Broken, Buffer, JsonBytes, Long
from jupyter_rewind.recovery.misnamed import misnamed_cell

_PIECE = 1 << 20
_DEEPEST = 200
_MOST_LEFT = 16
_IN_LIST = 2
"""How deep the cells are that stand in the list of a notebook's own."""
_SHORT: dict[str, object] = {'"': "", "[": [], "{": {}}
_WORDS = (b"true", b"false", b"null", b"NaN", b"Infinity", b"-Infinity")
_ESCAPE = re.compile(rb"\\(?:u\w{0,4}(?:\\(?:u\w{0,4})?)?)?\Z")
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
_LONE = re.compile(
    rb"(?<!\\)(?:\\\\)*+(?:\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)


def judge_large(raw: Buffer, name: str) -> Condition:
    """The condition of the notebook `name`, as `judge_notebook` tells it of one that is small."""
    return look_through(raw, name)[0]


def look_through(raw: Buffer, name: str) -> tuple[Condition, str]:
    """As `judge_large`; and what of a notebook that Jupyter opens it does not show, as
    `misnamed_in` tells it of one that is small."""
    zeros = sum(raw[at : at + _PIECE].count(0) for at in range(0, len(raw), _PIECE))
    if zeros:
        share = "nothing but" if zeros == len(raw) else f"{zeros} of {len(raw)}"
        words = f"{name} holds {share} NUL bytes, as after a crash of the machine."
        return Condition("nul", words), ""
    check = _Check(raw)
    try:
        end = check.value(check.raw.skip(0))
        if check.raw.skip(end) < len(raw):
            raise Broken(check.raw.skip(end))
    except Broken as broken:
        return _broken(check.raw, broken.at, name), ""
    if check.raw.peek(check.raw.skip(0)) != "{":
        return Condition("invalid", f"{name} is JSON, but not a notebook."), ""
    if not check.has_list:
        return Condition("invalid", f"{name} has no list of cells."), ""
    return SOUND, check.misnamed


def has_lone_half(raw: Buffer) -> bool:
    """Whether one half of a character (a lone surrogate) is written in it."""
    return _HALF.search(raw) is not None and _LONE.search(raw) is not None


def _broken(raw: JsonBytes, at: int, name: str) -> Condition:
    if raw.peek(at) == '"':
        try:
            raw.pieces(at, len)
        except Broken as inside:
            at = inside.at
    if raw.peek(at) == "u" and raw.raw[at - 1 : at] == b"\\":
        at -= 1
    rest = raw.raw[at : at + _MOST_LEFT].strip()
    begun = any(word.startswith(rest) for word in _WORDS) or _ESCAPE.match(rest)
    closes = rest in (b"}", b"]")  # a comma too many before the end, which is there
    if (
        not closes
        and raw.size - at < _MOST_LEFT
        and (len(rest) <= 1 or begun or _is_half_a_letter(rest))
    ):
        return Condition("truncated", f"{name} is cut short: it ends after {raw.size} bytes.")
    pieces = range(0, at, _PIECE)
    line = 1 + sum(raw.raw[one : min(at, one + _PIECE)].count(b"\n") for one in pieces)
    return Condition("invalid", f"{name} is not JSON (it does not go on in line {line}).")


def _is_half_a_letter(rest: bytes) -> bool:
    try:
        rest.decode()
    except UnicodeDecodeError as error:
        return not error.start and error.reason == "unexpected end of data"
    return False


class _Check:
    """Passes over values, as deep as they go."""

    def __init__(self, raw: Buffer) -> None:
        self.raw = JsonBytes(raw)
        self.has_list = False
        self.misnamed = ""
        self._cells = 0

    def value(self, at: int, depth: int = 0) -> int:
        """The end of the value at `at`. Raises Broken."""
        raw = self.raw
        if depth:
            try:
                return raw.short(at)[1]
            except Long:
                pass
        if depth >= _DEEPEST:
            raise Broken(at)
        letter = raw.peek(at)
        if letter == '"':
            return raw.pieces(at, len)
        if letter == "{":
            return raw.members(at, lambda key, place: (None, self._member(key, place, depth)))[1]
        if letter == "[":
            if raw.peek(raw.skip(at + 1)) == '"':
                try:
                    return raw.texts(at, len)
                except Broken:
                    pass
            return raw.items(at, lambda place: (None, self.value(place, depth + 1)))[1]
        if depth:
            raise Broken(at)
        return raw.short(at)[1]

    def _member(self, key: str, at: int, depth: int) -> int:
        if not depth and key in ("cells", "worksheets") and self.raw.peek(at) == "[":
            self.has_list = True
            if key == "cells":
                return self.raw.items(at, self._cell)[1]
        return self.value(at, depth + 1)

    def _cell(self, at: int) -> tuple[None, int]:
        """Passes over a cell of the list, and looks at the names of what it has."""
        cell: object = None
        try:
            cell, end = self.raw.short(at)
        except Long:
            if self.raw.peek(at) == "{":
                cell, end = self.raw.members(at, self._of_cell)
            else:
                end = self.value(at, _IN_LIST)
        self._cells += 1
        self.misnamed = self.misnamed or misnamed_cell(self._cells, cell)
        return None, end

    def _of_cell(self, _: str, at: int) -> tuple[object, int]:
        """What a cell has under one name: where that is long, something short of its kind."""
        try:
            return self.raw.short(at)
        except Long:
            return _SHORT.get(self.raw.peek(at)), self.value(at, _IN_LIST + 1)
