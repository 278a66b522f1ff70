"""Other notebooks that a session may be of, where no trace says whose it is.

A copy has the cells of the notebook that it was made from. What tells them apart is what the
files show: a saved cell has the number under which it ran, and the other one's cells have not.
Only notebooks that are there are asked: one that is gone may have been this one's earlier name.
"""

from __future__ import annotations

import os.path
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from jupyter_rewind.recovery.evidence import FoundDocument, FoundRun

CLEARLY = 0.25
HALF = 0.5
MATCHES = 2
_ON_DISK = "file"


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


_NONE = Fit()


class Rivals:
    """How well each run fits each of many notebooks; what it costs grows with their cells."""

    def __init__(
        self,
        runs: Sequence[FoundRun],
        weights: Sequence[Mapping[str, float]],
        documents: Iterable[FoundDocument],
    ) -> None:
        """`weights` are what the telling code of each run weighs."""
        self._runs, self._weights = runs, weights
        self._documents: dict[str, list[FoundDocument]] = {}
        for each in documents:
            if each.trace.notebook is not None:
                place = os.path.normpath(each.trace.notebook)
                self._documents.setdefault(place, []).append(each)

    def better(self, number: int, places: Collection[str]) -> str | None:
        """The notebook that the run fits clearly better than the one of `places`; None for none."""
        own = self._own(places)
        here = own.get(number, _NONE)
        if here.code and here == max(own.values(), key=_rank) and (here.is_good or not here.shown):
            return None
        best, found = here, None
        has_its_own = any(fit.is_good for fit in own.values())
        for place in self._present:
            if place in places or (not has_its_own and _are_versions(place, places)):
                continue
            there = self._fits(place).get(number, _NONE)
            if _is_clearly_better(there, here) and _rank(there) > _rank(best):
                best, found = there, place
        return found

    def has_more(self, number: int, places: Collection[str]) -> bool:
        """Whether another notebook shows as much of the run, and has more of its code."""
        here = self._own(places).get(number, _NONE)
        return any(
            there.matches >= here.matches and there.code > here.code
            for there in self._of_others(number, places)
        )

    def has_as_much(self, number: int, places: Collection[str]) -> bool:
        """Whether another notebook shows as much of the run, and has as much of its code."""
        here = self._own(places).get(number, _NONE)
        return any(
            there.matches >= here.matches and there.code >= here.code
            for there in self._of_others(number, places)
        )

    def _of_others(self, number: int, places: Collection[str]) -> Iterator[Fit]:
        others = (place for place in self._present if place not in places)
        return (self._fits(place).get(number, _NONE) for place in others)

    @cached_property
    def _present(self) -> list[str]:
        """The notebooks that are there as files."""
        return [
            place
            for place, documents in self._documents.items()
            if any(each.trace.kind == _ON_DISK for each in documents)
        ]

    def _own(self, places: Collection[str]) -> dict[int, Fit]:
        fits: dict[int, Fit] = {}
        for place in places:
            for number, fit in self._fits(place).items():
                fits[number] = max(fits.get(number, _NONE), fit, key=_rank)
        return fits

    def _fits(self, place: str) -> Mapping[int, Fit]:
        if place not in self._known:
            self._known[place] = self._compare(self._documents.get(place, ()))
        return self._known[place]

    @cached_property
    def _known(self) -> dict[str, Mapping[int, Fit]]:
        return {}

    @cached_property
    def _at_count(self) -> Mapping[tuple[int, str], list[int]]:
        found = defaultdict(list)
        for number, run in enumerate(self._runs):
            for each in run.executions:
                found[each.line, each.source.rstrip()].append(number)
        return found

    @cached_property
    def _with_code(self) -> Mapping[str, list[int]]:
        found = defaultdict(list)
        for number, weights in enumerate(self._weights):
            for source in weights:
                found[source].append(number)
        return found

    def _compare(self, documents: Iterable[FoundDocument]) -> Mapping[int, Fit]:
        weighed: dict[int, float] = defaultdict(float)
        shown: dict[int, tuple[float, int]] = {}
        code: set[str] = set()
        for document in documents:
            code.update(source for _, source in _cells(document))
            counted = [(count, source) for count, source in _cells(document) if count]
            matches: dict[int, int] = defaultdict(int)
            for cell in counted:
                for number in self._at_count.get(cell, ()):
                    matches[number] += 1
            for number, same in matches.items():
                shown[number] = max(shown.get(number, (0.0, 0)), (same / len(counted), same))
        for source in code:
            for number in self._with_code.get(source, ()):
                weighed[number] += self._weights[number][source]
        return {
            number: Fit(matches, share, weighed[number] / sum(self._weights[number].values()))
            for number in weighed.keys() | shown.keys()
            for share, matches in [shown.get(number, (0.0, 0))]
            if self._weights[number]
        }


def _cells(document: FoundDocument) -> Iterator[tuple[int, str]]:
    for cell in document.cells:
        if cell.kind == "code" and cell.source.strip():
            yield cell.execution_count or 0, cell.source.rstrip()


def _rank(fit: Fit) -> tuple[bool, float, float]:
    return fit.is_good, fit.shown if fit.is_good else 0.0, fit.code


def _is_clearly_better(there: Fit, here: Fit) -> bool:
    """By the counts where they speak, else by the code."""
    if there.is_good:
        return there.shown >= here.shown + CLEARLY and there.code >= here.code
    return not here.matches and there.code >= max(HALF, here.code + CLEARLY)


def _are_versions(place: str, places: Collection[str]) -> bool:
    """Whether the names say that one is a copy of the other, as Jupyter's `NAME-Copy1` does."""
    stem = _stem(place)
    return any(stem in _stem(each) or _stem(each) in stem for each in places)


def _stem(place: str) -> str:
    return os.path.splitext(os.path.basename(place))[0].lower()
