"""Cells that stand in a run at the very counts that they have in a document: they say whose it is.

A cell that only imports or looks says nothing: many notebooks begin alike. One cell at its count
may be chance, or a copy's; so may cells that were saved without counts. Such a run is told, and not
taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jupyter_rewind.recovery.evidence import FoundDocument, FoundRun
from jupyter_rewind.recovery.likeness import is_look, parses
from jupyter_rewind.recovery.namesakes import only_telling

MATCHES = 2
"""So many cells that stand in a session at their own counts name its notebook."""
LONG = 20
"""A cell without a count of so many letters is no chance."""


@dataclass(frozen=True, slots=True)
class Seeming:
    """A run of which nothing says whose it is, and which ran `cells` of the notebook and then
    `lacks`, which the notebook has not."""

    run: FoundRun
    cells: int
    lacks: tuple[str, ...]


class Counts:
    """The cells of a notebook's documents, to be found in runs."""

    def __init__(self, documents: Iterable[FoundDocument]) -> None:
        made = [
            [
                (cell.execution_count, cell.source.rstrip())
                for cell in document.cells
                if cell.kind == "code" and cell.source.strip()
            ]
            for document in documents
        ]
        self._documents = [each for each in made if each]
        self._texts = {source for cells in made for _, source in cells}

    def are_of(self, run: FoundRun, least: int) -> bool:
        """Whether most cells of a document stand in the run at their counts, and `least` do."""
        ran = _by_line(run)
        for cells in self._documents:
            counted = [each for each in cells if each[0]]
            same = sum(ran.get(count or 0) == source for count, source in counted)
            if same >= least and same > len(counted) / 2:
                return True
        return False

    def name(self, run: FoundRun) -> bool:
        """Whether enough cells that say something stand in the run just so."""
        return self.are_of(run, MATCHES) and self._telling(run) >= MATCHES

    def seeming(self, run: FoundRun) -> Seeming | None:
        """The run, where it may have gone on with the notebook; None where nothing speaks for it.

        That is a run that has most of what a document tells and says, and more after it.
        """
        cells = self._telling(run)
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

    def _telling(self, run: FoundRun) -> int:
        """How many telling cells of a document are the run's: at their counts, or long without
        one. 0 where most of the document's are not."""
        ran = _by_line(run)
        texts = set(ran.values())
        return max((_found(cells, ran, texts) for cells in self._documents), default=0)


def _found(cells: Sequence[tuple[int | None, str]], ran: dict[int, str], texts: set[str]) -> int:
    telling = only_telling(source for _, source in cells)
    known = [(count, source) for count, source in cells if source in telling]
    same = sum(
        ran.get(count) == source if count else len(source) >= LONG and source in texts
        for count, source in known
    )
    return same if same > len(known) / 2 else 0


def _by_line(run: FoundRun) -> dict[int, str]:
    return {each.line: each.source.rstrip() for each in run.executions}
