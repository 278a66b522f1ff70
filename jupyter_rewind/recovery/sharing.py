"""Two notebooks on one kernel: which of what it ran is known to be the other one's.

Each execution is of one cell, and a cell that was saved has the number under which it ran. Where
two notebooks that have little in common both show cells of a run, each shows its own. A copy shows
the cells of what it was made from, and is no such notebook.
"""

from __future__ import annotations

import os.path
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from jupyter_rewind.recovery.counts import Cell
from jupyter_rewind.recovery.evidence import FoundDocument, FoundRun
from jupyter_rewind.recovery.namesakes import only_telling
from jupyter_rewind.recovery.rivals import Rivals

MATCHES = 2
"""So many cells of each notebook that say something stand in the run at their counts."""
ALIKE = 0.25
"""Notebooks that have so much in common may be copies."""


@dataclass(slots=True)
class _Shown:
    """What one notebook shows of one run; `most` of these in documents of which that is most."""

    cells: set[Cell] = field(default_factory=set)
    most: set[Cell] = field(default_factory=set)


class Sharing:
    """Which notebooks show cells of one run; what it costs grows with their cells."""

    def __init__(self, rivals: Rivals, documents: Iterable[FoundDocument]) -> None:
        self._rivals = rivals
        self._last: tuple[frozenset[str], Mapping[int, _Shown]] = frozenset(), {}
        self._documents: dict[str, list[FoundDocument]] = defaultdict(list)
        for each in documents:
            if each.trace.notebook is not None:
                self._documents[os.path.normpath(each.trace.notebook)].append(each)

    def without_others(
        self, number: int, run: FoundRun, places: frozenset[str]
    ) -> tuple[FoundRun, dict[str, FoundRun]]:
        """The run without what others than the notebook of `places` are known to have run in it,
        and what each of these ran."""
        theirs = self._of_others(number, places)
        if not theirs:
            return run, {}
        whose = [theirs.get((each.line, each.source.rstrip()), "") for each in run.executions]

        def ran_by(place: str) -> FoundRun:
            pairs = zip(run.executions, whose, strict=True)
            return replace(run, executions=tuple(each for each, at in pairs if at == place))

        return ran_by(""), {place: ran_by(place) for place in sorted(set(whose) - {""})}

    def shows_own(self, number: int, places: frozenset[str], other: str) -> bool:
        """Whether the notebook of `places` shows cells of the run that the `other` one has not."""
        own = self._own(places).get(number)
        return own is not None and self._are_apart(own.most, places, frozenset((other,)))

    def _of_others(self, number: int, places: frozenset[str]) -> dict[Cell, str]:
        """What other notebooks show of the run, and the one of `places` has not."""
        own = self._own(places).get(number)
        if own is None or len(only_telling(source for _, source in own.cells)) < MATCHES:
            return {}
        found: dict[Cell, str] = {}
        for place, theirs in self._shown.get(number, {}).items():
            if place not in places and self._are_apart(theirs, frozenset((place,)), places):
                code = self._code(places)
                found |= {cell: place for cell in theirs if cell[1] not in code}
        return found

    def _own(self, places: frozenset[str]) -> Mapping[int, _Shown]:
        """What the notebook of `places` shows of each run; kept until another is asked about."""
        if self._last[0] != places:
            documents = [each for place in places for each in self._documents.get(place, ())]
            self._last = places, self._shown_by(documents)
        return self._last[1]

    def _are_apart(self, shown: set[Cell], own: frozenset[str], others: frozenset[str]) -> bool:
        """Whether the notebook of `own` shows enough of a run, and has little of the `others`'."""
        telling = only_telling(source for _, source in shown)
        if len(telling) < MATCHES:
            return False
        mine, strange = only_telling(self._code(own)), only_telling(self._code(others))
        both = len(mine & strange)
        return len(telling - strange) >= MATCHES and both < ALIKE * min(len(mine), len(strange))

    def _code(self, places: frozenset[str]) -> set[str]:
        documents = (each for place in places for each in self._documents.get(place, ()))
        return {source for each in documents for _, source in _cells(each)}

    @cached_property
    def _shown(self) -> Mapping[int, Mapping[str, set[Cell]]]:
        """The cells of each run that are most of what a notebook shows, by their paths. Where
        hardly any says something, there are none: many notebooks begin alike."""
        found: dict[int, dict[str, set[Cell]]] = defaultdict(dict)
        for place, documents in self._documents.items():
            telling = only_telling(self._code(frozenset((place,))))
            for number, shown in self._shown_by(documents).items():
                if len({source for _, source in shown.most} & telling) >= MATCHES:
                    found[number][place] = shown.most
        return found

    def _shown_by(self, documents: Iterable[FoundDocument]) -> Mapping[int, _Shown]:
        """What one notebook shows of each run."""
        found: dict[int, _Shown] = defaultdict(_Shown)
        at_count = self._rivals.at_count
        for document in documents:
            counted = {each for each in _cells(document) if each[0]}
            same: dict[int, set[Cell]] = defaultdict(set)
            for cell in counted:
                for number in self._rivals.may_be_of(document, at_count.get(cell, ())):
                    same[number].add(cell)
            for number, cells in same.items():
                found[number].cells |= cells
                if 2 * len(cells) > len(counted):
                    found[number].most |= cells
        return found


def _cells(document: FoundDocument) -> Iterable[Cell]:
    for cell in document.cells:
        if cell.kind == "code" and cell.source.strip():
            yield cell.execution_count or 0, cell.source.rstrip()
