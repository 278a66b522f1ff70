"""Runs whose kernels were started under names that are not there any more: the notebook's, perhaps.

A notebook that was renamed, or whose folder was, left the old path in the connection files. One
that was deleted left it, too; and notebooks of one template begin alike, so that cells which other
runs and other notebooks have say nothing of whose such a run is.
"""

from __future__ import annotations

import os.path
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

from jupyter_rewind.recovery.counts import MATCHES, Counts
from jupyter_rewind.recovery.evidence import FoundKernel
from jupyter_rewind.recovery.homes import Home
from jupyter_rewind.recovery.knownruns import Known
from jupyter_rewind.recovery.namesakes import only_telling

HALF = 0.5
_UNTITLED = "untitled"


class Gone:
    """What is known of the runs under paths that are gone, as one notebook sees them.

    `kernels` are those of all runs that have one; `is_own` says whether a run's kernel was started
    under a name that the notebook is known to have had.
    """

    def __init__(
        self,
        known: Known,
        kernels: Mapping[int, FoundKernel],
        places: frozenset[str],
        is_own: Callable[[int], bool],
        counts: Counts,
        home: Home,
    ) -> None:
        self._runs, self._lines, self._words = known.runs, known.lines, known.words
        self._rivals, self._kernels, self._places = known.rivals, kernels, places
        self._counts, self._home = counts, home
        self._is_bare = not home.sources  # asked now: what is taken for the notebook's comes home
        self._own = frozenset(number for number in range(len(known.runs)) if is_own(number))

    def __contains__(self, number: int) -> bool:
        """Whether the run's kernel was started under a name that is not there any more."""
        kernel = self._kernels.get(number)
        return kernel is not None and kernel.gone

    def moved_from(self, least: float) -> dict[str, int | None]:
        """The paths of the notebook's own file name that it had until its folder was moved, each
        with the moment (ns) until which; `least` of a run under such a path is at home here."""
        paths: dict[str, list[int]] = {}
        for number in self._under_its_name:
            paths.setdefault(_path(self._kernels[number]), []).append(number)
        return {
            path: self.first_own
            for path, numbers in paths.items()
            if any(self.shows(each) or self.is_at_home(each, least) for each in numbers)
        }

    @cached_property
    def first_own(self) -> int | None:
        """When the first kernel began that was started under a name of the notebook."""
        began = (self._runs[each].started_ns for each in self._own)
        return min((each for each in began if each is not None), default=None)

    def is_after_own(self, number: int) -> bool:
        """Whether the notebook had its name of now when the run's kernel was started for another:
        then that one was another notebook."""
        started = self._runs[number].started_ns
        if self.first_own is None:
            return False
        return started is None or started > self.first_own

    @cached_property
    def _under_its_name(self) -> list[int]:
        """The runs under paths that are gone and have its file name, of before it had its path."""
        names = {os.path.basename(each) for each in self._places}
        return [
            number
            for number, kernel in sorted(self._kernels.items())
            if kernel.gone and _path(kernel) not in self._places
            if os.path.basename(_path(kernel)) in names and not self.is_after_own(number)
        ]

    def has_its_name(self, number: int) -> bool:
        """Whether it ran under the notebook's own file name in a folder that may have been moved.

        Any folder may have had an `Untitled.ipynb`.
        """
        return number in self._under_its_name and not self.is_of_new(number)

    def is_alone_of_its_name(self, number: int) -> bool:
        """Whether there is one such path, and nothing else is known of the notebook."""
        paths = {_path(self._kernels[each]) for each in self._under_its_name}
        return len(paths) == 1 and not self._own and self._is_bare

    def shows(self, number: int) -> bool:
        """Whether cells of the notebook stand in the run at their counts, and in no other run that
        may be the notebook's: they were saved in this one."""
        former = _path(self._kernels[number])
        lines = self._lines[number]
        least = min(MATCHES, len(self._runs[number].executions))
        return self._counts.are_of(lines, least) and self._counts.told_by(
            lines, least, lambda cell: self._has_another(cell, number, former)
        )

    def more_shown(self, number: int) -> int:
        """How many more cells stand at their counts in a run of another kernel under such a name
        than in this one: below 0 where this one is shown best."""
        others = (
            each
            for each, kernel in self._kernels.items()
            if kernel.gone and kernel != self._kernels[number]
        )
        shown = (self._rivals.fit(each, self._places).matches for each in others)
        return max(shown, default=-1) - self._rivals.fit(number, self._places).matches

    def is_of_new(self, number: int) -> bool:
        """Whether the name is one that Jupyter gives to new notebooks: any may have had it."""
        return os.path.basename(_path(self._kernels[number])).lower().startswith(_UNTITLED)

    def _has_another(self, cell: tuple[int, str], number: int, former: str) -> bool:
        others: Iterable[int] = self._rivals.at_count.get(cell, ())
        return any(
            each != number and (each in self._own or each not in self._kernels) for each in others
        )

    def only_begins_alike(self, number: int) -> bool:
        """Whether a notebook that had its former name after it began with the same cells: another
        run under that path shows the notebook, and had these at the same counts; most of the
        notebook is not in this run."""
        former, ours = _path(self._kernels[number]), self._home.sources
        shown = (
            each
            for each, kernel in self._kernels.items()
            if each != number and _path(kernel) == former and self.shows(each)
        )
        earlier = next((each for each in shown if self._began(each) < self._began(number)), None)
        if earlier is None:
            return False
        lines, before = self._lines[number], self._lines[earlier]
        has = {source for source in lines.values() if source in ours}
        alike = {source for count, source in lines.items() if before.get(count) == source}
        return has <= alike and len(has) < HALF * len(only_telling(ours) | has)

    def _began(self, number: int) -> int:
        return self._runs[number].started_ns or 0

    def is_at_home(self, number: int, least: float) -> bool:
        """Whether so much of the run is at home here, and not only what other notebooks have, or
        what the notebook's own kernels ran at the same counts."""
        if self._home.share(number) < least:
            return False
        weights = self._words.weighed[number]
        ours = weights.keys() & self._home.sources
        common = self._rivals.code_of_others(number, self._places) | {
            source
            for count, source in self._lines[number].items()
            if any(each in self._own for each in self._rivals.at_count[count, source])
        }
        if not ours & common:
            return True
        own = sum(weights[each] for each in ours - common)
        return own > 0 and own >= HALF * sum(weights[each] for each in weights.keys() - common)


def _path(kernel: FoundKernel) -> str:
    return os.path.normpath(kernel.notebook)
