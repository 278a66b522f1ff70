"""Large texts, told apart: keeping one takes no more memory than the text itself.

Of a text that is not ASCII, pickle makes UTF-8, which stays in the user's object for good, and
copies that: three times the text, or more. A variable that is a large text is told in a box.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

LARGE = 1 << 20
"""A text of so many characters is told in a box."""
_PIECE = 1 << 20
_NARROW, _WIDE = "latin-1", "utf-16-le"


class Text:
    """Stands for one text."""

    __slots__ = ("runs",)

    def __init__(self, runs: tuple[str | bytes, ...]) -> None:
        self.runs = runs

    def __reduce__(self) -> tuple[Any, ...]:
        return make_text, self.runs


def boxed(value: Any) -> Any:
    """The value, or the box that stands for a large text: its runs, each in the narrower of two
    encodings. One with half a surrogate pair stays as it is."""
    if type(value) is not str or len(value) < LARGE:
        return value
    # One block of memory for each run is given back; freed pieces would stay in the heap.
    runs: list[tuple[str, BytesIO]] = []
    for start in range(0, len(value), _PIECE):
        piece = value[start : start + _PIECE]
        encoding = _NARROW
        try:
            raw = piece.encode(_NARROW)
        except UnicodeEncodeError:
            encoding = _WIDE
            try:
                raw = piece.encode(_WIDE)
            except UnicodeEncodeError:
                return value
        if not runs or runs[-1][0] != encoding:
            runs.append((encoding, BytesIO()))
        runs[-1][1].write(raw)
    return Text(tuple(part for encoding, run in runs for part in (encoding, run.getvalue())))


def make_text(*runs: Any) -> str:
    """The text of encodings and runs in turn."""
    return "".join(str(raw, encoding) for encoding, raw in zip(runs[::2], runs[1::2], strict=True))
