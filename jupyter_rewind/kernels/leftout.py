"""What a move does not touch: variables that are left out now, or were when its state was kept.

A state that was kept without a variable does not say that there was none.
"""

from __future__ import annotations

from collections.abc import Collection, Container
from typing import TYPE_CHECKING

from jupyter_rewind.model.snapshot import Snapshot

if TYPE_CHECKING:
    from jupyter_rewind.kernels.capture import Capturer


def untouched(snapshot: Snapshot, capturer: Capturer | None) -> frozenset[str]:
    """Their names; where nothing is captured, nothing is left out now."""
    now = capturer.excluded if capturer is not None else ()
    return frozenset((*snapshot.excluded, *now))


def words_for(
    snapshot: Snapshot, excluded: Collection[str], namespace: Container[str]
) -> tuple[str, ...]:
    """Which variables are there that this state was kept without, if they are kept now."""
    return tuple(
        f"{name} was left out of that state, and stays what it is now."
        for name in snapshot.excluded
        if name in namespace and name not in excluded
    )
