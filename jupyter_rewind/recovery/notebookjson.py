"""A notebook's JSON, as Jupyter writes it, made piece by piece: outputs may be very large.

Long texts are cut into lines while they are written. What JSON or UTF-8 have no place for does not
keep a notebook from being opened: half a character is written as the sign for one that is lost,
a number that is none as null.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_PIECE = 1 << 18
_HALF = re.compile("[\ud800-\udfff]")
_LOST = "\ufffd"
_IN_LINES = frozenset({"application/javascript", "image/svg+xml"})
_encode = json.encoder.encode_basestring


def to_json(notebook: Mapping[str, Any]) -> bytearray:
    """The file, in UTF-8."""
    made = bytearray()
    for piece in _value(_split(notebook), "\n"):
        try:
            made += piece.encode()
        except UnicodeEncodeError:
            made += _HALF.sub(_LOST, piece).encode()
    made += b"\n"
    return made


class _Lines(str):
    """A text that is written as a list of its lines."""

    __slots__ = ()


def _split(notebook: Mapping[str, Any]) -> dict[str, Any]:
    cells = []
    for cell in notebook["cells"]:
        made = {**cell, "source": _lines(cell["source"])}
        if "outputs" in cell:
            made["outputs"] = [_split_output(output) for output in cell["outputs"]]
        cells.append(made)
    return {**notebook, "cells": cells}


def _split_output(output: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(output)
    if "text" in made:
        made["text"] = _lines(made["text"])
    data = made.get("data")
    if isinstance(data, Mapping):
        made["data"] = {
            mime: _lines(value) if mime.startswith("text/") or mime in _IN_LINES else value
            for mime, value in data.items()
        }
    return made


def _lines(text: Any) -> Any:
    return _Lines(text) if isinstance(text, str) else text


def _value(value: Any, before: str) -> Iterator[str]:
    """The pieces of a value; `before` is the line end and the indent that it stands behind."""
    if isinstance(value, _Lines):
        yield from _cut(value, before)
    elif isinstance(value, str):
        yield from _text(value)
    elif isinstance(value, Mapping):
        yield from _members(value, before)
    elif isinstance(value, list | tuple):
        yield from _items(value, before)
    else:
        yield _plain(value)


def _text(text: str) -> Iterator[str]:
    if len(text) <= _PIECE:
        yield _encode(text)
        return
    yield '"'
    for at in range(0, len(text), _PIECE):
        yield _encode(text[at : at + _PIECE])[1:-1]
    yield '"'


def _members(value: Mapping[Any, Any], before: str) -> Iterator[str]:
    if not value:
        yield "{}"
        return
    start, inner = "{", before + " "
    for key in sorted(value):
        yield f"{start}{inner}{_encode(key)}: "
        yield from _value(value[key], inner)
        start = ","
    yield before + "}"


def _items(value: list[Any] | tuple[Any, ...], before: str) -> Iterator[str]:
    if not value:
        yield "[]"
        return
    start, inner = "[", before + " "
    for one in value:
        yield start + inner
        yield from _value(one, inner)
        start = ","
    yield before + "]"


def _cut(text: str, before: str) -> Iterator[str]:
    if not text:
        yield "[]"
        return
    start, inner, at = "[", before + " ", 0
    while at < len(text):
        end = text.find("\n", at + _PIECE) + 1 or len(text)
        lines = text[at:end].splitlines(keepends=True)
        yield start + inner + f",{inner}".join(map(_encode, lines))
        start, at = ",", end
    yield before + "]"


def _plain(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return "null"
