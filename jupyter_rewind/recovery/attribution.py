"""Which runs belong to a notebook: IPython's history doesn't say.

A connection file names the notebook of a kernel that started at the same moment. Otherwise a
run belongs where its code is at home: code and names weigh by how rare they are among all that
was found. What belongs brings others: a session of only new cells resembles the session after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from jupyter_rewind.recovery.attributed import Attributed, Doubt, LeftOut, Split
from jupyter_rewind.recovery.copies import Copies
from jupyter_rewind.recovery.counts import MATCHES, Counts, Seeming, lines_of
from jupyter_rewind.recovery.evidence import Evidence, FoundDocument
from jupyter_rewind.recovery.hearing import Hearing, Names, names_of, normal
from jupyter_rewind.recovery.homes import Away, Home, Words, all_that_is_left
from jupyter_rewind.recovery.kernelruns import (
    Moments,
    Restart,
    is_ipython,
    language_of,
    restarts_of,
)
from jupyter_rewind.recovery.knownruns import Known
from jupyter_rewind.recovery.nearness import AT_ONCE, ENOUGH, last_moment, moment, needed
from jupyter_rewind.recovery.rivals import Rivals
from jupyter_rewind.recovery.sameruns import merge_runs
from jupyter_rewind.recovery.saves import went_on_at
from jupyter_rewind.recovery.sharing import Sharing
from jupyter_rewind.recovery.together import MOST, Begun, Fits, all_together, settle
from jupyter_rewind.recovery.walking import is_recovered_of

SURE, SUREST = 0.95, 0.99
ROUNDS = 4
MOST_NOTEBOOKS = 100
"""So many others are asked which runs are theirs, where nothing is left of a notebook."""


def attribute(target: Path, evidence: Evidence, sources: Iterable[str]) -> list[Attributed]:
    """The runs of `target`, oldest first. `sources` is the code of its documents."""
    return Attribution(evidence).of(target, sources)


class Attribution:
    """All runs of some evidence and their kernels; tells which are of a notebook.

    Made once for many notebooks: what it costs grows with the runs.
    """

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        # Sessions that ran nothing take the kernels that are theirs, and no further part.
        everything = merge_runs(evidence.runs)
        kept = [number for number, run in enumerate(everything) if run.executions]
        self.runs = [everything[number] for number in kept]
        self.words = Words(self.runs)
        self.lines = [lines_of(run) for run in self.runs]
        self.documents = (*evidence.documents, *evidence.siblings)
        self.rivals = Rivals(self.runs, self.words.weighed, self.documents)
        self.copies = Copies(self.rivals, self.words.telling)
        moments = Moments(everything, evidence.kernels)
        began = {at: Begun(kernel) for at, kernel in moments.kernels_of().items()}
        places = {number: place for place, number in enumerate(kept)}
        fits = Fits(self.words, self.lines, self.documents)

        def fit(number: int, notebook: str) -> float:
            run = everything[number]
            if run.notebook is not None and run.certain:
                return MOST * (normal(run.notebook) == normal(notebook))
            return fits.of(places.get(number), notebook)

        for each in all_together(moments):
            began |= settle(each, fit)
        kernels = {at: each.kernel for at, each in began.items() if each.kernel is not None}
        restarts = restarts_of(everything, kernels)
        self.restarts: dict[int, Restart] = {}
        self.began: dict[int, Begun] = {}
        for place, number in enumerate(kept):
            root, certain = number, True
            while root in restarts and root not in kernels:
                certain = certain and restarts[root].certain
                root = restarts[root].of
                if everything[root].executions and place not in self.restarts:
                    self.restarts[place] = Restart(kept.index(root), certain)
            if root in began:
                one = began[root]
                self.began[place] = replace(one, certain=certain and one.certain)
        self.sharing = Sharing(self.rivals, self.documents)
        self.known = Known(
            self.runs, self.lines, self.words, self.rivals, self.sharing, self.restarts, self.began
        )

    @cached_property
    def claimed(self) -> frozenset[int]:
        """The runs that are taken for those of notebooks that are there with code, and those that
        are at home in what these ran."""
        numbers = {id(run): number for number, run in enumerate(self.runs)}
        found: set[int] = set()
        for place, sources in self.rivals.with_code(MOST_NOTEBOOKS):
            every = (numbers[id(each.run)] for each in self.of(Path(place), sources))
            own = [at for at in every if self.rivals.may_have_run(place, at)]
            home = Home(self.words, sources)
            for number in own:
                home.add(number)
            kin = (at for at in range(len(self.runs)) if own and home.share(at) >= ENOUGH)
            found.update(own, (at for at in kin if self.rivals.may_have_run(place, at)))
        return frozenset(found)

    def of(self, target: Path, sources: Iterable[str]) -> list[Attributed]:
        """The runs of `target`, oldest first. `sources` is the code of its documents."""
        return self.split(target, sources).own

    def split(self, target: Path, sources: Iterable[str]) -> Split:
        """As `of`, and what else may be said of runs that are not taken to be its own."""
        names = names_of(target, self.evidence)
        places = names.places
        own = [each for each in self.documents if each.trace.notebook in places]
        code = set(sources)
        search = _Search(self, places, own, Home(self.words, code, own))
        search.hear_traces(names)
        unclaimed = list[int]()
        if not any(each for each in map(language_of, own) if not is_ipython(each)):
            search.give_way()
            search.count()
            unclaimed = [] if code else search.unclaimed()
            search.compare(unclaimed)
            search.doubt_kin(unclaimed)
        chosen = sorted(search.chosen.values(), key=lambda each: moment(each.run))
        # What was chosen after all, by its cells, is no doubt; what a guess took still is.
        doubts = (
            each
            for at, each in search.doubts.items()
            if at not in search.chosen or search.chosen[at].odds < 1
        )
        left = sum(number not in search.chosen for number in unclaimed)
        return Split(chosen, search.left_out, search.seeming(), tuple(doubts), left)


_COUNTED = "its cells have the code and the counts of this session"
_SAVED_IN = f"{_COUNTED}, and it was saved while that went on"


class _Search:
    """Which runs are of one notebook: what traces say of each first, then likeness."""

    def __init__(
        self, all_: Attribution, places: frozenset[str], own: Sequence[FoundDocument], home: Home
    ) -> None:
        self.all, self.places, self.own = all_, places, own
        self.home, self.away, self.results = home, set[int](), set[int]()
        self.gone: dict[int, str] = {}
        self.sure = Home(all_.words, home.sources)
        self.counts = Counts(own)
        self.chosen: dict[int, Attributed] = {}
        self.waiting: list[int] = []
        self.left_out: list[LeftOut] = []
        self.doubts: dict[int, Doubt] = {}

    def hear_traces(self, names: Names) -> None:
        """Chooses what traces say is the notebook's; `waiting` is of what they say nothing."""
        other_language = any(not is_ipython(language_of(each)) for each in self.own)
        hearing = Hearing(self.all.known, names, self.own, self.counts, self.home)
        for number, run in enumerate(self.all.runs):
            heard = hearing.of(number)
            if heard.ours and other_language and not run.certain:
                continue
            if heard.doubt:
                self.doubts[number] = Doubt(run, heard.doubt, heard.instead)
            if heard.rival:
                self.left_out.append(LeftOut(run, heard.rival))
            if heard.ours:
                share = 1.0 if heard.certain else SURE if heard.alike else min(SURE, heard.odds)
                self.chosen[number] = Attributed(
                    run, share, heard.certain, heard.words, heard.odds, rivals=heard.alike
                )
                self._take_home(number)
            elif heard.ours is None:
                self.waiting.append(number)
            else:
                (self.results if self._is_of_result(number) else self.away).add(number)
                if heard.gone:
                    self.gone[number] = heard.gone

    def _is_of_result(self, number: int) -> bool:
        """Whether the run's kernel was started for what was brought back for this notebook."""
        run, began = self.all.runs[number], self.all.began.get(number)
        kernel = None if began is None else began.kernel
        named = run.notebook if run.certain else None if kernel is None else kernel.notebook
        return named is not None and (
            self.all.rivals.is_brought_back(normal(named))
            or any(is_recovered_of(Path(named), Path(each)) for each in self.places)
        )

    def give_way(self) -> None:
        """Leaves out what waits and fits another notebook clearly better."""
        for number in tuple(self.waiting):
            result = self.all.rivals.brought_back(number, self.places)
            other = result or self.all.rivals.better(number, self.places)
            other = other or self.all.copies.told_apart(number, self.places)
            if other is not None:
                if self.home.share(number) >= ENOUGH:
                    self.left_out.append(LeftOut(self.all.runs[number], other))
                self.waiting.remove(number)
                # What the result ran is what the notebook ran: whose another run is, it tells not.
                (self.results if result else self.away).add(number)

    def count(self) -> None:
        """Chooses the runs in which alone the notebook's cells stand at their counts.

        Where they stand in two, one may be a copy's; where another notebook shows as much of it and
        has more of its code, it is that one's. Few cells may have been pasted from there: then
        code that is clearly more is enough.
        """
        rivals, copies = self.all.rivals, self.all.copies
        others = {*self.waiting, *self.away}
        theirs = {at for at in others if rivals.is_better_shown(at, self.places)}
        named = self.counts.named(self.all.lines, rivals.at_count, self.results | theirs)
        for number, most in named.items():
            if number not in self.waiting:
                continue
            original = copies.original(number, self.places)
            if original is not None:
                self._leave(number, original)
            elif most or not rivals.has_more(number, self.places, by_code=True):
                self._take(number, self._counted(number, _COUNTED))
        saved_in = None if self.chosen else self._saved_in(theirs)
        if saved_in is not None:
            self._take(saved_in, self._counted(saved_in, _SAVED_IN))
        if self.chosen:
            self._leave_whole_ones(theirs)
            return
        for number, words in self.gone.items():
            if self.counts.are_of(self.all.lines[number], MATCHES) and number not in theirs:
                self.doubts.setdefault(number, Doubt(self.all.runs[number], words))

    def _take(self, number: int, attributed: Attributed) -> None:
        self.chosen[number] = attributed
        self._take_home(number)
        self.away.discard(number)
        self.waiting = [each for each in self.waiting if each != number]

    def _counted(self, number: int, words: str) -> Attributed:
        """The run as one of which counts say whose it is, but for those that are alike in them."""
        alike = self.all.copies.alike(number, self.places)
        run, sure, odds = self.all.runs[number], words == _COUNTED, 1 / (1 + len(alike))
        return Attributed(run, SURE, sure and not alike, words, odds, bool(alike), alike)

    def _leave(self, number: int, notebook: str) -> None:
        """What waits is that one's."""
        self.left_out.append(LeftOut(self.all.runs[number], notebook))
        self.waiting.remove(number)
        self.away.add(number)

    def _saved_in(self, theirs: Set[int]) -> int | None:
        """The run in which alone, but for `theirs`, the cells of a document stand that was saved
        while it went on, and no other before it; None for none."""
        for document in self.own:
            counts = Counts([document])
            found = [
                number
                for number in {*self.waiting, *self.away} - theirs
                if went_on_at(self.all.runs[number], document.time_ns)
                and counts.are_of(self.all.lines[number], MATCHES)
                and self.all.copies.original(number, self.places) is None
            ]
            if len(found) > 1:
                found = [at for at in found if not self.all.copies.saved_first(at, self.places)]
            if len(found) == 1 and found[0] in {*self.waiting, *self.gone}:
                return found[0]
        return None

    def _leave_whole_ones(self, theirs: Set[int]) -> None:
        """Leaves out what another notebook shows, with clearly more of its code, where it is known
        which run is the notebook's; and later runs in which one was saved that is lost."""
        rivals, places = self.all.rivals, self.places
        first = min(moment(each.run) for each in self.chosen.values())
        for number in tuple(self.waiting):
            shown = rivals.shown_whole(number, places, by_copies=True) if number in theirs else None
            is_later = moment(self.all.runs[number]) > first
            saved = self.all.copies.saved_there(number, places, is_later=is_later)
            if (other := shown or saved) is not None:
                self._leave(number, other)

    def seeming(self) -> Seeming | None:
        """The newest run that no trace gives to any notebook, and that may be of this one."""
        runs, ran = self.all.runs, self.all.words.of
        known = max((moment(each.run) for each in self.chosen.values()), default=(0, 0))
        for number in sorted(self.waiting, key=lambda each: moment(runs[each]), reverse=True):
            if moment(runs[number]) <= known:
                return None
            found = self.counts.seeming(runs[number], self.all.lines[number], ran[number][0])
            if found is not None and not self.all.rivals.has_as_much(number, self.places):
                return found
        return None

    def unclaimed(self) -> list[int]:
        """What waits and is no other notebook's that is there."""
        return [number for number in self.waiting if number not in self.all.claimed]

    def doubt_kin(self, unclaimed: Iterable[int]) -> None:
        """Tells of those that hold much of what the runs of the notebook hold, which is all that
        is known of it: its runs of before, most often."""
        words = self.all.words
        for number in unclaimed:
            there = words.said[number], words.of[number][1]
            kin = [each for each in self.chosen if words.share(each, *there) >= ENOUGH]
            if kin and number not in self.chosen:
                runs = " and ".join(str(self.all.runs[each].session) for each in sorted(kin))
                why = f"much of what session {runs} ran is in it, and no trace says whose it is"
                self.doubts.setdefault(number, Doubt(self.all.runs[number], why))

    def compare(self, unclaimed: Sequence[int]) -> None:
        """Chooses among what waits by likeness, and the newest where nothing is known: of those
        that are nobody's, if there are any."""
        runs = self.all.runs
        if not self.chosen and not self.home.sources and self.waiting:
            newest = max(unclaimed or self.waiting, key=lambda number: last_moment(runs[number]))
            is_last = newest == max(self.waiting, key=lambda number: last_moment(runs[number]))
            which = "of all" if is_last else "that is like no other notebook"
            words = f"the newest session {which}: a guess, for no document is left"
            self.chosen[newest] = Attributed(runs[newest], ENOUGH, False, words, by_likeness=True)
            self._take_home(newest)
        away = Away(self.all.words, self.away)
        self.waiting = [
            number
            for number in self.waiting
            if number not in self.chosen and away.share(number) <= self.home.share(number)
        ]
        for _ in range(ROUNDS):
            moved = self._follow_restarts() + self._settle() or self._guess_of_part()
            if not moved:
                return
            for number in moved:
                self._take_home(number)
            self.waiting = [number for number in self.waiting if number not in self.chosen]

    def _guess_of_part(self) -> list[int]:
        """Where too little is left of the notebook to be like anything: the newest run that ran all
        of it, if nothing is known of any other."""
        ran_all = None if self.chosen else all_that_is_left(self.own)
        ran = self.all.words.of
        fitting = [number for number in self.waiting if ran_all and ran_all(ran[number][0])]
        if not fitting:
            return []
        runs = self.all.runs
        newest = max(fitting, key=lambda number: moment(runs[number]))
        words = "the newest session that ran all that is left of the notebook: a guess"
        self.chosen[newest] = Attributed(runs[newest], ENOUGH, False, words, by_likeness=True)
        return [newest]

    def _choose(self, number: int, share: float, words: str, by_likeness: bool = True) -> None:
        rivals = self.all.copies.fitting(number, self.places) if by_likeness else ()
        self.chosen[number] = Attributed(
            self.all.runs[number],
            min(share, SUREST),
            share >= AT_ONCE and not rivals,
            words,
            1 / (1 + len(rivals)),
            by_likeness,
            rivals,
            self.home.covered(number) if by_likeness and not rivals else 0.0,
        )

    def _follow_restarts(self) -> list[int]:
        """What is the same kernel as a run of the notebook, before or after a restart."""
        moved = []
        for number, restart in self.all.restarts.items():
            for one, other in ((number, restart.of), (restart.of, number)):
                if one in self.waiting and one not in self.chosen and other in self.chosen:
                    words = f"its kernel was restarted: see session {self.all.runs[other].session}"
                    of = self.chosen[other]
                    self._choose(one, of.share * SURE, words, of.by_likeness)
                    moved.append(one)
        return moved

    def _settle(self) -> list[int]:
        """What is at home, by what is known so far."""
        moved = []
        for number in [each for each in self.waiting if each not in self.chosen]:
            share = self.home.share(number)
            known = [each.run for each in self.chosen.values()]
            if share >= needed(self.all.runs[number], known):
                words = f"{share:.0%} of its code is this notebook's"
                self._choose(number, self._as_sure(number, share), words)
                moved.append(number)
        return moved

    def _take_home(self, number: int) -> None:
        for home in (self.home, self.sure) if self.chosen[number].certain else (self.home,):
            home.add(number)

    def _as_sure(self, number: int, share: float) -> float:
        """`share`, and where only what may be another's brings it: no more than that is likely."""
        unsure = (each for each in self.chosen.values() if not each.certain)
        through = max((each.share * each.odds for each in unsure), default=1.0)
        return max(self.sure.share(number), share * through)
