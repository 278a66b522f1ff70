"""How paths and numbers stand in what a person is told: to be typed, and to be read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jupyter_rewind.model.shell import quoted

_IN_A_ROW = 4
"""So many numbers that follow one another are told by the first and the last."""


def typed(path: Path) -> str:
    """The path as it can be typed after a command, where this process stands."""
    text = str(path)
    try:
        here = Path.cwd()
    except OSError:
        return quoted(text)  # the folder is gone: only a whole path leads anywhere
    if path.is_relative_to(here):
        text = str(path.relative_to(here))
    return quoted(f"./{text}" if text.startswith("-") else text)


def listed(numbers: Iterable[int]) -> str:
    """`1, 3 and 4`; `1 to 12 and 15` where many follow one another."""
    ordered = sorted(numbers)
    parts: list[str] = []
    at = 0
    while at < len(ordered):
        end = at
        while end + 1 < len(ordered) and ordered[end + 1] == ordered[end] + 1:
            end += 1
        if end - at < _IN_A_ROW - 1:
            end = at
        parts.append(f"{ordered[at]} to {ordered[end]}" if end > at else str(ordered[at]))
        at = end + 1
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
