"""In which runs documents were saved, as the counts of cells tell, and what went on there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from jupyter_rewind.recovery.evidence import FoundDocument, FoundRun
from jupyter_rewind.recovery.fit import MATCHES


@dataclass(frozen=True, slots=True)
class Earlier:
    """The cells of a run that a notebook shows, the last one's count, and when it was saved."""

    shown: set[tuple[int, str]]
    last: int
    saved: int


class Saves:
    """What the documents of notebooks, by their paths, show of each run."""

    def __init__(
        self,
        runs: Sequence[FoundRun],
        documents: Mapping[str, Sequence[FoundDocument]],
        at_count: Mapping[tuple[int, str], Sequence[int]],
    ) -> None:
        """`at_count` are the places of the runs that ran a piece of code at a count."""
        self._runs, self._documents, self._at_count = runs, documents, at_count

    def saved_in(self, number: int, places: Iterable[str]) -> int | None:
        """When a document of `places` that shows the run was first saved since that began."""
        started = self._runs[number].started_ns
        found = (
            each.time_ns
            for place in places
            for each in self._documents.get(place, ())
            if each.time_ns is not None and self._shown(number, each)
        )
        return min((at for at in found if started is not None and at > started), default=None)

    def newest(self, places: Iterable[str]) -> int:
        """When a document of `places` was saved last; 0 where that is not known."""
        found = (each for place in places for each in self._documents.get(place, ()))
        return max((each.time_ns or 0 for each in found), default=0)

    def is_older(self, number: int, places: Iterable[str]) -> bool:
        """Whether all documents of `places` were saved before the run began: what they have of it
        stands there by chance."""
        started = self._runs[number].started_ns
        return started is not None and 0 < self.newest(places) < started

    def last(self, number: int, places: Iterable[str]) -> int:
        """The highest count of the run that is shown there; 0 for none."""
        found = (each for place in places for each in self._documents.get(place, ()))
        return max((at for each in found for at, _ in self._shown(number, each)), default=0)

    def earlier(self, number: int, formers: Iterable[str]) -> Earlier | None:
        """What the notebook of `formers` shows of the run; None where that is too little, or where
        it has what ran later, too."""
        earlier = [each for former in formers for each in self._documents.get(former, ())]
        shown = {cell for each in earlier for cell in self._shown(number, each)}
        if len(shown) < MATCHES:
            return None
        last = max(count for count, _ in shown)
        known = {source for each in earlier for _, source in code_of(each)}
        ran = {each.line: each.source.rstrip() for each in self._runs[number].executions}
        until = {source for count, source in ran.items() if count <= last}
        if known & (set(ran.values()) - until):
            return None
        return Earlier(shown, last, max(each.time_ns or 0 for each in earlier))

    def went_on(self, number: int, earlier: Earlier | None, place: str) -> bool:
        """Whether what is at `place` was saved later, with all that is known to be `earlier`, and
        with what ran there after that: as "Save Notebook As" leaves the two."""
        if earlier is None:
            return False
        for each in self._documents.get(place, ()):
            shown = self._shown(number, each)
            more = shown - earlier.shown
            is_later = earlier.saved > 0 and (each.time_ns or 0) > earlier.saved
            goes_on = len(more) >= MATCHES and earlier.shown <= shown
            if is_later and goes_on and min(more)[0] > earlier.last:
                return True
        return False

    def _shown(self, number: int, document: FoundDocument) -> set[tuple[int, str]]:
        """The cells of the document that stand in the run at their counts."""
        if not document.may_have_run(self._runs[number]):
            return set()
        cells = (each for each in code_of(document) if each[0])
        return {each for each in cells if number in self._at_count.get(each, ())}


def code_of(document: FoundDocument) -> Iterator[tuple[int, str]]:
    """The code of the document that says anything, each with its count, or 0."""
    for cell in document.cells:
        if cell.kind == "code" and cell.source.strip():
            yield cell.execution_count or 0, cell.source.rstrip()


def went_on_at(run: FoundRun, time_ns: int | None) -> bool:
    """Whether the run had begun at that time, and is not known to have ended."""
    if time_ns is None or run.started_ns is None:
        return False
    return run.started_ns <= time_ns and (run.ended_ns is None or time_ns <= run.ended_ns)
