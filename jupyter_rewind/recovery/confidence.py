"""How likely each cell was in the notebook, in this form, when the work was lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jupyter_rewind.recovery.alignment import Follower, Slot
from jupyter_rewind.recovery.likeness import is_look, parses
from jupyter_rewind.recovery.since import Session


@dataclass(frozen=True, slots=True)
class Judged:
    """A cell, how likely it was in the notebook like this, and whether it is kept in it."""

    slot: Slot
    confidence: float
    kept: bool
    words: str = ""


def judge(follower: Follower, sessions: Sequence[Session]) -> list[Judged]:
    """All cells that there ever were, in the notebook's order."""
    return [_judged(slot) for slot in follower.slots]


def _judged(slot: Slot) -> Judged:
    if slot.origin is not None:
        if slot.gone:
            return Judged(slot, 0.1, False, "left out of later runs of all cells")
        return Judged(slot, 0.9, True)
    if slot.gone:
        return Judged(slot, 0.1, False, "left out of later runs of all cells")
    if slot.swept:
        return Judged(slot, 0.9, True)
    if is_look(slot.source):
        return Judged(slot, 0.3, False, "a passing look")
    if not parses(slot.source):
        return Judged(slot, 0.1, False, "a try that could not run")
    return Judged(slot, 0.8, True)
