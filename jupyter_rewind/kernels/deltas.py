"""Which earlier chunk each chunk of a stream is told as a difference from."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_rewind.model.ids import Digest


def align(new: Sequence[Digest], old: Sequence[Digest]) -> list[Digest | None]:
    """For each new chunk its predecessor: in front and behind what is the same, and in between
    by place. None where there is none, or where it is the chunk itself."""
    found: list[Digest | None] = [None] * len(new)
    if not old:
        return found
    head = 0
    while head < min(len(new), len(old)) and new[head] == old[head]:
        head += 1
    tail = 0
    while tail < min(len(new), len(old)) - head and new[-1 - tail] == old[-1 - tail]:
        tail += 1
    changed, before = len(new) - head - tail, len(old) - head - tail
    for number in range(changed):
        # Chunks that were only added stand closest to the one in front of them.
        place = head + min(number * max(before, 1) // max(changed, 1), max(before - 1, 0))
        found[head + number] = old[min(place, len(old) - 1)]
    return found
