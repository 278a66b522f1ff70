"""What traces say of a run: for which notebook its kernel was started, and where that misleads.

A connection file has the name that a notebook had when its kernel began. The name may be another
notebook's by now, and kernels that began together may have been taken for each other: so cells
that stand in a run at their counts say more than a path.
"""

from __future__ import annotations

import os.path
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

from jupyter_rewind.recovery.counts import MATCHES, Counts
from jupyter_rewind.recovery.evidence import Evidence, FoundDocument, FoundRun
from jupyter_rewind.recovery.formernames import Gone
from jupyter_rewind.recovery.homes import Home
from jupyter_rewind.recovery.knownruns import Known
from jupyter_rewind.recovery.nearness import AT_ONCE, ENOUGH
from jupyter_rewind.recovery.together import NONE_LEFT, Begun

EVEN = 0.5


@dataclass(frozen=True, slots=True)
class Names:
    """The paths that a notebook is known to have had: those that are its own still (`places`), and
    the moments (ns) until which it had the former ones."""

    places: frozenset[str]
    until: Mapping[str, int]

    def had(self, path: str, at: int | None) -> bool:
        """Whether the notebook had that path at that moment."""
        place = normal(path)
        if place not in self.until:
            return place in self.places
        return at is None or at < self.until[place]


def names_of(target: Path, evidence: Evidence) -> Names:
    """Every path of the notebook; a former one under which a file lies now is that file's."""
    places = {normal(str(target))}
    until: dict[str, int] = {}
    for name in evidence.names:
        if normal(name.notebook) in places and name.name:
            places.add(normal(name.name))
            if name.time_ns is not None:
                until[normal(name.name)] = name.time_ns
    until.pop(normal(str(target)), None)
    if not until:
        return Names(frozenset(places), until)
    documents = (*evidence.documents, *evidence.siblings)
    files = {normal(each.trace.place) for each in documents if each.trace.kind == "file"}
    return Names(frozenset(places - (files & until.keys())), until)


def known_places(target: Path, evidence: Evidence) -> frozenset[str]:
    """Every path that the notebook is known to have had, and that no other has now."""
    return names_of(target, evidence).places


@dataclass(frozen=True, slots=True)
class Heard:
    """Whether traces say that a run is the notebook's (None: nothing says), and in which words.

    `odds` is how likely that is where it is open. `doubt` tells what speaks for a run that is not
    taken, or against one that is (`instead` of another that is taken); `rival` is the notebook that
    has its cells, and `alike` are those that show as much. `gone` are words for one that was
    started under a name of before.
    """

    ours: bool | None = None
    words: str = ""
    certain: bool = True
    odds: float = 1.0
    doubt: str = ""
    instead: bool = False
    rival: str = ""
    alike: tuple[str, ...] = ()
    gone: str = ""


_NOTHING, _OTHERS = Heard(), Heard(False)
_NAMED = "the trace names this notebook"
_EARLIER = "its earlier name, perhaps"
_CELLS = "its cells have the code and the counts of this session; its kernel was started for"


class Hearing:
    """What traces say of each run, as one notebook sees it."""

    def __init__(
        self, known: Known, names: Names, own: Sequence[FoundDocument], counts: Counts, home: Home
    ) -> None:
        """`home` is the code that is known to be the notebook's; it grows while this is asked."""
        self._known, self._names, self._own, self._counts = known, names, own, counts
        kernels = {at: each.kernel for at, each in known.began.items() if each.kernel is not None}
        self._gone = Gone(known, kernels, names.places, self._is_named, counts, home)
        moved = self._gone.moved_from(ENOUGH)
        until = {path: at for path, at in moved.items() if at is not None}
        self._names = Names(names.places | moved.keys(), {**names.until, **until})

    def of(self, number: int) -> Heard:
        """What is said of one run."""
        run = self._known.runs[number]
        if run.notebook is not None and run.certain:
            ours = normal(run.notebook) in self._names.places
            if run.asked:
                return Heard(ours, _NAMED)
            if ours:
                return self._of_own(number, _NAMED, certain=True)
            if number in self._gone:
                return self._of_gone(number, run.notebook)
            return self._of_others(number, run.notebook)
        began = self._known.began.get(number)
        if began is not None and began.others:
            return self._of_open(began, run)
        if began is None or began.kernel is None:
            return _NOTHING
        if self._names.had(began.kernel.notebook, began.kernel.started_ns):
            words = "a kernel's connection file names this notebook"
            if number in self._known.restarts:
                words = (
                    "the kernel of the session before it, whose notebook is known, was restarted"
                )
            return self._of_own(number, words, began.certain)
        if began.kernel.gone:
            return self._of_gone(number, began.kernel.notebook)
        return self._of_others(number, began.kernel.notebook)

    def _of_gone(self, number: int, named: str) -> Heard:
        """Of a run whose kernel was started for a notebook that is not there any more."""
        gone, missing = self._gone, f"{named}, which is not there any more"
        if gone.shows(number):
            return self._of_shown_gone(number, named, missing)
        if gone.is_alone_of_its_name(number) and gone.has_its_name(number):
            words = f"its kernel was started for {missing}, and has the same file name"
            return Heard(True, words, False, EVEN, words)
        if gone.is_at_home(number, ENOUGH) and not gone.is_after_own(number):
            doubt = f"its kernel was started for {missing}: {_EARLIER}"
            if gone.only_begins_alike(number):
                return Heard(False, doubt=doubt)
            if gone.is_at_home(number, AT_ONCE):
                return _NOTHING
            return Heard(None, doubt=doubt)
        if gone.has_its_name(number):
            doubt = (
                f"its kernel was started for {missing}: another notebook of that name, or this one"
                " before its folder was moved"
            )
            return Heard(False, doubt=doubt)
        words = f"its kernel was started for {missing}: {_EARLIER}"
        return replace(self._of_others(number, named), gone=words)

    def _of_shown_gone(self, number: int, named: str, missing: str) -> Heard:
        """Of a run of which the notebook shows cells: a set-up that others have, too, perhaps."""
        gone, more = self._gone, self._gone.more_shown(number)
        rival = self._known.copies.owner(number, self._names.places) if more > 0 else None
        if rival is not None:
            return Heard(False, rival=rival)
        if more < 0 or not gone.is_of_new(number):
            return self._of_shown(number, f"{_CELLS} {missing}")
        words = f"its kernel was started for {missing}: {_EARLIER}"
        if more:
            return Heard(False, doubt=words)
        return replace(self._of_others(number, named), gone=words)

    def _of_shown(self, number: int, words: str) -> Heard:
        """Of a run in which the notebook's cells stand at their counts, as a copy's do, too."""
        copies, places = self._known.copies, self._names.places
        original = copies.original(number, places)
        if original is not None:
            return Heard(False, rival=original)
        alike = copies.alike(number, places)
        return Heard(True, words, not alike, 1 / (1 + len(alike)), alike=alike)

    def _of_open(self, began: Begun, run: FoundRun) -> Heard:
        """Of a run whose kernel began together with those of other notebooks."""
        at = run.started_ns if began.kernel is None else began.kernel.started_ns
        *first, last = sorted(
            Path(each).name if each else "another one" for each in began.notebooks
        )
        words = (
            f"the kernels of {', '.join(first)} and {last} began at the same moment, and nothing"
            " tells whose session was whose"
        )
        if not any(each != NONE_LEFT and self._names.had(each, at) for each in began.notebooks):
            return Heard(None if began.kernel is None else False)
        if began.kernel is None:
            return Heard(None, doubt=words, instead=True)
        ours = self._names.had(began.kernel.notebook, at)
        return Heard(ours, words, False, began.odds, words, instead=True)

    def _of_own(self, number: int, words: str, certain: bool) -> Heard:
        """Of a run whose kernel was started under a name of the notebook."""
        now = self._known.rivals.moved(number, self._names.places)
        if now is None and self._is_before_saved(number):
            now = self._known.rivals.shown_whole(number, self._names.places)
        if now is not None:
            return Heard(False, rival=now)
        if self._is_of_earlier(number):
            doubt = (
                "its kernel was started for a notebook of this name, but nothing of it is in the"
                " notebook, whose kernel of now began later: another one had the name, perhaps"
            )
            return Heard(None, doubt=doubt)
        return Heard(True, words, certain)

    def _is_of_earlier(self, number: int) -> bool:
        """Whether nothing of the run is in the notebook, which was saved in a later one."""
        is_strange = not self._known.words.said[number] & self._texts
        return is_strange and self._is_before_saved(number)

    def _is_before_saved(self, number: int) -> bool:
        """Whether the notebook was saved in a run under its name that began later."""
        started = self._known.runs[number].started_ns
        return started is not None and self._saved_in is not None and started < self._saved_in

    def _is_named(self, number: int) -> bool:
        """Whether a trace says that the run's kernel was started under a name of the notebook."""
        run, began = self._known.runs[number], self._known.began.get(number)
        if run.notebook is not None and run.certain:
            return normal(run.notebook) in self._names.places
        if began is None or began.kernel is None:
            return False
        return self._names.had(began.kernel.notebook, began.kernel.started_ns)

    @cached_property
    def _texts(self) -> frozenset[str]:
        return frozenset(
            cell.source.rstrip() for each in self._own for cell in each.cells if cell.kind == "code"
        )

    @cached_property
    def _saved_in(self) -> int | None:
        """When the last run began, of those with a kernel of this name, in which a document of the
        notebook was saved: it has that run's counts."""
        found = []
        counts = [(each.time_ns, Counts([each])) for each in self._own if each.time_ns is not None]
        for number, run in enumerate(self._known.runs):
            started = run.started_ns
            if (
                started is not None
                and self._is_named(number)
                and any(
                    time_ns > started and each.are_of(self._known.lines[number], MATCHES)
                    for time_ns, each in counts
                )
            ):
                found.append(started)
        return max(found, default=None)

    def _of_others(self, number: int, named: str) -> Heard:
        """Of a run whose kernel was started for the notebook of another name."""
        if not self._known.rivals.knows(number, self._names.places):
            return _OTHERS
        former, lines = normal(named), self._known.lines[number]
        if self._counts.name(lines) and self._known.rivals.has_moved(
            number, former, self._names.places
        ):
            return self._of_shown(number, f"{_CELLS} {named}, which is another notebook")
        places = self._names.places
        if (
            self._known.rivals.shows_more(number, places, former)
            or self._known.sharing.shows_own(number, places, former)
            or self._known.copies.is_as_good(number, places, former)
        ):
            doubt = (
                f"its kernel was started for {named}, but cells of this notebook have its"
                " code and its counts"
            )
            return Heard(False, doubt=doubt)
        return _OTHERS


@lru_cache(maxsize=1 << 14)
def normal(place: str) -> str:
    """The path as it is compared with others."""
    return os.path.normpath(place)
