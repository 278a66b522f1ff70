"""Sweeps: many cells run one after the other, in the notebook's order, as after a restart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

SHORTEST = 3
COST_OF_ORDER = 0.8
COST_OF_UNKNOWN = 0.6
COST_OF_GUESS = 0.1
COST_OF_GAP = 0.35
COST_OF_TRY = 0.1
WORTH_OF_GUESS = 0.5


@dataclass(frozen=True, slots=True)
class Sweep:
    """The first `length` executions are a sweep; `pairs` are (execution, place of its cell)."""

    length: int
    pairs: tuple[tuple[int, int], ...]


def find_sweep(
    executed: Sequence[str], cells: Sequence[str | None], guessed: frozenset[str] = frozenset()
) -> Sweep | None:
    """The sweep that `executed` begins with, against the notebook's cells (None: not code).

    Cells in `guessed` stand where they stand by guess: their order says little.
    """
    places: dict[str, list[int]] = defaultdict(list)
    for place, source in enumerate(cells):
        if source is not None:
            places[source].append(place)
    chain = _Chain(len(cells))
    seen: set[str] = set()
    unknown, best_score, best_length, best_node = 0, 0.0, 0, -1
    for at, source in enumerate(executed):
        where = places.get(source)
        if where is None:
            unknown += 1
            continue
        chain.add(at, where, WORTH_OF_GUESS if source in guessed else 1.0)
        if source in guessed:
            seen.add(source)
        best = chain.best
        out_of_order = at + 1 - unknown - best.length
        excused = min(out_of_order, len(seen))
        score = best.worth - COST_OF_ORDER * (out_of_order - excused)
        score -= COST_OF_GUESS * excused + COST_OF_UNKNOWN * unknown
        if score > best_score:
            best_score, best_length, best_node = score, at + 1, best.node
    back = chain.back_from(best_node)
    pairs = _trim(back, cells)
    if len(pairs) < SHORTEST and not unknown:
        pairs = _trim(back, cells, guessed)  # all is known, so what it left out were tries
    if len(pairs) < SHORTEST:
        return None
    return Sweep(min(best_length, pairs[-1][0] + 1), tuple(pairs))


class _End(NamedTuple):
    """Where a chain ends; of two of the same worth that which ends first leaves more room."""

    worth: float
    minus_place: int
    length: int
    node: int


_NONE = _End(0.0, 0, 0, -1)


class _Chain:
    """The worthiest run of executions whose cells stand in order."""

    def __init__(self, places: int) -> None:
        self.best = _NONE
        self._nodes: list[tuple[int, int, int]] = []
        self._upto = [_NONE] * (places + 1)

    def add(self, at: int, places: Sequence[int], worth: float) -> None:
        """The execution `at` may be of the cell at each of `places`."""
        found = []
        for place in places:
            before = self._best_before(place)
            self._nodes.append((at, place, before.node))
            node = len(self._nodes) - 1
            found.append(_End(before.worth + worth, -place, before.length + 1, node))
        for end in found:
            self._note(end)
            self.best = max(self.best, end)

    def _best_before(self, place: int) -> _End:
        """The worthiest chain that ends before a place (a Fenwick tree of maxima)."""
        best = _NONE
        while place > 0:
            best = max(best, self._upto[place])
            place -= place & -place
        return best

    def _note(self, end: _End) -> None:
        place = 1 - end.minus_place
        while place < len(self._upto):
            self._upto[place] = max(self._upto[place], end)
            place += place & -place

    def back_from(self, node: int) -> list[tuple[int, int]]:
        """The (execution, place) pairs of the chain that ends at `node`."""
        chain = []
        while node >= 0:
            at, place, node = self._nodes[node]
            chain.append((at, place))
        return chain[::-1]


def _trim(
    pairs: list[tuple[int, int]],
    cells: Sequence[str | None],
    tries: frozenset[str] = frozenset(),
) -> list[tuple[int, int]]:
    """Without what comes after a jump ahead that little follows: there work began elsewhere.

    To leave `tries` out is hardly a jump.
    """
    worth, best, length = 0.0, 0.0, 0
    for number, (_, place) in enumerate(pairs):
        if number:
            for cell in cells[pairs[number - 1][1] + 1 : place]:
                if cell is not None:
                    worth -= COST_OF_TRY if cell in tries else COST_OF_GAP
        worth += 1
        if worth >= best:
            best, length = worth, number + 1
    return pairs[:length]
