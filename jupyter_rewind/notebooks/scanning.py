"""Places of values in a JSON text: the C scanner for the long stretches, a walk for the rest.

The bytes are read as Latin-1, one letter a byte, so that every place is a byte offset. Structure
is ASCII in UTF-8 and never part of a wider letter; what a string says must be read from its own
bytes. It refuses nothing that `json.loads` takes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

_SPACE = re.compile(r"[ \t\n\r]*")
_scan = json.JSONDecoder(strict=False).scan_once  # type: ignore[attr-defined]

Read = Callable[[int], tuple[Any, int]]
"""Told where a value begins, answers with the value and where it ends."""
ReadMember = Callable[[str, int], tuple[Any, int]]
"""The same for a member of an object, with its key."""


class Scanner:
    """Walks over one JSON text. All methods raise ValueError for what is not JSON."""

    def __init__(self, raw: bytes) -> None:
        self._text = raw.decode("latin-1")

    def skip(self, at: int) -> int:
        """The place of the next letter that is no white space."""
        found = _SPACE.match(self._text, at)
        return at if found is None else found.end()

    def starts(self, at: int, letter: str) -> bool:
        """True when `letter` stands at this place."""
        return self._text.startswith(letter, at)

    def value(self, at: int) -> tuple[Any, int]:
        """The value that begins at `at`, with its strings in Latin-1, and its end."""
        try:
            value, end = _scan(self._text, at)
        except StopIteration as stop:
            raise ValueError(f"no value at byte {stop.value}") from None
        return value, end

    def members(self, start: int, read: ReadMember) -> tuple[dict[str, Any], int]:
        """The object at `start`, each member as `read` tells it, and its end."""
        found: dict[str, Any] = {}
        at = self._enter(start, "{")
        if self.starts(at, "}"):
            return found, at + 1
        while True:
            at = self._expect(at, '"')
            key, at = scanstring(self._text, at, False)
            at = self.skip(self._expect(self.skip(at), ":"))
            found[key], at = read(key, at)
            at = self.skip(at)
            if self.starts(at, "}"):
                return found, at + 1
            at = self.skip(self._expect(at, ","))

    def items(self, start: int, read: Read) -> tuple[list[Any], int]:
        """The array at `start`, each item as `read` tells it, and its end."""
        found: list[Any] = []
        at = self._enter(start, "[")
        if self.starts(at, "]"):
            return found, at + 1
        while True:
            value, at = read(at)
            found.append(value)
            at = self.skip(at)
            if self.starts(at, "]"):
                return found, at + 1
            at = self.skip(self._expect(at, ","))

    def _enter(self, at: int, letter: str) -> int:
        return self.skip(self._expect(at, letter))

    def _expect(self, at: int, letter: str) -> int:
        if not self._text.startswith(letter, at):
            raise ValueError(f"{letter} is missing at byte {at}")
        return at + 1
