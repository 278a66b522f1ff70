"""Which of several notebooks that show the same of a run is the one that ran it.

When a file was saved tells little: the original is saved over and over, and a copy may be made at
any time. What is shown tells more: who goes on behind the last cell of the other is no copy of it.
Where both end alike, a copy's name may say so, as Jupyter's `NAME-Copy1` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence, Set

from jupyter_rewind.recovery.fit import CLEARLY, MATCHES, Fit, are_versions, stem_of
from jupyter_rewind.recovery.namesakes import only_telling
from jupyter_rewind.recovery.rivals import Rivals


class Copies:
    """What the files of other notebooks show of each run beside the one that is asked about."""

    def __init__(self, rivals: Rivals, ran: Sequence[Set[str]]) -> None:
        """`ran` is the code of each run that says anything."""
        self._rivals, self._saves, self._ran = rivals, rivals.saves, ran
        self._codes: dict[str, frozenset[str]] = {}

    def original(self, number: int, places: frozenset[str]) -> str | None:
        """The notebook that the one of `places` is a copy of, by its name: it shows and has as much
        of the run, or goes on behind that. None for none."""
        found = self._not_behind(number, places)
        return next((place for place, _ in found if is_copy(places, place)), None)

    def alike(self, number: int, places: frozenset[str]) -> tuple[str, ...]:
        """The others of which nothing tells whether they are the copies, or which go on behind what
        is shown here; so may one that is lost, and was saved later. One that shows another run as
        well may be that one's."""
        found = (
            place
            for place, ahead in self._not_behind(number, places)
            if ahead or not any(is_copy((place,), each) for each in places)
        )
        return tuple(
            place
            for place in (*found, *self._lost_ahead(number, places))
            if not self._rivals.shows_other(place, number)
        )

    def _lost_ahead(self, number: int, places: frozenset[str]) -> Iterator[str]:
        here, last = self._rivals.fit(number, places), self._saves.last(number, places)
        for place, there in self._rivals.of_lost(number, places):
            is_ahead = self._saves.last(number, (place,)) > last
            is_later = self._saves.newest((place,)) > self._saves.newest(places)
            if is_ahead and is_later and there.matches >= here.matches:
                yield place

    def is_as_good(self, number: int, places: frozenset[str], other: str) -> bool:
        """Whether the one of `places` shows and has as much of the run as the other, and was saved
        later, as "Save Notebook As" leaves the two."""
        here, there = self._rivals.fit(number, places), self._rivals.fit(number, other)
        is_later = self._saves.newest(places) > self._saves.newest((other,)) > 0
        return (
            here.is_good and is_later and here.matches >= there.matches and here.code >= there.code
        )

    def _not_behind(self, number: int, places: frozenset[str]) -> Iterator[tuple[str, int]]:
        """Those that show and have as much, or more, each with how far it goes on."""
        here, last = self._rivals.fit(number, places), self._saves.last(number, places)
        for place, there in self._rivals.best(number, places):
            if self._saves.is_older(number, (place,)):
                continue
            ahead = self._saves.last(number, (place,)) - last
            as_much = there.shown >= here.shown and there.code >= here.code and not ahead
            goes_on = there.code + CLEARLY > here.code and ahead > 0
            if there.matches >= here.matches and (as_much or goes_on):
                yield place, ahead

    def told_apart(self, number: int, places: frozenset[str]) -> str | None:
        """Another notebook, there or lost, that is nearly the same, where the run ran what only
        that one has, and nothing of what only the one of `places` has. One cell may be an edit of
        this one, unless that shows another run. None for none."""
        here = self._rivals.fit(number, places)
        ran = self._ran[number]
        for place, there in self._others(number, places):
            if not there.is_good or there.matches <= here.matches:
                continue
            ours = frozenset[str]().union(*map(self._code_at, places))
            theirs, mine = self._code_at(place) - ours, ours - self._code_at(place)
            if not mine or mine & ran or not theirs & ran:
                continue
            if any(self._rivals.shows_other(each, number) for each in places):
                return place
            if len(theirs & ran) >= MATCHES and not are_versions(place, places):
                return place
        return None

    def _others(self, number: int, places: frozenset[str]) -> Iterator[tuple[str, Fit]]:
        """Those that are there and that the run fits best, then those that are lost."""
        yield from self._rivals.best(number, places)
        yield from self._rivals.of_lost(number, places)

    def _code_at(self, place: str) -> frozenset[str]:
        if place not in self._codes:
            self._codes[place] = frozenset(only_telling(self._rivals.code_at(place)))
        return self._codes[place]

    def saved_first(self, number: int, places: frozenset[str]) -> bool:
        """Whether another notebook shows and has as much of the run, and was saved in it before the
        one of `places` was."""
        here, ours = self._rivals.fit(number, places), self._saves.saved_in(number, places)
        for place, there in self._rivals.best(number, places):
            as_much = there.matches >= here.matches and there.code >= here.code
            theirs = self._saves.saved_in(number, (place,))
            if as_much and theirs is not None and (ours is None or theirs < ours):
                return True
        return False

    def saved_there(self, number: int, places: frozenset[str], *, is_later: bool) -> str | None:
        """The notebook that was saved in the run, as the one of `places` was not, and shows and has
        more of it, and no other run as well; or as much, where it is lost and the run began after
        one that is known to be this one's (`is_later`). None for none."""
        here = self._rivals.fit(number, places)
        for place in self._saved_there(number, places, self._rivals.best(number, places)):
            there = self._rivals.fit(number, place)
            more = there.matches > here.matches and there.code > here.code
            if more and not self._rivals.shows_other(place, number):
                return place
        lost = self._rivals.of_lost(number, places) if is_later else ()
        return next(self._saved_there(number, places, lost), None)

    def fitting(self, number: int, places: frozenset[str]) -> tuple[str, ...]:
        """The others that the run fits as well, or that were saved in it, as the one of `places`
        was not."""
        saved = self._saved_there(number, places, self._rivals.best(number, places))
        return tuple(dict.fromkeys((*self._rivals.alike(number, places), *saved)))

    def owner(self, number: int, places: frozenset[str]) -> str | None:
        """Another notebook, there or lost, that shows as much of the run, and no other run as well.
        None for none."""
        here = self._rivals.fit(number, places)
        for place, there in self._others(number, places):
            as_much = there.matches >= max(here.matches, 1)
            is_old = self._saves.is_older(number, (place,))
            if as_much and not is_old and not self._rivals.shows_other(place, number):
                return place
        return None

    def _saved_there(
        self, number: int, places: frozenset[str], others: Iterable[tuple[str, Fit]]
    ) -> Iterator[str]:
        if self._saves.saved_in(number, places) is not None:
            return
        here = self._rivals.fit(number, places)
        for place, there in others:
            as_much = there.matches >= max(here.matches, 1) and there.code >= here.code
            if as_much and self._saves.saved_in(number, (place,)) is not None:
                yield place


def is_copy(places: Iterable[str], of: str) -> bool:
    """Whether the names say that the one of `places` is a copy of that one: its name stands there
    as a word, with something before it or behind it."""
    stem = stem_of(of)
    word = re.compile(rf"(?<![^\W_]){re.escape(stem)}(?![^\W\d_])")
    return any(word.search(stem_of(each)) and stem != stem_of(each) for each in places)
