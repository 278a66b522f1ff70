"""Sweeps: many cells run one after the other, in the notebook's order, as after a restart."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

SHORTEST = 3
COST_OF_ORDER = 0.8
COST_OF_UNKNOWN = 0.6
COST_OF_GAP = 0.35


@dataclass(frozen=True, slots=True)
class Sweep:
    """The first `length` executions are a sweep; `pairs` are (execution, place of its cell)."""

    length: int
    pairs: tuple[tuple[int, int], ...]


def find_sweep(executed: Sequence[str], cells: Sequence[str | None]) -> Sweep | None:
    """The sweep that `executed` begins with, against the notebook's cells (None: not code)."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, source in enumerate(cells):
        if source is not None:
            places[source].append(place)
    tails: list[int] = []
    nodes: list[tuple[int, int, int]] = []
    heads: list[int] = []
    unknown, best_score, best_length, best_nodes = 0, 0.0, 0, -1
    for at, source in enumerate(executed):
        where = places.get(source)
        if where is None:
            unknown += 1
        else:
            for place in reversed(where):
                rank = bisect_left(tails, place)
                before = heads[rank - 1] if rank else -1
                nodes.append((at, place, before))
                if rank == len(tails):
                    tails.append(place)
                    heads.append(len(nodes) - 1)
                else:
                    tails[rank] = place
                    heads[rank] = len(nodes) - 1
        out_of_order = at + 1 - unknown - len(tails)
        score = len(tails) - COST_OF_ORDER * out_of_order - COST_OF_UNKNOWN * unknown
        if score > best_score and where is not None:
            best_score, best_length, best_nodes = score, at + 1, heads[-1]
    pairs = _chain(nodes, best_nodes)
    pairs = _trim(pairs, cells)
    if len(pairs) < SHORTEST:
        return None
    return Sweep(min(best_length, pairs[-1][0] + 1), tuple(pairs))


def _chain(nodes: list[tuple[int, int, int]], last: int) -> list[tuple[int, int]]:
    chain = []
    while last >= 0:
        at, place, last = nodes[last]
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
