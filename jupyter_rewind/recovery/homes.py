"""How much of a run is at home among known code: code and names weigh by how rare they are.

Sums are exact, whatever the order: two that should be equal are, and nothing hangs on hashes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set

from jupyter_rewind.recovery.evidence import FoundDocument, FoundRun
from jupyter_rewind.recovery.likeness import is_look, names
from jupyter_rewind.recovery.namesakes import only_telling
from jupyter_rewind.recovery.saves import code_of

LONG, SEVERAL, SOME = 20, 3, 0.25
"""So many cells of that length, letter for letter, are no chance where the rest fits a little."""

MOST, UNSURE = 0.8, 0.55
"""A run that did so much of what was known did it all, but for what was edited since. However much
that was, it may be another one's that began with it: it is no surer than this."""


class Words:
    """The code and the names of each run, weighed by how few runs have them."""

    def __init__(self, runs: Sequence[FoundRun]) -> None:
        self.in_source: Counter[str] = Counter()
        self.in_name: Counter[str] = Counter()
        self.of: list[tuple[frozenset[str], frozenset[str]]] = []
        for run in runs:
            code = frozenset(each.source.rstrip() for each in run.executions)
            words = frozenset(name for source in code for name in names(source))
            self.of.append((code, words))
            self.in_source.update(code)
            self.in_name.update(words)
        most = max(len(runs), 1)
        self._source = {each: math.log(1 + most / count) for each, count in self.in_source.items()}
        self._name = {each: math.log(1 + most / count) for each, count in self.in_name.items()}
        looks = {source for source in self.in_source if is_look(source)}
        self.said = [code - looks for code, _ in self.of]
        """Of each run the code that does more than look at something."""
        self.telling = [said or self.of[at][0] for at, said in enumerate(self.said)]
        self._tells = [bool(only_telling(said)) for said in self.said]
        self.weighed = [{each: self._source[each] for each in code} for code in self.telling]
        self._source_total = [math.fsum(each.values()) for each in self.weighed]
        self._name_total = [math.fsum(map(self._name.__getitem__, words)) for _, words in self.of]
        self.shared = [
            (
                frozenset(each for each in self.said[at] if self.in_source[each] > 1),
                frozenset(each for each in words if self.in_name[each] > 1),
            )
            for at, (_, words) in enumerate(self.of)
        ]
        """Of each run the code and the names that others have, too."""

    def share(self, number: int, sources: Set[str], known: Set[str]) -> float:
        """How much of the run is in these sources and names, from 0 to 1; no more than likely where
        nothing that it ran does more than import or look."""
        total = self._source_total[number]
        telling = map(self._source.__getitem__, self.telling[number] & sources)
        by_code = math.fsum(telling) / total if total else 0.0
        code, words = self.of[number]
        total = self._name_total[number]
        named = map(self._name.__getitem__, words & known)
        by_name = math.fsum(named) / total if total else 0.0
        rather = _no_chance(code & sources) if by_code > SOME else 0.0
        share = max((by_name**3 + max(by_code, by_name**3)) / 2, rather)
        return share if self._tells[number] else min(share, UNSURE)


def _no_chance(same: Iterable[str]) -> float:
    """How surely code that is the same, letter for letter, is so by no chance."""
    long = sum(len(source) >= LONG for source in same) - 1
    return long / (long + SEVERAL) if long > 0 else 0.0


class Home:
    """The code that is known to be the notebook's, and how well a run fits it."""

    def __init__(
        self, words: Words, sources: set[str], versions: Sequence[FoundDocument] = ()
    ) -> None:
        """`sources` is the code of all `versions`, where these are known."""
        self.sources = {source.rstrip() for source in sources if source.strip()}
        self._names = {name for source in self.sources for name in names(source)}
        self._words = words
        self._shares: dict[int, float] = {}
        self._first = frozenset(self.sources)
        code = ((source for _, source in code_of(each)) for each in versions)
        made = set(map(frozenset, map(only_telling, code)))
        most = max(map(len, made), default=0)
        self._versions = [each for each in made if 2 * len(each) >= most]

    def covered(self, number: int) -> float:
        """How much of what was known at first the run did, from 0 to 1; 0 where that is a part."""
        first = self._first
        covered = len(first & self._words.said[number]) / len(first) if len(first) > 1 else 0.0
        return covered if covered >= MOST else 0.0

    def add(self, number: int) -> None:
        """Takes all that the run did for the notebook's."""
        self._shares.clear()
        self.sources |= self._words.said[number]
        self._names |= self._words.of[number][1]

    def share(self, number: int) -> float:
        """How much of the run is at home here, from 0 to 1."""
        share = self._shares.get(number)
        if share is None:
            share = self._words.share(number, self.sources, self._names)
            share = self._shares[number] = max(share, self._as_all(number))
        return share

    def _as_all(self, number: int) -> float:
        """How much the run is at home as one that did all of a version that is no small one,
        however much it did besides."""
        ran = self._words.of[number][0]
        did = (each & ran for each in self._versions if len(each & ran) >= MOST * len(each))
        return min(max(map(_no_chance, did), default=0.0), UNSURE)


class Away:
    """The runs that are other notebooks', and how well another run fits these.

    Nearly all are others': so what the rest ran is counted, not what they did.
    """

    def __init__(self, words: Words, runs: Set[int]) -> None:
        self._words = words
        self._source: Counter[str] = Counter()
        self._name: Counter[str] = Counter()
        for number in range(len(words.of)):
            if number not in runs:
                said, named = words.shared[number]
                self._source.update(said)
                self._name.update(named)

    def share(self, number: int) -> float:
        """How much of a run that is none of these is in what they ran, from 0 to 1."""
        words = self._words
        said, named = words.shared[number]
        sources = {each for each in said if self._source[each] < words.in_source[each]}
        known = {each for each in named if self._name[each] < words.in_name[each]}
        return words.share(number, sources, known)


def all_that_is_left(documents: Iterable[FoundDocument]) -> Callable[[Set[str]], bool] | None:
    """Whether what was run has all that is left of a notebook; None where that is nothing, or a
    document of it is whole."""
    known = list(documents)
    cells = [
        cell
        for document in known
        for cell in document.cells
        if cell.kind == "code" and cell.source.strip()
    ]
    if not cells or any(document.complete for document in known):
        return None
    left = {cell.source.rstrip() for cell in cells if cell.whole}
    pieces = {cell.source.rstrip() for cell in cells if not cell.whole}

    def ran_all(ran: Set[str]) -> bool:
        return left <= ran and all(any(s.startswith(piece) for s in ran) for piece in pieces)

    return ran_all
