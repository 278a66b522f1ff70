"""Other notebooks that a session may be of, where no trace says whose it is.

A copy has the cells of the notebook that it was made from. What tells them apart is what the
files show: a saved cell has the number under which it ran, and the other one's cells have not.
Only notebooks that are there are asked: one that is gone may have been this one's earlier name.
"""

from __future__ import annotations

import math
import os.path
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from jupyter_rewind.recovery.evidence import FoundDocument, FoundRun
from jupyter_rewind.recovery.fit import (
    CLEARLY,
    HALF,
    MATCHES,
    Fit,
    Rank,
    are_versions,
    has_moved,
    is_clearly_better,
    rank,
    shows_clearly_more,
)
from jupyter_rewind.recovery.saves import Saves, code_of

_ON_DISK = "file"
_FEW = 4
_NONE = Fit()


@dataclass(frozen=True, slots=True)
class _Own:
    """How all runs fit one notebook, the best of these, and whether one is good."""

    fits: Mapping[int, Fit]
    best: Fit = _NONE
    is_known: bool = False


class Rivals:
    """How well each run fits each of many notebooks; what it costs grows with their cells.

    A run is compared with the notebooks that have any of its cells, never with all.
    """

    def __init__(
        self,
        runs: Sequence[FoundRun],
        weights: Sequence[Mapping[str, float]],
        documents: Iterable[FoundDocument],
    ) -> None:
        """`weights` are what the telling code of each run weighs."""
        self._last: tuple[frozenset[str], _Own] = frozenset(), _Own({})
        self._runs, self._weights = runs, weights
        self._totals = [math.fsum(each.values()) for each in weights]
        self._made: dict[Fit, Fit] = {}
        self._known: dict[str, Mapping[int, Fit]] = {}
        self._documents: dict[str, list[FoundDocument]] = {}
        for each in documents:
            if each.trace.notebook is not None:
                place = os.path.normpath(each.trace.notebook)
                self._documents.setdefault(place, []).append(each)

    def better(self, number: int, places: frozenset[str]) -> str | None:
        """The notebook that the run fits clearly better than the one of `places`; None for none."""
        if number not in self._clear:
            return None
        own = self._own(places)
        here = own.fits.get(number, _NONE)
        if here.code and here == own.best and (here.is_good or not here.shown):
            return None
        for place in self._clear[number]:
            there = self._fits(place)[number]
            if shows_clearly_more(there, here) and there.code < here.code:
                continue
            if not is_clearly_better(there, here):
                return None  # nor is any that fits less well
            if place not in places and (own.is_known or not are_versions(place, places)):
                return place
        return None

    def has_more(self, number: int, places: frozenset[str], by_code: bool) -> bool:
        """Whether another notebook shows as much of the run, and has more of its code; `by_code`:
        or clearly more of its code, whatever it shows."""
        here = self._own(places).fits.get(number, _NONE)
        return any(
            (there.matches >= here.matches and there.code > here.code)
            or (by_code and there.code >= max(HALF, here.code + CLEARLY))
            for there in self._of_others(number, places)
        )

    def alike(self, number: int, places: frozenset[str]) -> tuple[str, ...]:
        """The other notebooks that the run fits as well as the one of `places`."""
        here = self._own(places).fits.get(number, _NONE)
        least = max(here.code, CLEARLY)
        return tuple(
            place
            for place in self.having(number)
            if place not in places
            for there in [self._fits(place)[number]]
            if there.matches >= here.matches and there.code >= least
        )

    def brought_back(self, number: int, places: frozenset[str]) -> str | None:
        """The notebook that was brought back for the one of `places` before the run began, and
        saved since with what ran there; None for none."""
        started = self._runs[number].started_ns or 0
        here = self._own(places).fits.get(number, _NONE)
        for place, since_ns, saved_ns in self._brought_back:
            there = self._fits(place).get(number, _NONE)
            as_good = there.shown >= here.shown and there.code >= here.code
            if there.is_good and as_good and since_ns <= started < saved_ns:
                return place
        return None

    def is_brought_back(self, place: str) -> bool:
        """Whether what lies at `place` was brought back for the notebook that is looked for."""
        return any(place == each for each, _, _ in self._brought_back)

    @cached_property
    def _brought_back(self) -> list[tuple[str, int, int]]:
        """The notebooks that were brought back, when that was, and when they were saved last."""
        return [
            (place, each.since_ns, each.time_ns or 0)
            for place, documents in self._documents.items()
            for each in documents
            if each.since_ns is not None
        ]

    def shown_whole(
        self, number: int, places: frozenset[str], *, by_copies: bool = False
    ) -> str | None:
        """The other notebook that shows more of the run than the one of `places`, and has clearly
        more of its code; no copy by its name, but for `by_copies`. None for none."""
        here = self._own(places).fits.get(number, _NONE)
        for place, there in self.best(number, places):
            more = there.matches > here.matches and there.code >= max(HALF, here.code + CLEARLY)
            if there.is_good and more and (by_copies or not are_versions(place, places)):
                return place
        return None

    def fit(self, number: int, places: frozenset[str] | str) -> Fit:
        """How well the run fits the one of `places`, or that at one place."""
        fits = self._fits(places) if isinstance(places, str) else self._own(places).fits
        return fits.get(number, _NONE)

    def shows_other(self, place: str, number: int) -> bool:
        """Whether what is at `place` shows another run as well as this one."""
        fits = self._fits(place)
        here = fits.get(number, _NONE)
        others = (each for at, each in fits.items() if at != number)
        return any(e.matches >= max(here.matches, 1) and e.shown >= here.shown for e in others)

    def of_lost(self, number: int, places: frozenset[str]) -> Iterator[tuple[str, Fit]]:
        """Those that are not there any more, and show the run well."""
        for place in self._lost_of_run.get(number, ()):
            if place not in places:
                yield place, self._fits(place)[number]

    def is_better_shown(self, number: int, places: frozenset[str]) -> bool:
        """As `has_more`, of the notebooks that the run fits best: to ask all costs too much."""
        here = self._own(places).fits.get(number, _NONE)
        best = (there for _, there in self.best(number, places))
        return any(there.matches >= here.matches and there.code > here.code for there in best)

    def best(self, number: int, places: frozenset[str]) -> Iterator[tuple[str, Fit]]:
        """The first of the notebooks that the run fits clearly, but for the one of `places`."""
        for place in self._clear.get(number, ())[:_FEW]:
            if place not in places:
                yield place, self._fits(place)[number]

    def may_have_run(self, place: str, number: int) -> bool:
        """Whether the run may be of the very file at `place`."""
        run = self._runs[number]
        return any(each.may_have_run(run) for each in self._documents.get(place, ()) if each.cells)

    def having(self, number: int) -> Sequence[str]:
        """The notebooks that are there and have anything of the run."""
        return self._of_run.get(number, ())

    def code_of_others(self, number: int, places: frozenset[str]) -> set[str]:
        """What the other notebooks have that are there and have anything of the run; copies, by
        their names, aside."""
        return {
            source
            for place in self.having(number)
            if place not in places and not are_versions(place, places)
            for document in self._documents[place]
            if document.may_have_run(self._runs[number])
            for _, source in code_of(document)
        }

    def moved(self, number: int, places: frozenset[str]) -> str | None:
        """The notebook that is the run's, where the one of `places` has code, but not the run's, or
        was saved under that name since."""
        if not any(map(self.code_at, places)):
            return None
        earlier = self.saves.earlier(number, places)
        for place in self.having(number) if earlier is not None else ():
            if place not in places and self.saves.went_on(number, earlier, place):
                return place
        here, later = self._as_saved_last(number, places)
        for place in self._clear.get(number, ()):
            is_other = place not in places and not are_versions(place, places)
            if is_other and has_moved(self._fits(place)[number], here, went_on=later):
                return place
        return None

    def rank(self, number: int, place: str) -> Rank:
        """How well the run fits the notebook at `place`, to be compared with others' ranks."""
        return rank(self._fits(os.path.normpath(place)).get(number, _NONE))

    def knows(self, number: int, places: frozenset[str]) -> bool:
        """Whether the notebook of `places` has or shows anything of the run."""
        return number in self._own(places).fits

    def has_moved(self, number: int, former: str, places: frozenset[str]) -> bool:
        """Whether the run is of the notebook of `places`, and what is at `former` has code, but not
        the run's, or was saved under a name of `places` since."""
        earlier = self.saves.earlier(number, frozenset((former,)))
        if any(self.saves.went_on(number, earlier, place) for place in places):
            return True
        there = self._own(places).fits.get(number, _NONE)
        here, later = self._as_saved_last(number, (former,))
        is_other = bool(self.code_at(former)) and not are_versions(former, places)
        return is_other and has_moved(there, here, went_on=later)

    def _as_saved_last(self, number: int, places: Iterable[str]) -> tuple[Fit, bool]:
        """How the run fits what was saved last at these places, and whether that shows more of a
        later run: an old checkpoint of a new notebook may show no more than what it has in common
        with the one that had its name."""
        saved = [each for place in places for each in self._documents.get(place, ())]
        latest = max((each.time_ns or 0 for each in saved), default=0)
        last = [each for each in saved if (each.time_ns or 0) == latest]
        key = tuple(map(id, last))
        if key not in self._lasts:
            self._lasts[key] = self._compare(last)
        fits, began = self._lasts[key], self._runs[number].started_ns or 0
        here = fits.get(number, _NONE)
        return here, any(
            each.matches > here.matches and (self._runs[at].started_ns or 0) > began
            for at, each in fits.items()
        )

    @cached_property
    def _lasts(self) -> dict[tuple[int, ...], Mapping[int, Fit]]:
        return {}

    def shows_more(self, number: int, places: frozenset[str], former: str) -> bool:
        """Whether the one of `places` shows and has more of the run than what is at `former`."""
        there = self._own(places).fits.get(number, _NONE)
        here = self._fits(former).get(number, _NONE)
        more = there.matches > here.matches and there.code > here.code
        return there.matches >= MATCHES and more and bool(self.code_at(former))

    def with_code(self, most: int) -> list[tuple[str, set[str]]]:
        """The notebooks that are there and have any code that was run, each with its code; `most`
        of those that have most of it."""
        fits = {place: self._fits(place) for place in self._present}
        found = sorted((place for place in fits if fits[place]), key=lambda each: -len(fits[each]))
        return [(place, self.code_at(place)) for place in found[:most]]

    def code_at(self, place: str) -> set[str]:
        """The code of all that is known of the notebook at `place`."""
        return {code for each in self._documents.get(place, ()) for _, code in code_of(each)}

    def has_as_much(self, number: int, places: frozenset[str]) -> bool:
        """Whether another notebook shows as much of the run, and has as much of its code."""
        here = self._own(places).fits.get(number, _NONE)
        if here == _NONE:
            return any(place not in places for place in self._present)
        return any(
            there.matches >= here.matches and there.code >= here.code
            for there in self._of_others(number, places)
        )

    def _of_others(self, number: int, places: frozenset[str]) -> Iterator[Fit]:
        """How the run fits the other notebooks that have anything of it."""
        others = (place for place in self.having(number) if place not in places)
        return (self._fits(place)[number] for place in others)

    @cached_property
    def _present(self) -> list[str]:
        """The notebooks that are there as files."""
        return [
            place
            for place, documents in self._documents.items()
            if any(each.trace.kind == _ON_DISK for each in documents)
        ]

    @cached_property
    def _lost_of_run(self) -> Mapping[int, list[str]]:
        """Of each run the notebooks that are not there any more, and show it well."""
        found = defaultdict(list)
        for place in sorted(self._documents.keys() - set(self._present)):
            for number, fit in self._fits(place).items():
                if fit.is_good:
                    found[number].append(place)
        return found

    @cached_property
    def _of_run(self) -> Mapping[int, list[str]]:
        """Of each run the notebooks that are there and have anything of it."""
        found = defaultdict(list)
        for place in self._present:
            for number in self._fits(place):
                found[number].append(place)
        return found

    @cached_property
    def _clear(self) -> Mapping[int, list[str]]:
        """As `_of_run`, but for those that are not clearly better than nothing; best fit first."""
        found: dict[int, list[tuple[Fit, str]]] = defaultdict(list)
        for place in self._present:
            for number, fit in self._fits(place).items():
                if is_clearly_better(fit, _NONE):
                    found[number].append((fit, place))
        return {
            number: [place for _, place in sorted(pairs, key=lambda e: rank(e[0]), reverse=True)]
            for number, pairs in found.items()
        }

    def _own(self, places: frozenset[str]) -> _Own:
        """How all runs fit the one of `places`; kept until another one is asked about."""
        if self._last[0] != places:
            fits: dict[int, Fit] = {}
            for place in places:
                for number, fit in self._fits(place).items():
                    fits[number] = max(fits.get(number, _NONE), fit, key=rank)
            best = max(fits.values(), key=rank, default=_NONE)
            self._last = places, _Own(fits, best, any(fit.is_good for fit in fits.values()))
        return self._last[1]

    def _fits(self, place: str) -> Mapping[int, Fit]:
        if place not in self._known:
            self._known[place] = self._compare(self._documents.get(place, ()))
        return self._known[place]

    @cached_property
    def saves(self) -> Saves:
        """In which runs the documents were saved."""
        return Saves(self._runs, self._documents, self.at_count)

    @cached_property
    def at_count(self) -> Mapping[tuple[int, str], list[int]]:
        """The runs that ran a piece of code at a count."""
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

    def may_be_of(self, document: FoundDocument, numbers: Sequence[int]) -> Sequence[int]:
        """Of the runs of these `numbers` those that may be of this very file."""
        if document.since_ns is None:
            return numbers
        return [each for each in numbers if document.may_have_run(self._runs[each])]

    def _compare(self, documents: Iterable[FoundDocument]) -> Mapping[int, Fit]:
        weighed: dict[int, list[float]] = defaultdict(list)
        shown: dict[int, tuple[float, int]] = {}
        code: dict[str, Sequence[int]] = {}
        for document in documents:
            for _, source in code_of(document):
                found = self.may_be_of(document, self._with_code.get(source, ()))
                code[source] = max(code.get(source, ()), found, key=len)
            counted = [(count, source) for count, source in code_of(document) if count]
            matches: dict[int, int] = defaultdict(int)
            for cell in counted:
                for number in self.may_be_of(document, self.at_count.get(cell, ())):
                    matches[number] += 1
            for number, same in matches.items():
                shown[number] = max(shown.get(number, (0.0, 0)), (same / len(counted), same))
        for source, numbers in code.items():
            for number in numbers:
                weighed[number].append(self._weights[number][source])
        fits = {}
        for number in weighed.keys() | shown.keys():
            if self._weights[number]:
                share, same = shown.get(number, (0.0, 0))
                fit = Fit(same, share, math.fsum(weighed[number]) / self._totals[number])
                # Where many notebooks begin alike, a run fits them in the same few ways.
                fits[number] = self._made.setdefault(fit, fit)
        return fits
