"""Single cells out of an older state, put into the present one without touching the rest.

Works on the bytes: the cells that stay keep theirs, and so does everything around them.
"""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_rewind.errors import NotFound, RestoreRefused
from jupyter_rewind.notebooks.cutting import Cut, cut


def splice_cells(
    present: bytes, source: bytes, cells: Sequence[str], path: str, checkpoint: str
) -> bytes:
    """The present notebook with `cells` (ids) as they are in `source`.

    A cell that the present has is replaced where it stands; one that it has lost is put behind
    the cell it followed. Raises NotFound (no such cell in the source), RestoreRefused.
    """
    now, then = cut(present), cut(source)
    for state, what in ((now, f"{path}, as it is now,"), (then, f"Checkpoint {checkpoint}")):
        if state.kind != "notebook":
            raise RestoreRefused(
                f"{what} is not a notebook ({state.problem}), so no single cell can be restored.",
                hint="Nothing was changed. Restore it whole instead.",
            )
    wanted = {name: _index_of(then, name, path, checkpoint) for name in cells}
    parts = [(cell.id, cell.join()) for cell in now.cells]
    for name, index in sorted(wanted.items(), key=lambda item: item[1]):
        raw = then.cells[index].join()
        at = next((i for i, (own, _) in enumerate(parts) if own == name), None)
        if at is not None:
            parts[at] = (name, raw)
        else:
            parts.insert(_place_for(then, index, parts), (name, raw))
    return _join(now, parts)


def _index_of(state: Cut, name: str, path: str, checkpoint: str) -> int:
    for index, cell in enumerate(state.cells):
        if cell.id == name:
            return index
    known = [cell.id for cell in state.cells if cell.id]
    hint = f"Its cells are: {', '.join(known[:20])}." if known else "Its cells have no ids."
    raise NotFound(f"Checkpoint {checkpoint} of {path} has no cell {name!r}.", hint=hint)


def _place_for(then: Cut, index: int, parts: list[tuple[str | None, bytes]]) -> int:
    """Behind the nearest cell before it that the present still has; else at the front."""
    where = {name: at for at, (name, _) in enumerate(parts) if name is not None}
    for cell in reversed(then.cells[:index]):
        if cell.id is not None and cell.id in where:
            return where[cell.id] + 1
    return 0


def _join(now: Cut, parts: list[tuple[str | None, bytes]]) -> bytes:
    if len(parts) == len(now.cells):
        return now.join([raw for _, raw in parts])
    if not now.cells:
        raise RestoreRefused(
            "The notebook has no cells now, so a single cell has nowhere to go.",
            hint="Nothing was changed. Restore it whole instead.",
        )
    gaps = now.gaps
    separator = gaps[1] if len(gaps) > 2 else b",\n  "
    middle = separator.join(raw for _, raw in parts)
    return gaps[0] + middle + gaps[-1]
