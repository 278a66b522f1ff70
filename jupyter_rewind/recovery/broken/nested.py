"""Notebooks inside a notebook: what a cell shows as JSON is no part of the file's own cells.

Damage in front of one hides that it stands in an output. It is known by what goes on behind it: a
comma or a bracket, where a second notebook in the file would end it.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from jupyter_rewind.recovery.broken.beginnings import find_anchor
from jupyter_rewind.recovery.broken.jsonbytes import Broken, JsonBytes, Long, search

_BOOK = re.compile(rb'\{\s*+"cells"\s*+:\s*+\[')
_LAST = re.compile(rb'(?<!\\)"nbformat(?:_minor)?"\s*+:\s*+\d++\s*+\}\s*+[,}\]]')
_MORE = re.compile(rb'(?<!\\)"(?:cell_type|nbformat)"\s*+:')
_BEFORE = 64


class Nested:
    """Where such notebooks stand in the file, from `start` on; those that do not read are left."""

    def __init__(self, raw: JsonBytes, start: int) -> None:
        self._spans: list[tuple[int, int]] = []
        self._size = raw.size
        first = find_anchor(raw.raw, start)
        at = raw.size if first is None else first.end()
        while (found := search(_BOOK, raw.raw, at, raw.size)) is not None:
            end = _end_of(raw, found.start())
            at = found.end() if end is None else end
            if end is not None:
                self._spans.append((found.start(), end))

    def end_around(self, at: int) -> int | None:
        """The end of the one in which `at` lies; None where it lies in none."""
        which = bisect_right(self._spans, (at, self._size)) - 1
        return self._spans[which][1] if which >= 0 and at < self._spans[which][1] else None


def ends_in(raw: JsonBytes, start: int) -> list[int]:
    """Where notebooks end behind which another one goes on: they stand in a value of that one.

    What a server's answer says behind its notebook is no more of it.
    """
    ends: list[int] = []
    while (found := search(_LAST, raw.raw, start, raw.size)) is not None:
        ends.append(found.end())
        start = found.end()
    if ends and search(_MORE, raw.raw, ends[-1], raw.size) is None:
        ends.pop()
    return ends


def _end_of(raw: JsonBytes, at: int) -> int | None:
    """The end of the notebook at `at`, where it is inside another; None where it is not."""
    if raw.raw[max(0, at - _BEFORE) : at].rstrip(b" \t\r\n").endswith(b"}"):
        return None  # behind a notebook
    try:
        value, end = raw.short(at)
    except (Broken, Long):
        return None
    is_inside = raw.peek(raw.skip(end)) in (",", "}", "]")
    return end if is_inside and isinstance(value, dict) and "nbformat" in value else None
