"""Which pieces of large memory need not be read again, where the system can tell.

Memory that was unchanged at one look is watched from the next one on. What the system says was not
written keeps its hash; the first and the last piece are always read, since a page there may also
belong to a neighbour; and memory that overlaps with another's is never asked about, since asking
for one would make the system forget what it knew of the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from jupyter_rewind.kernels.buffers import PIECE, BufferState
from jupyter_rewind.kernels.pages import PageTracker
from jupyter_rewind.kernels.reducers.views import address_of

LEAST = 1 << 20
Range = tuple[int, int]
"""Where memory begins and how long it is."""


class Memory:
    """What is known of large memory during one look after another."""

    def __init__(self, tracker: PageTracker) -> None:
        self._tracker = tracker
        self._alone: set[Range] = set()

    def begin(self, views: Iterable[memoryview], others: Iterable[BufferState]) -> None:
        """A look at these buffers begins; `others` are not looked at this time."""
        ranges = [self.place(view) for view in views if view.nbytes >= LEAST]
        taken = [state.place for state in others if state.place is not None]
        ordered = sorted([*ranges, *taken])
        crowded: set[Range] = set()
        for (start, size), following in pairwise(ordered):
            if following[0] < start + size:
                crowded |= {(start, size), following}
        # One that reaches over several others shows only against the first of them.
        reach = 0
        for start, size in ordered:
            if start < reach:
                crowded.add((start, size))
            reach = max(reach, start + size)
        self._alone = set(ranges) - crowded

    def place(self, view: memoryview) -> Range:
        return address_of(view), view.nbytes

    def unwritten(self, view: memoryview, before: BufferState | None) -> tuple[set[int], bool]:
        """Numbers of pieces that are surely as they were, and whether the memory is watched now.
        To be asked before the memory is read."""
        place = self.place(view) if view.nbytes >= LEAST else None
        if place is None or place not in self._alone or before is None or before.place != place:
            return set(), False
        if not before.is_watched:
            return set(), before.is_calm and self._tracker.watch(*place)
        written = self._tracker.changed(*place)
        if written is None:
            return set(), False
        kept = set(range(1, len(before.digests) - 1))
        for offset, length in written:
            kept.difference_update(range(offset // PIECE, (offset + length - 1) // PIECE + 1))
        return kept, True

    def close(self) -> None:
        self._tracker.close()


def start_memory() -> Memory | None:
    """None where the system cannot tell what was written."""
    tracker = PageTracker.start()
    return Memory(tracker) if tracker is not None else None
