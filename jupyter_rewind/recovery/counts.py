"""Cells that stand in a run at the very counts that they have in a document: they say whose it is.

A cell that only imports or looks says nothing: many notebooks begin alike. One cell at its count
may be chance, or a copy's; so may cells that were saved without counts. Such a run is told, and not
taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from jupyter_rewind.recovery.evidence import FoundDocument, FoundRun
from jupyter_rewind.recovery.likeness import is_look, parses
from jupyter_rewind.recovery.namesakes import only_telling

MATCHES = 2
"""So many cells that stand in a session at their own counts name its notebook."""
LONG = 20
"""A cell without a count of so many letters is no chance."""


Lines: TypeAlias = Mapping[int, str]
"""What a run ran, by its counts."""
Cell: TypeAlias = tuple[int, str]
"""A count, and the code that was saved under it."""
AtCount: TypeAlias = Mapping[tuple[int, str], Iterable[int]]
"""The places of the runs that ran a piece of code at a count."""


@dataclass(frozen=True, slots=True)
class Seeming:
    """A run of which nothing says whose it is, and which ran `cells` of the notebook and then
    `lacks`, which the notebook has not."""

    run: FoundRun
    cells: int
    lacks: tuple[str, ...]


class _Found(NamedTuple):
    """How many cells of a document were found in a run, and whether these are most of them."""

    most: bool
    cells: int


class Counts:
    """The cells of a notebook's documents, to be found in runs; made once for all of these."""

    def __init__(self, documents: Iterable[FoundDocument]) -> None:
        made = [
            [
                (cell.execution_count or 0, cell.source.rstrip())
                for cell in document.cells
                if cell.kind == "code" and cell.source.strip()
            ]
            for document in documents
        ]
        self._texts = {source for cells in made for _, source in cells}
        telling = only_telling(self._texts)
        self._counted = [[each for each in cells if each[0]] for cells in made]
        self._telling = [[each for each in cells if each[1] in telling] for cells in made]

    def are_of(self, ran: Lines, least: int) -> bool:
        """Whether most cells of a document stand in the run at their counts, and `least` do."""
        for counted in self._counted:
            same = sum(ran.get(count) == source for count, source in counted)
            if same >= least and same > len(counted) / 2:
                return True
        return False

    def told_by(self, ran: Lines, least: int, is_anothers: Callable[[Cell], bool]) -> bool:
        """Whether `least` cells that say something stand in the run just so, and in no other one
        (`is_anothers`) that would tell of them as well."""
        cells = {cell for cells in self._telling for cell in cells if cell[0]}
        here = (cell for cell in cells if ran.get(cell[0]) == cell[1])
        return sum(not is_anothers(cell) for cell in here) >= least

    def share(self, ran: Lines) -> float:
        """How much of a document that has enough counts stands in the run just so, from 0 to 1."""
        shares = [0.0]
        for counted in self._counted:
            same = sum(ran.get(count) == source for count, source in counted)
            if same >= MATCHES:
                shares.append(same / len(counted))
        return max(shares)

    def named(
        self, runs: Sequence[Lines], at_count: AtCount, others: Set[int] = frozenset()
    ) -> dict[int, bool]:
        """The places of those of all `runs`, but for the `others`, that the notebook's counts name,
        and whether most of its cells do.

        That can be of one run alone. Others are named by cells that stand so in no other run: who
        restarts runs a part of a notebook again, and saves the rest with its old counts.
        """
        told: dict[int, int] = {}
        alone: dict[int, list[int]] = {}
        for each in {cell for cells in self._telling for cell in cells if cell[0]}:
            having = set(at_count.get(each, ())) - others
            for number in having:
                told[number] = told.get(number, 0) + 1
                if len(having) == 1:
                    alone.setdefault(number, []).append(each[0])
        named = {
            at: False
            for at, counts in sorted(alone.items())
            if len(counts) >= MATCHES and self._has_most(runs[at], max(counts))
        }
        most = [at for at in sorted(told) if told[at] >= MATCHES and self.name(runs[at])]
        return named | dict.fromkeys(most if len(most) == 1 else (), True)

    def name(self, ran: Lines) -> bool:
        """Whether enough cells that say something stand in the run just so."""
        found = self._found(ran, frozenset())
        return found.most and found.cells >= MATCHES and self.are_of(ran, MATCHES)

    def _has_most(self, ran: Lines, until: int) -> bool:
        """Whether most of what ran until that count is in the notebook: cells keep their counts
        when they are pasted, too."""
        texts = only_telling(text for count, text in ran.items() if count <= until)
        return 2 * len(texts & self._texts) >= len(texts)

    def seeming(self, run: FoundRun, lines: Lines, texts: Set[str]) -> Seeming | None:
        """The run, where it may have gone on with the notebook; None where nothing speaks for it.

        That is a run that has enough of what a document tells and says, or most of it, and more
        after it; `lines` and `texts` are all that it ran.
        """
        found = self._found(lines, texts)
        if not found.most and found.cells < MATCHES:
            return None
        ran = [each for each in run.executions if each.status in (None, "ok")]
        last = max(
            (at for at, e in enumerate(ran, 1) if e.source.rstrip() in self._texts), default=0
        )
        sources = (each.source.rstrip() for each in ran[last:])
        lacks = (each for each in sources if each and parses(each) and not is_look(each))
        told = tuple(dict.fromkeys(each for each in lacks if each not in self._texts))
        return Seeming(run, found.cells, told) if told else None

    def _found(self, ran: Lines, texts: Set[str]) -> _Found:
        """The telling cells of a document that are the run's: at their counts, or long without
        one. Of several documents, the one that speaks most for the run."""
        best = _Found(False, 0)
        for known in self._telling:
            same = sum(
                ran.get(count) == source if count else len(source) >= LONG and source in texts
                for count, source in known
            )
            best = max(best, _Found(same > len(known) / 2, same))
        return best


def lines_of(run: FoundRun) -> Lines:
    """What the run ran at each of its counts."""
    return {each.line: each.source.rstrip() for each in run.executions}
