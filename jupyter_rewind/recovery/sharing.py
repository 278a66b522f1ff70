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
        shown = self._shown.get(number, {})
        most = {cell for place in places if place in shown for cell in shown[place].most}
        code = self._code(frozenset((other,)))
        return bool(code) and _are_apart(most, self._code(places), code)

    def _of_others(self, number: int, places: frozenset[str]) -> dict[Cell, str]:
        """What other notebooks show of the run, and the one of `places` has not."""
        shown = self._shown.get(number, {})
        own = {cell for place in places if place in shown for cell in shown[place].cells}
        if len(only_telling(source for _, source in own)) < MATCHES:
            return {}
        code = self._code(places)
        found: dict[Cell, str] = {}
        for place, theirs in shown.items():
            if place not in places and _are_apart(
                theirs.most, self._code(frozenset((place,))), code
            ):
                found |= {cell: place for cell in theirs.most if cell[1] not in code}
        return found

    def _code(self, places: frozenset[str]) -> set[str]:
        documents = (each for place in places for each in self._documents.get(place, ()))
        return {source for each in documents for _, source in _cells(each)}

    @cached_property
    def _shown(self) -> Mapping[int, Mapping[str, _Shown]]:
        """What notebooks show of each run, by their paths."""
        found: dict[int, dict[str, _Shown]] = defaultdict(lambda: defaultdict(_Shown))
        for place, documents in self._documents.items():
            for document in documents:
                counted = {each for each in _cells(document) if each[0]}
                same: dict[int, set[Cell]] = defaultdict(set)
                for cell in counted:
                    for number in self._rivals.at_count.get(cell, ()):
                        same[number].add(cell)
                for number, cells in same.items():
                    found[number][place].cells |= cells
                    if 2 * len(cells) > len(counted):
                        found[number][place].most |= cells
        return found


def _are_apart(shown: set[Cell], code: set[str], others: set[str]) -> bool:
    """Whether a notebook of that `code` shows enough of a run, and has little of the `others`."""
    telling, own, strange = (
        only_telling(s for _, s in shown),
        only_telling(code),
        only_telling(others),
    )
    both = len(own & strange)
    return len(telling - strange) >= MATCHES and both < ALIKE * min(len(own), len(strange))


def _cells(document: FoundDocument) -> Iterable[Cell]:
    for cell in document.cells:
        if cell.kind == "code" and cell.source.strip():
            yield cell.execution_count or 0, cell.source.rstrip()
