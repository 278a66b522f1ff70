"""How well a run fits a notebook, by counts and by code; and which of two it fits better."""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from typing import TypeAlias

CLEARLY = 0.25
HALF = 0.5
MATCHES = 2


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a run fits a notebook.

    `matches` cells of a document stand in the run at their own counts, which is `shown` of those
    with a count; `code` is how much of the run's code the notebook has, rare code weighing more.
    """

    matches: int = 0
    shown: float = 0.0
    code: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether most of what is saved is what was run there."""
        return self.matches >= MATCHES and self.shown > HALF


Rank: TypeAlias = tuple[bool, float, float]


def rank(fit: Fit) -> Rank:
    return fit.is_good, fit.shown if fit.is_good else 0.0, fit.code


def is_clearly_better(there: Fit, here: Fit) -> bool:
    """By the counts where they speak, else by the code."""
    if there.is_good:
        return shows_clearly_more(there, here) and there.code >= here.code
    return not here.matches and there.code >= max(HALF, here.code + CLEARLY)


def shows_clearly_more(there: Fit, here: Fit) -> bool:
    return there.is_good and there.shown >= here.shown + CLEARLY


def has_moved(there: Fit, here: Fit, *, went_on: bool = False) -> bool:
    """By counts and code alike: a copy shows as much as what it was made of, which has the code.
    `went_on`: what is here was saved in a later run, which it shows more of."""
    hardly = went_on or here.matches < MATCHES or here.code < CLEARLY
    return hardly and shows_clearly_more(there, here) and there.code >= here.code + CLEARLY


def are_versions(place: str, places: frozenset[str]) -> bool:
    """Whether the names say that one is a copy of the other, as Jupyter's `NAME-Copy1` does."""
    stem = stem_of(place)
    return any(stem in stem_of(each) or stem_of(each) in stem for each in places)


def stem_of(place: str) -> str:
    """The name of a notebook as names are compared."""
    return os.path.splitext(os.path.basename(place))[0].lower()
