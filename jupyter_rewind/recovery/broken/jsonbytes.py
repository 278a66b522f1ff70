"""JSON values inside bytes that may be broken, read in place; nothing is decoded as a whole.

Places are byte offsets. The C scanner reads what fits a window; a longer value is taken apart, a
longer string read in pieces, so that memory follows the values and not the file. Reading is strict
(a control character inside a string is damage) and linear: no byte is read more than a few times.
"""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Callable
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

Buffer = bytes | mmap.mmap
_FIRST_WINDOW = 1 << 16
_LAST_WINDOW = 1 << 18
_PIECE = 1 << 20
_MARGIN = 16
_DEEPEST = 24
_FORGET = 1 << 23
_SPACE = re.compile(rb"[ \t\n\r]*+")
_BODY = re.compile(
    rb'[^"\\\x00-\x1f]*+(?:\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt])[^"\\\x00-\x1f]*+)*+', re.DOTALL
)
_TEXTS = re.compile(
    rb'(?:"[^"\\\x00-\x1f]*+(?:\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt])[^"\\\x00-\x1f]*+)*+"'
    rb"[ \t\n\r]*+,[ \t\n\r]*+)++"
)
_HIGH_HALF = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\Z")
_scan = json.JSONDecoder(strict=True).scan_once  # type: ignore[attr-defined]


def search(pattern: re.Pattern[bytes], raw: Buffer, at: int, limit: int) -> re.Match[bytes] | None:
    """The first match between two places; the one door to every search over a long stretch."""
    return pattern.search(raw, at, limit)


class Broken(ValueError):
    """No JSON from here on: `at` is the first byte that does not fit.

    `text` is what a broken string said before that byte.
    """

    def __init__(self, at: int, text: str | None = None) -> None:
        super().__init__(f"no JSON at byte {at}")
        self.at = at
        self.text = text


class Long(Exception):
    """The value does not end within the longest window: take it apart."""


class JsonBytes:
    """Reads values out of `raw`. Methods raise Broken for what is not JSON."""

    def __init__(self, raw: Buffer, encoding: str = "utf-8") -> None:
        self.raw = raw
        self.size = len(raw)
        self._encoding = encoding
        self._text = ""
        self._from = 0
        self._forgotten = 0

    def skip(self, at: int) -> int:
        """The place of the next byte that is no white space."""
        found = _SPACE.match(self.raw, at)
        return found.end() if found else at

    def peek(self, at: int) -> str:
        """The byte at this place as a letter; "" behind the end."""
        return chr(self.raw[at]) if at < self.size else ""

    def value(self, at: int) -> tuple[Any, int]:
        """The value that begins at `at`, and its end."""
        return self._value(at, 0)

    def short(self, at: int) -> tuple[Any, int]:
        """The same for a value of 256 KB at most; raises Long for others."""
        return self._in_window(at)

    def _value(self, at: int, depth: int) -> tuple[Any, int]:
        try:
            return self.short(at)
        except Long:
            if depth >= _DEEPEST:
                raise Broken(at) from None
        letter = self.peek(at)
        if letter == '"':
            return self.string(at)
        if letter == "{":
            return self.members(at, lambda _, place: self._value(place, depth + 1))
        if letter == "[":
            return self.items(at, lambda place: self._value(place, depth + 1))
        raise Broken(at)

    def string(self, at: int) -> tuple[str, int]:
        """The string that begins at `at`, however long, and its end."""
        parts: list[str] = []
        try:
            end = self.pieces(at, parts.append)
        except Broken as broken:
            told = "".join(parts) + (broken.text or "")
            raise Broken(broken.at, told if parts else broken.text) from None
        return "".join(parts), end

    def pieces(self, at: int, take: Callable[[str], object]) -> int:
        """The end of the string at `at`; `take` gets it in pieces, and need not keep them."""
        if self.peek(at) != '"':
            raise Broken(at)
        at += 1
        while True:
            end = self._piece(at)
            if end > at:
                take(self._decode(at, end))
            self._forget(end)
            if end - at < _PIECE - _MARGIN:
                break
            at = end
        if self.peek(end) != '"':
            raise Broken(end)
        return end + 1

    def texts(self, at: int, take: Callable[[str], object]) -> int:
        """The end of the array of texts at `at`; `take` gets them, many joined at a time."""
        at = self.skip(self._expect(at, "["))
        if self.peek(at) == "]":
            return at + 1
        while True:
            found = _TEXTS.match(self.raw, at, min(at + _LAST_WINDOW, self.size))
            if found:
                take("".join(self._many(at, found.end())))
                at = self.skip(found.end())
                self._forget(at)
                continue
            at = self.skip(self.pieces(at, take))
            if self.peek(at) == "]":
                return at + 1
            at = self.skip(self._expect(at, ","))

    def _forget(self, at: int) -> None:
        """What was read of a mapped file lies on the disk: it need not stay in memory."""
        if at - self._forgotten >= _FORGET:
            self._forgotten = at
            if isinstance(self.raw, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
                self.raw.madvise(mmap.MADV_DONTNEED, 0, at - at % mmap.PAGESIZE)

    def _many(self, at: int, end: int) -> list[str]:
        try:
            text = self.raw[at:end].decode(self._encoding)
        except UnicodeDecodeError as error:
            raise Broken(at + error.start) from None
        texts: list[str] = _scan(f"[{text.rstrip()[:-1]}]", 0)[0]
        return texts

    def _piece(self, at: int) -> int:
        """The end of a piece of a string's body that splits no letter and no escape."""
        found = _BODY.match(self.raw, at, min(at + _PIECE, self.size))
        end = found.end() if found else at
        if end - at < _PIECE - _MARGIN:
            return end
        while end > at and end < self.size and self.raw[end] & 0xC0 == 0x80:
            end -= 1
        half = _HIGH_HALF.search(self.raw[max(at, end - 6) : end])
        return end - 6 if half else end

    def _decode(self, at: int, end: int) -> str:
        raw = self.raw[at:end]
        try:
            text = raw.decode(self._encoding)
        except UnicodeDecodeError as error:
            before = raw[: error.start].decode(self._encoding, "replace")
            raise Broken(at + error.start, _unescape(before)) from None
        return _unescape(text)

    def members(
        self, at: int, read: Callable[[str, int], tuple[Any, int]]
    ) -> tuple[dict[str, Any], int]:
        """The object at `at`, each member as `read` tells it, and its end."""
        found: dict[str, Any] = {}
        at = self.skip(self._expect(at, "{"))
        if self.peek(at) == "}":
            return found, at + 1
        while True:
            key, at = self.string(at)
            at = self.skip(self._expect(self.skip(at), ":"))
            found[key], at = read(key, at)
            at = self.skip(at)
            if self.peek(at) == "}":
                return found, at + 1
            at = self.skip(self._expect(at, ","))

    def items(self, at: int, read: Callable[[int], tuple[Any, int]]) -> tuple[list[Any], int]:
        """The array at `at`, each item as `read` tells it, and its end."""
        found: list[Any] = []
        at = self.skip(self._expect(at, "["))
        if self.peek(at) == "]":
            return found, at + 1
        while True:
            item, at = read(at)
            found.append(item)
            at = self.skip(at)
            if self.peek(at) == "]":
                return found, at + 1
            at = self.skip(self._expect(at, ","))

    def _expect(self, at: int, letter: str) -> int:
        if self.peek(at) != letter:
            raise Broken(at)
        return at + 1

    def _in_window(self, at: int) -> tuple[Any, int]:
        if self._from <= at < self._from + len(self._text):
            read = self._scan(at)
            if read is not None:
                return read
        size = _FIRST_WINDOW
        while size <= _LAST_WINDOW:
            self._from = at
            self._text = self.raw[at : at + size].decode("latin-1")
            read = self._scan(at)
            if read is not None:
                return read
            size *= 4
        self._text = ""
        raise Long

    def _scan(self, at: int) -> tuple[Any, int] | None:
        """The value at `at`; None where the window ends too early to tell."""
        text, start = self._text, at - self._from
        is_last = self._from + len(text) >= self.size
        try:
            value, end = _scan(text, start)
        except (StopIteration, ValueError, RecursionError) as error:
            at_fault = _place(error, start)
            open_string = isinstance(error, json.JSONDecodeError) and error.msg.startswith("Unt")
            if not is_last and (open_string or at_fault >= len(text) - _MARGIN):
                return None
            raise Broken(self._from + at_fault) from None
        if end == len(text) and not is_last:
            return None
        if not text.isascii():
            return self._anew(at, self._from + end, value)
        return value, self._from + end

    def _anew(self, at: int, end: int, value: Any) -> tuple[Any, int]:
        """The value between `at` and `end`, its letters read as they are meant."""
        raw = self.raw[at:end]
        if raw.isascii():
            return value, end
        try:
            return _scan(raw.decode(self._encoding), 0)[0], end
        except UnicodeDecodeError as error:
            raise Broken(at + error.start) from None


def _place(error: Exception, start: int) -> int:
    if isinstance(error, json.JSONDecodeError):
        return error.pos
    if isinstance(error, StopIteration) and isinstance(error.value, int):
        return error.value
    return start  # too deep, or a number too long: where it happened isn't told


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    decoded: str = scanstring(text + '"', 0, True)[0]
    return decoded
