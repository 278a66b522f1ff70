"""Single cells out of an older state, put into the present one without touching the rest.

Works on the bytes: the cells that stay keep theirs, and so does everything around them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jupyter_rewind.errors import NotFound, RestoreRefused
from jupyter_rewind.notebooks.cutting import Cut, CutCell, cut


def splice_cells(
    present: bytes, source: bytes, cells: Sequence[str], path: str, checkpoint: str
) -> bytes:
    """The present notebook with `cells` (ids) as they are in `source`.

    A cell that the present has is replaced where it stands; one that it has lost is put behind
    the cell it followed. Raises NotFound (no such cell in the source), RestoreRefused (also where
    several cells have one of the ids: which of them is meant, nobody could tell).
    """
    now, then = cut(present), cut(source)
    for state, what in ((now, f"{path}, as it is now,"), (then, f"Checkpoint {checkpoint}")):
        if state.kind != "notebook":
            raise RestoreRefused(
                f"{what} is not a notebook ({state.problem}), so no single cell can be restored.",
                hint="Nothing was changed. Restore it whole instead.",
            )
    if not now.cells:
        raise RestoreRefused(
            f"{path} has no cells now, so a single cell has nowhere to go.",
            hint="Nothing was changed. Restore it whole instead.",
        )
    if not any(cell.id for cell in now.cells):
        # By its text it could be any of them, and with its id it would be none of that format.
        raise RestoreRefused(
            f"The cells of {path}, as it is now, have no ids (its format is older than 4.5), so"
            " nobody can tell which of them a single cell stands for.",
            hint="Nothing was changed. Restore it whole, or write that state into another file"
            " and copy the cell.",
        )
    for state, what in ((now, f"{path}, as it is now,"), (then, f"Checkpoint {checkpoint}")):
        _refuse_doubles(state, cells, what)
    wanted = {name: _index_of(then, name, path, checkpoint) for name in cells}
    parts = [_Part(cell.id, cell.join(), gap) for cell, gap in _with_gaps(now)]
    for name, index in sorted(wanted.items(), key=lambda item: item[1]):
        raw = then.cells[index].join()
        place = next((part for part in parts if part.id == name), None)
        if place is not None:
            place.raw = raw
        else:
            _insert(parts, _place_for(then, index, parts), name, raw, _separator(now, then))
    return now.gaps[0] + b"".join(part.raw + part.gap for part in parts)


_NO_IDS = (
    "Its cells have no ids (its format is older than 4.5). Restore it whole, or write it into"
    " another file and copy the cell."
)


def _refuse_doubles(state: Cut, cells: Sequence[str], what: str) -> None:
    count = Counter(cell.id for cell in state.cells)
    for name in cells:
        if count[name] > 1:
            raise RestoreRefused(
                f"{what} has {count[name]} cells with the id {name!r}, so that no one of them can"
                " be restored.",
                hint="Nothing was changed. Restore it whole, or look at that state"
                " (`jupyter rewind show`) and copy the cell.",
            )


@dataclass(slots=True)
class _Part:
    """A cell's bytes, and what stands between it and the next."""

    id: str | None
    raw: bytes
    gap: bytes


def _with_gaps(state: Cut) -> Iterator[tuple[CutCell, bytes]]:
    return zip(state.cells, state.gaps[1:], strict=True)


def _separator(now: Cut, then: Cut) -> bytes:
    for state in (now, then):
        if len(state.gaps) > 2:
            return state.gaps[1]
    return b",\n  "


def _insert(parts: list[_Part], at: int, name: str, raw: bytes, separator: bytes) -> None:
    if at == 0:
        parts.insert(0, _Part(name, raw, separator))
        return
    before = parts[at - 1]
    parts.insert(at, _Part(name, raw, before.gap))
    before.gap = separator


def _index_of(state: Cut, name: str, path: str, checkpoint: str) -> int:
    for index, cell in enumerate(state.cells):
        if cell.id == name:
            return index
    known = [cell.id for cell in state.cells if cell.id]
    hint = f"Its cells are: {', '.join(known[:20])}." if known else _NO_IDS
    raise NotFound(f"Checkpoint {checkpoint} of {path} has no cell {name!r}.", hint=hint)


def _place_for(then: Cut, index: int, parts: Sequence[_Part]) -> int:
    """Behind the nearest cell before it that the present still has; else at the front."""
    where = {part.id: at for at, part in enumerate(parts) if part.id is not None}
    for cell in reversed(then.cells[:index]):
        if cell.id is not None and cell.id in where:
            return where[cell.id] + 1
    return 0
