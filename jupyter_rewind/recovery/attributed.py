"""Which runs are a notebook's, as it is told: how sure that is, and what else may be said."""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_rewind.recovery.counts import Seeming
from jupyter_rewind.recovery.evidence import FoundRun

OPEN = 0.45
"""No cell is likely to be the notebook's that may as well be another one's."""


@dataclass(frozen=True, slots=True)
class Attributed:
    """A run of the notebook: how sure that is, and why.

    `odds` are below 1 where it may as well be another one's run: `rivals` are those that it is as
    much like. `by_likeness` is whether nothing but likeness speaks for it.
    """

    run: FoundRun
    share: float
    certain: bool
    words: str
    odds: float = 1.0
    by_likeness: bool = False
    rivals: tuple[str, ...] = ()
    covers: float = 0.0

    @property
    def likely(self) -> float:
        """How likely it is the notebook's at most: what ran all of it may have run much besides."""
        is_open = self.by_likeness and not self.certain
        return min(self.odds, max(self.share, self.covers) if is_open else 1.0)

    @property
    def surest(self) -> float:
        """No cell that it alone has is surer."""
        return self.likely if self.odds == 1 else min(self.likely, OPEN)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A run that is like the notebook, and more like another one (`notebook`)."""

    run: FoundRun
    notebook: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """A run of which something speaks, and does not say whose it is; `words` tell why.

    `instead`: where it is the notebook's, another one that was taken is not.
    """

    run: FoundRun
    words: str
    instead: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """The runs of a notebook, oldest first; those that would be but for a better fit; the newest
    that may be; those that are open; how many are nobody's; and what others ran in its own."""

    own: list[Attributed]
    left_out: list[LeftOut]
    seeming: Seeming | None
    doubts: tuple[Doubt, ...] = ()
    unclaimed: int = 0
    shared: tuple[LeftOut, ...] = ()
