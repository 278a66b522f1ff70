"""Cells that stand in a run at the very counts that they have in a document: they say whose it is.

A cell that only imports or looks says nothing: many notebooks begin alike. One cell at its count
may be chance, or a copy's; so may cells that were saved without counts. Such a run is told, and not
taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import TypeAlias

from jupyter_rewind.recovery.evidence import FoundDocument, FoundRun
from jupyter_rewind.recovery.likeness import is_look, parses
from jupyter_rewind.recovery.namesakes import only_telling

MATCHES = 2
"""So many cells that stand in a session at their own counts name its notebook."""
LONG = 20
"""A cell without a count of so many letters is no chance."""


Lines: TypeAlias = Mapping[int, str]
"""What a run ran, by its counts."""


@dataclass(frozen=True, slots=True)
class Seeming:
    """A run of which nothing says whose it is, and which ran `cells` of the notebook and then
    `lacks`, which the notebook has not."""

    run: FoundRun
    cells: int
    lacks: tuple[str, ...]


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

    def name(self, ran: Lines) -> bool:
        """Whether enough cells that say something stand in the run just so."""
        return self.are_of(ran, MATCHES) and self._found(ran, frozenset()) >= MATCHES

    def seeming(self, run: FoundRun, lines: Lines, texts: Set[str]) -> Seeming | None:
        """The run, where it may have gone on with the notebook; None where nothing speaks for it.

        That is a run that has most of what a document tells and says, and more after it; `lines`
        and `texts` are all that it ran.
        """
        cells = self._found(lines, texts)
        if not cells:
            return None
        ran = [each for each in run.executions if each.status in (None, "ok")]
        last = max(
            (at for at, e in enumerate(ran, 1) if e.source.rstrip() in self._texts), default=0
        )
        sources = (each.source.rstrip() for each in ran[last:])
        lacks = (each for each in sources if each and parses(each) and not is_look(each))
        told = tuple(dict.fromkeys(each for each in lacks if each not in self._texts))
        return Seeming(run, cells, told) if told else None

    def _found(self, ran: Lines, texts: Set[str]) -> int:
        """How many telling cells of a document are the run's: at their counts, or long without
        one. 0 where most of the document's are not."""
        most = 0
        for known in self._telling:
            same = sum(
                ran.get(count) == source if count else len(source) >= LONG and source in texts
                for count, source in known
            )
            most = max(most, same if same > len(known) / 2 else 0)
        return most


def lines_of(run: FoundRun) -> Lines:
    """What the run ran at each of its counts."""
    return {each.line: each.source.rstrip() for each in run.executions}
