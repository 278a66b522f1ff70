"""Large texts, told apart: keeping one takes no more memory than the text itself.

Of a text that is not ASCII, pickle makes UTF-8, which stays in the user's object for good, and
copies that: three times the text, or more. A variable that is a large text is told in a box.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from typing import Any

from xxhash import xxh3_128

LARGE = 1 << 20
"""A text of so many characters is told in a box."""
_PIECE = 1 << 20
_NARROW, _WIDE, _HALVES = "latin-1", "utf-16-le", "surrogatepass"
_TOKEN = "text"


class Text:
    """Stands for one text."""

    __slots__ = ("runs",)

    def __init__(self, runs: tuple[str | bytes, ...]) -> None:
        self.runs = runs

    def __reduce__(self) -> tuple[Any, ...]:
        return make_text, self.runs


class Texts:
    """The boxes of one pod: a text of two names is in one."""

    def __init__(self) -> None:
        self._boxes: dict[int, tuple[str, Text]] = {}

    def boxed(self, value: Any) -> Any:
        """The value, or the box that stands for a large text: its runs, each in the narrower of
        two encodings. One with half a surrogate pair stays as it is."""
        if type(value) is not str or len(value) < LARGE:
            return value
        known = self._boxes.get(id(value))
        if known is not None:
            return known[1]
        # One block of memory for each run is given back; freed pieces would stay in the heap.
        runs: list[tuple[str, BytesIO]] = []
        for encoding, raw in _pieces(value):
            if encoding == _HALVES:
                return value
            if not runs or runs[-1][0] != encoding:
                runs.append((encoding, BytesIO()))
            runs[-1][1].write(raw)
        box = Text(tuple(part for encoding, run in runs for part in (encoding, run.getvalue())))
        self._boxes[id(value)] = value, box
        return box


def _pieces(value: str) -> Iterator[tuple[str, bytes]]:
    for start in range(0, len(value), _PIECE):
        piece = value[start : start + _PIECE]
        for encoding in (_NARROW, _WIDE):
            try:
                yield encoding, piece.encode(encoding)
                break
            except UnicodeEncodeError:
                pass
        else:
            yield _HALVES, piece.encode("utf-8", _HALVES)


def token_of(values: Sequence[Any], check: Callable[[], None]) -> tuple[Any, ...] | None:
    """What tells that a large text of these names is as it was, without telling it again; None for
    anything else. `check` is called for each million letters, and may raise."""
    first = values[0]
    if type(first) is not str or len(first) < LARGE or any(one is not first for one in values):
        return None
    told = xxh3_128()
    for encoding, raw in _pieces(first):
        check()
        told.update(encoding.encode())
        told.update(raw)
    return _TOKEN, len(first), told.digest()


def is_token(token: tuple[Any, ...]) -> bool:
    """Whether it is one of a text."""
    return token[0] is _TOKEN


def make_text(*runs: Any) -> str:
    """The text of encodings and runs in turn."""
    return "".join(str(raw, encoding) for encoding, raw in zip(runs[::2], runs[1::2], strict=True))
