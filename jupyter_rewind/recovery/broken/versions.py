"""Two notebooks in one file become one: what both have once, where they differ both, marked.

Linear but for sorting: cells that occur once on both sides are matched, the longest run of them
that goes forward on both stays, and what lies between is told side after side.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from jupyter_rewind.recovery.evidence import EvidenceCell

Key = tuple[str, str]
VERSION = "rewind_version"
"""The key in a cell's metadata that names the side which alone says it."""


def merge(
    first: Sequence[EvidenceCell], names: tuple[str, str], second: Sequence[EvidenceCell]
) -> list[EvidenceCell]:
    """The cells of both in order, each once; what only one side says is marked with its name."""
    merged: list[EvidenceCell] = []
    i = j = 0
    for a, b in [*_anchors(first, second), (len(first), len(second))]:
        merged += _between(first[i:a], names, second[j:b])
        if a < len(first):
            merged += _both(first[a], names, second[b])
        i, j = a + 1, b + 1
    return merged


def drop_repeated(cells: Sequence[EvidenceCell], first: int) -> list[EvidenceCell]:
    """The cells of a mixture of versions; from the `first` on, those that came before go."""
    kept: list[EvidenceCell] = []
    seen: dict[tuple[str | None, Key], list[EvidenceCell]] = {}
    for number, cell in enumerate(cells):
        known = seen.setdefault((cell.cell_id, _key(cell)), [])
        if (
            number >= first
            and cell.source.strip()
            and any(_is_same(cell, other) for other in known)
        ):
            continue
        known.append(cell)
        kept.append(cell)
    return kept


def is_mixture(cells: Sequence[EvidenceCell]) -> bool:
    """Whether cells come up twice as they do where two versions of a notebook are mixed."""
    ids = Counter(cell.cell_id for cell in cells if cell.cell_id and cell.whole)
    if ids:
        return ids.most_common(1)[0][1] > 1
    long = Counter(_key(cell) for cell in cells if len(cell.source) >= 40 and cell.whole)
    return sum(count - 1 for count in long.values()) >= 3


def doubt_unconfirmed(
    cells: Sequence[EvidenceCell], suspects: Collection[int], every: Iterable[EvidenceCell]
) -> list[EvidenceCell]:
    """`cells` with those of `suspects` (by `id`) as pieces that `every` cell told has not twice."""
    told = Counter((cell.cell_id, _key(cell), repr(cell.outputs)) for cell in every)
    return [
        replace(cell, whole=False)
        if id(cell) in suspects and told[cell.cell_id, _key(cell), repr(cell.outputs)] == 1
        else cell
        for cell in cells
    ]


def without_told_pieces(cells: Sequence[EvidenceCell]) -> list[EvidenceCell]:
    """`cells` without pieces of cells that are there whole."""
    pieces = [cell for cell in cells if not cell.whole and cell.source and not cell.outputs]
    if not pieces or len(pieces) > 100:
        return list(cells)
    whole = "\0".join(cell.source for cell in cells if cell.whole)
    told = {id(piece) for piece in pieces if piece.source in whole}
    return [cell for cell in cells if id(cell) not in told]


def _key(cell: EvidenceCell) -> Key:
    return cell.kind, cell.source


def _anchors(
    first: Sequence[EvidenceCell], second: Sequence[EvidenceCell]
) -> list[tuple[int, int]]:
    """Pairs of places of the same cell, going forward on both sides."""
    pairs = dict(_unique_pairs(list(map(_key, first)), list(map(_key, second))))
    ids = _unique_pairs([one.cell_id for one in first], [one.cell_id for one in second])
    taken = set(pairs.values())
    for a, b in ids:
        if a not in pairs and b not in taken:
            pairs[a] = b
    return _forward(sorted(pairs.items()))


def _unique_pairs(first: Sequence[Any], second: Sequence[Any]) -> list[tuple[int, int]]:
    ours, theirs = Counter(first), Counter(second)
    places = {key: at for at, key in enumerate(second) if key is not None and theirs[key] == 1}
    return [(at, places[key]) for at, key in enumerate(first) if ours[key] == 1 and key in places]


def _forward(pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest run of pairs whose second numbers grow."""
    ends: list[int] = []
    last: list[int] = []
    before: list[int] = []
    taken = list(pairs)
    for number, (_, b) in enumerate(taken):
        place = bisect_left(ends, b)
        before.append(last[place - 1] if place else -1)
        ends[place : place + 1] = [b]
        last[place : place + 1] = [number]
    found = []
    at = last[-1] if last else -1
    while at >= 0:
        found.append(taken[at])
        at = before[at]
    return found[::-1]


def _between(
    first: Sequence[EvidenceCell], names: tuple[str, str], second: Sequence[EvidenceCell]
) -> list[EvidenceCell]:
    """What stands between two cells that both have."""
    shared = 0
    merged: list[EvidenceCell] = []
    for ours, theirs in zip(first, second, strict=False):
        if _key(ours) != _key(theirs):
            break
        merged += _both(ours, names, theirs)
        shared += 1
    merged += [_mark(cell, names[0]) for cell in first[shared:]]
    return merged + [_mark(cell, names[1]) for cell in second[shared:]]


def _both(ours: EvidenceCell, names: tuple[str, str], theirs: EvidenceCell) -> list[EvidenceCell]:
    if _is_same(ours, theirs):
        return [ours if ours.outputs or not theirs.outputs else theirs]
    return [_mark(ours, names[0]), _mark(theirs, names[1])]


def _is_same(one: EvidenceCell, other: EvidenceCell) -> bool:
    """Whether they say the same; outputs that one of them lacks do not count."""
    if _key(one) != _key(other) or one.attachments != other.attachments:
        return False
    if not one.outputs or not other.outputs:
        return True
    return list(map(_plain, one.outputs)) == list(map(_plain, other.outputs))


def _plain(output: Any) -> dict[str, Any]:
    return {key: value for key, value in output.items() if key != "execution_count"}


def _mark(cell: EvidenceCell, name: str) -> EvidenceCell:
    return replace(cell, metadata={**cell.metadata, VERSION: name})
