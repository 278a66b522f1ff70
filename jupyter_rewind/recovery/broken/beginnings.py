"""Where a cell begins whose key `cell_type` was found: the `{` before it, over other members."""

from __future__ import annotations

import re

from jupyter_rewind.recovery.broken.jsonbytes import Broken, Buffer, JsonBytes

_KEY = b'"cell_type"'
_ANCHOR = re.compile(rb'(?<!\\)"cell_type"\s*+:\s*+"(?P<kind>code|markdown|raw|heading|html|text)"')
_WEAK = re.compile(
    rb'\{\s*+"(?:attachments|cell_type|collapsed|execution_count|id|input|language|level|metadata|'
    rb'outputs|prompt_number|source)"\s*+:'
)
_STRADDLED = re.compile(rb'\{\s*+"?\Z')
_LONGEST_INDENT = 256
_MOST_TRIES = 16


def find_anchor(raw: Buffer, at: int) -> re.Match[bytes] | None:
    """The next key that says of what type a cell is, with its value as `kind`."""
    while True:
        at = raw.find(_KEY, at)
        if at < 0:
            return None
        found = _ANCHOR.match(raw, at)
        if found is not None:
            return found
        at += len(_KEY)


class Beginnings:
    """Looks for beginnings of cells in one file."""

    def __init__(self, raw: JsonBytes) -> None:
        self._raw = raw

    def indent(self, at: int) -> bytes | None:
        """The white space before `at`, where nothing else stands on its line."""
        start = self._raw.raw.rfind(b"\n", max(0, at - _LONGEST_INDENT), at) + 1
        before = self._raw.raw[start:at] if start else b"x"
        return None if before.strip(b" \t") else before

    def find(self, anchor: int, low: int, indent: bytes | None) -> int | None:
        """The `{` of the cell whose key is at `anchor`, not before `low`; None if that is lost."""
        raw = self._raw.raw
        tail = raw[max(0, low - 300) : low]
        straddled = _STRADDLED.search(tail)
        if straddled is not None:
            low -= len(tail) - straddled.start()
        if low > anchor:
            return None
        before = raw[max(low, anchor - 300) : anchor].rstrip(b" \t\r\n")
        if before.endswith(b"{"):
            return max(low, anchor - 300) + len(before) - 1
        near = low
        while self._raw.peek(near) in (",", "]", " ", "\n", "\r", "\t"):
            near += 1
        if near < anchor and self._leads_to(near, anchor):
            return near
        if indent is not None:
            return self._line_above(anchor, low, indent)
        for tried, weak in enumerate(_WEAK.finditer(raw, low, anchor)):
            if tried == _MOST_TRIES:
                break
            if self._leads_to(weak.start(), anchor):
                return weak.start()
        return None

    def _line_above(self, anchor: int, low: int, indent: bytes) -> int | None:
        """The `{` alone on its line, further left than `indent`, nearest before `anchor`."""
        raw, at = self._raw.raw, anchor
        while True:
            at = raw.rfind(b"{", low, at)
            if at < 0:
                return None
            before = self.indent(at)
            if before is not None and len(before) < len(indent):
                return at if self._leads_to(at, anchor) else None

    def _leads_to(self, at: int, anchor: int) -> bool:
        """Whether members from the `{` at `at` on lead to the key at `anchor`."""
        raw = self._raw
        if raw.peek(at) != "{":
            return False
        at = raw.skip(at + 1)
        try:
            while at < anchor:
                key, at = raw.string(at)
                if key in ("cells", "worksheets", "output_type"):
                    return False
                at = raw.skip(at)
                if raw.peek(at) != ":":
                    return False
                _, at = raw.value(raw.skip(at + 1))
                at = raw.skip(at)
                if raw.peek(at) != ",":
                    return False
                at = raw.skip(at + 1)
        except Broken:
            return False
        return at == anchor
