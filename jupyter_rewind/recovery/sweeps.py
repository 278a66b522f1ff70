"""Sweeps: many cells run one after the other, in the notebook's order, as after a restart."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

SHORTEST = 3
COST_OF_ORDER = 0.8
COST_OF_UNKNOWN = 0.6
COST_OF_GUESS = 0.1
COST_OF_GAP = 0.35


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
    chain = _Chain()
    seen: set[str] = set()
    unknown, best_score, best_length, best_node = 0, 0.0, 0, -1
    for at, source in enumerate(executed):
        where = places.get(source)
        if where is None:
            unknown += 1
        else:
            chain.add(at, where)
            if source in guessed:
                seen.add(source)
        out_of_order = at + 1 - unknown - len(chain.tails)
        excused = min(out_of_order, len(seen))
        score = len(chain.tails) - COST_OF_ORDER * (out_of_order - excused)
        score -= COST_OF_GUESS * excused + COST_OF_UNKNOWN * unknown
        if score > best_score and where is not None:
            best_score, best_length, best_node = score, at + 1, chain.heads[-1]
    pairs = _trim(chain.back_from(best_node), cells)
    if len(pairs) < SHORTEST:
        return None
    return Sweep(min(best_length, pairs[-1][0] + 1), tuple(pairs))


class _Chain:
    """The longest run of executions whose cells stand in order (Hunt and Szymanski's way)."""

    def __init__(self) -> None:
        self.tails: list[int] = []
        self.heads: list[int] = []
        self._nodes: list[tuple[int, int, int]] = []

    def add(self, at: int, places: Sequence[int]) -> None:
        """The execution `at` may be of the cell at each of `places` (ascending)."""
        for place in reversed(places):
            rank = bisect_left(self.tails, place)
            self._nodes.append((at, place, self.heads[rank - 1] if rank else -1))
            if rank == len(self.tails):
                self.tails.append(place)
                self.heads.append(len(self._nodes) - 1)
            else:
                self.tails[rank] = place
                self.heads[rank] = len(self._nodes) - 1

    def back_from(self, node: int) -> list[tuple[int, int]]:
        """The (execution, place) pairs of the chain that ends at `node`."""
        chain = []
        while node >= 0:
            at, place, node = self._nodes[node]
            chain.append((at, place))
        return chain[::-1]


def _trim(pairs: list[tuple[int, int]], cells: Sequence[str | None]) -> list[tuple[int, int]]:
    """Without what comes after a jump ahead that little follows: there work began elsewhere."""
    worth, best, length = 0.0, 0.0, 0
    for number, (_, place) in enumerate(pairs):
        if number:
            left_out = sum(cell is not None for cell in cells[pairs[number - 1][1] + 1 : place])
            worth -= COST_OF_GAP * left_out
        worth += 1
        if worth >= best:
            best, length = worth, number + 1
    return pairs[:length]
