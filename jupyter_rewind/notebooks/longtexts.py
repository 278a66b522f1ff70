"""What changed between two texts too long to be compared letter by letter: told by their lines.

Comparing letters takes time that grows with the square of their number: two lines of a picture in
base64 took minutes. Here the lines that stand once in each text hold the rest in place, and only
what was changed between them, where it is short, is handed to nbdime, which looks at the letters.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

_MOST_LETTERS = 4_000_000
"""Pairs of letters in one change that nbdime looks at in some tenths of a second."""
_MOST_IN_ALL = 40_000_000
_EACH, _LINES = 5_000, 30
"""How many pairs of letters it is worth to ask nbdime at all, and to compare a pair of lines."""


class LetterBudget:
    """Pairs of letters that may still be compared; one for the whole of a comparison."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = _MOST_IN_ALL

    def takes(self, pairs: int) -> bool:
        """Whether so many may be compared; if so, they are taken off."""
        if pairs > min(_MOST_LETTERS, self._left):
            return False
        self._left -= pairs
        return True


def diff_long_texts(before: str, after: str, budget: LetterBudget) -> list[Any]:
    """What changed, in nbdime's format for texts: by lines, and by letters within short changes."""
    from nbdime.diff_utils import to_clean_dicts
    from nbdime.diffing.sequences import diff_strings_linewise

    one, two = before.splitlines(keepends=True), after.splitlines(keepends=True)
    found: list[Any] = []
    for i, to_i, j, to_j in _changes(one, two):
        old, new = "".join(one[i:to_i]), "".join(two[j:to_j])
        lines = (to_i - i) * (to_j - j)
        if lines and budget.takes(_EACH + len(old) * len(new) + lines * _LINES):
            inner = to_clean_dicts(diff_strings_linewise(old, new))
            found += [{**operation, "key": operation["key"] + i} for operation in inner]
            continue
        if j < to_j:
            found.append({"op": "addrange", "key": i, "valuelist": two[j:to_j]})
        if i < to_i:
            found.append({"op": "removerange", "key": i, "length": to_i - i})
    return found


def _changes(one: Sequence[str], two: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """Where lines of `one` gave way to lines of `two`, each as two ranges, in order."""
    i = j = 0
    for to_i, to_j in [*_held(one, two), (len(one), len(two))]:
        while i < to_i and j < to_j and one[i] == two[j]:
            i, j = i + 1, j + 1
        end_i, end_j = to_i, to_j
        while end_i > i and end_j > j and one[end_i - 1] == two[end_j - 1]:
            end_i, end_j = end_i - 1, end_j - 1
        if (i, j) != (end_i, end_j):
            yield i, end_i, j, end_j
        i, j = to_i, to_j


def _held(one: Sequence[str], two: Sequence[str]) -> list[tuple[int, int]]:
    """The most lines that stand once in each and in the same order, as pairs of their places."""
    counts, others = Counter(one), Counter(two)
    places = {line: at for at, line in enumerate(two) if others[line] == 1}
    pairs = [
        (i, places[line]) for i, line in enumerate(one) if counts[line] == 1 and line in places
    ]
    ends: list[int] = []  # the least place in `two` at which a chain of each length ends
    last: list[int] = []  # and which pair that is
    previous: list[int | None] = []
    for number, (_, place) in enumerate(pairs):
        length = bisect.bisect_left(ends, place)
        previous.append(last[length - 1] if length else None)
        ends[length : length + 1] = [place]
        last[length : length + 1] = [number]
    chain: list[tuple[int, int]] = []
    at = last[-1] if last else None
    while at is not None:
        chain.append(pairs[at])
        at = previous[at]
    return chain[::-1]
