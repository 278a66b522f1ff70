"""Notebooks with short stand-ins for what is too long to be compared letter by letter.

nbdime tells by their letters which texts are alike, and a list by each pair of its items: time
grows with the square of the length, and one picture within a text keeps a server busy for hours.
It is given stand-ins instead, the same one for the same text, with no letter in common with what
is not alike; what it finds is then told of the texts themselves. Without long texts, nothing is
changed.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from jupyter_rewind.notebooks.longtexts import LetterBudget, diff_long_texts

_LONG_TEXT = 10_000
"""nbdime, too, holds two longer outputs for different as soon as they are not equal."""
_LONG_SOURCE = 5_000
_LONG_LINE = 2_000
_LEAST_TEXT = 500
_MOST_PAIRS = 200_000_000
"""Pairs of letters, of all that changed: nbdime compares some 50 million in a second."""
_LONG_LIST = 300
_MOST_LINES = 1_000
_SIZE = 64
"""Letters of a stand-in: too many for nbdime to hold two of them for alike unseen."""
_MARKS = re.compile("[\U000f0000-\U0010ffff]+")
_LINE_MARKS, _WHOLE_MARKS, _COUNT = 0xF0000, 0x100000, 0xFFF0
_PARTS = {"book": {"cells": "cells"}, "cell": {"source": "source", "outputs": "outputs"}}
_LISTS = {"cells": "cell", "outputs": "output"}
"""The parts of a notebook that nbdime knows; all others may hold anything."""


class Abridgement:
    """Two notebooks as they are given to nbdime, and the way back from what it finds."""

    __slots__ = ("_budget", "_limit", "_stand_ins", "_stood_for", "books")

    def __init__(self, before: Any, after: Any) -> None:
        self._stand_ins: dict[str, str] = {}
        self._stood_for: dict[str, Any] = {}
        self._budget = LetterBudget()
        self._limit = _longest({*_texts(before)} ^ {*_texts(after)})
        self.books = self._abridge(before, "book"), self._abridge(after, "book")

    def tell(self, operations: list[Any], before: Any) -> list[Any]:
        """What nbdime found, in its format and in order, told of the notebooks themselves."""
        return self._tell(operations, before, self.books[0]) if self._stood_for else operations

    def _abridge(self, value: Any, part: str = "") -> Any:
        """`value` with stand-ins; itself where it needs none."""
        if isinstance(value, str):
            return self._abridge_text(value, is_source=part == "source")
        if isinstance(value, dict):
            inner = _PARTS.get(part, {})
            fields = {}
            # Loops, and no comprehensions: these take a frame more for each level of nesting.
            for key, each in value.items():
                fields[key] = self._abridge(each, inner.get(key, ""))
            same = all(fields[key] is each for key, each in value.items())
            return value if same else type(value)(fields)
        if isinstance(value, list):
            if part not in _LISTS and len(value) > _LONG_LIST:
                return self._stand_in(json.dumps(value, sort_keys=True), value)
            items = []
            for each in value:
                items.append(self._abridge(each, _LISTS.get(part, "")))
            same = all(one is other for one, other in zip(items, value, strict=True))
            return value if same else items
        return value

    def _abridge_text(self, text: str, *, is_source: bool) -> str:
        longest = min(self._limit, _LONG_SOURCE) if is_source else self._limit
        is_short = len(text) <= longest and not _has_long_line(text)
        # One that looks like a stand-in gets one of its own.
        if is_short and (text.isascii() or not _MARKS.fullmatch(text)):
            return text
        return self._stand_in(text, text, _sketch(text) if is_source else None)

    def _stand_in(self, key: str, value: Any, shape: str | None = None) -> str:
        key = f"{type(value).__name__} {key}"
        found = self._stand_ins.get(key)
        if found is None:
            code = zlib.crc32(key.encode(errors="surrogatepass"))
            found = shape or _mark(_WHOLE_MARKS, code) * _SIZE
            while found in self._stood_for:
                found += _mark(_WHOLE_MARKS, code)
            self._stand_ins[key], self._stood_for[found] = found, value
        return found

    def _tell(self, operations: Iterable[Any], before: Any, short: Any) -> list[Any]:
        told = []
        for operation in operations:
            operation = dict(operation)
            if operation["op"] == "patch":
                key = operation["key"]
                if isinstance(short[key], str):
                    operation = self._tell_text(operation, before[key], short[key])
                else:
                    operation["diff"] = self._tell(operation["diff"], before[key], short[key])
            elif "value" in operation:
                operation["value"] = self._restore(operation["value"])
            elif "valuelist" in operation:
                operation["valuelist"] = self._restore(operation["valuelist"])
            told.append(operation)
        return told

    def _tell_text(self, operation: Any, before: Any, short: str) -> Any:
        from nbdime.diff_utils import to_diffentry_dicts
        from nbdime.patching import patch

        later = patch(short, to_diffentry_dicts(operation["diff"]))
        if short not in self._stood_for and later not in self._stood_for:
            return operation
        after = self._stood_for.get(later, later)
        if isinstance(before, str) and isinstance(after, str):
            return {**operation, "diff": diff_long_texts(before, after, self._budget)}
        return {"op": "replace", "key": operation["key"], "value": after}

    def _restore(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._stood_for.get(value, value)
        if isinstance(value, dict):
            return {key: self._restore(each) for key, each in value.items()}
        return [self._restore(each) for each in value] if isinstance(value, list) else value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _longest(changed: Iterable[str]) -> int:
    """How long a text may be to be compared by letters, where these are in one notebook alone."""
    lengths = [len(text) for text in changed]
    longest = _LONG_TEXT
    while longest > _LEAST_TEXT and sum(n * n for n in lengths if n <= longest) > _MOST_PAIRS:
        longest //= 2
    return longest


def _has_long_line(text: str) -> bool:
    if len(text) <= _LONG_LINE:
        return False
    return any(len(line) > _LONG_LINE for line in text.splitlines())


def _sketch(text: str) -> str | None:
    """A line for a source, which is alike for sources most of whose letters are in equal lines."""
    lines = text.splitlines()
    if len(lines) > _MOST_LINES:
        return None
    return "".join(
        _mark(_LINE_MARKS, zlib.crc32(line.encode(errors="surrogatepass")))
        * max(1, len(line) * _SIZE // len(text))
        for line in lines
    )


def _mark(first: int, code: int) -> str:
    return chr(first + code % _COUNT)
