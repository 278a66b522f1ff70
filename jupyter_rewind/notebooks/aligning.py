"""Which cells of two notebooks are one another, where comparing every one with every other takes
too long: told by the cells' ids, or by their text where they have none, and never by likeness.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

_MOST_PAIRS = 2_500
"""Of short cells, nbdime compares some 500 pairs in a second."""
_PIECE = 500


def is_much(before: Sequence[Any], after: Sequence[Any]) -> bool:
    """Whether nbdime would compare these cells with one another for many seconds."""
    return _weigh(before) * _weigh(after) > _MOST_PAIRS


def diff_aligned(base: Any, remote: Any) -> list[Any]:
    """What changed, in nbdime's format, between two notebooks as nbformat reads them. A cell that
    has no counterpart is removed or added as a whole."""
    from nbdime.diffing.notebooks import diff_notebooks

    rest = diff_notebooks(type(base)(base, cells=[]), type(remote)(remote, cells=[]))
    cells = _diff_cells(base["cells"], remote["cells"])
    patched = {"op": "patch", "key": "cells", "diff": cells}
    return sorted([*rest, *([patched] if cells else [])], key=lambda each: str(each["key"]))


def _diff_cells(before: Sequence[Any], after: Sequence[Any]) -> list[Any]:
    keys = _keys(before, after)
    found: list[Any] = []
    for what, i, to_i, j, to_j in difflib.SequenceMatcher(None, *keys).get_opcodes():
        if what == "equal":
            for number in range(to_i - i):
                inner = _diff_cell(before[i + number], after[j + number])
                if inner:
                    found.append({"op": "patch", "key": i + number, "diff": inner})
            continue
        if j < to_j:
            found.append({"op": "addrange", "key": i, "valuelist": list(after[j:to_j])})
        if i < to_i:
            found.append({"op": "removerange", "key": i, "length": to_i - i})
    return found


def _keys(before: Sequence[Any], after: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """What tells a cell from others: its id where each has one of its own, else its text."""
    ids = [[cell.get("id") for cell in cells] for cells in (before, after)]
    if all(all(isinstance(one, str) for one in each) and len({*each}) == len(each) for each in ids):
        # A cell whose kind was changed is another one: nbdime patches no such thing.
        return tuple(  # type: ignore[return-value]  # there are two
            [(cell["id"], cell["cell_type"]) for cell in cells] for cells in (before, after)
        )
    return tuple(  # type: ignore[return-value]
        [(cell["source"], cell["cell_type"]) for cell in cells] for cells in (before, after)
    )


def _diff_cell(before: Any, after: Any) -> list[Any]:
    from nbdime.diffing.generic import diff
    from nbdime.diffing.notebooks import notebook_config

    if before == after:
        return []
    outputs = before.get("outputs", []), after.get("outputs", [])
    if (1 + len(outputs[0])) * (1 + len(outputs[1])) <= _MOST_PAIRS:
        return list(diff(before, after, path="/cells/*", config=notebook_config))
    bare = (type(before)(before, outputs=[]), type(after)(after, outputs=[]))
    found = list(diff(*bare, path="/cells/*", config=notebook_config))
    if outputs[0] != outputs[1]:
        whole: list[Any] = []
        if outputs[1]:
            whole.append({"op": "addrange", "key": 0, "valuelist": outputs[1]})
        if outputs[0]:
            whole.append({"op": "removerange", "key": 0, "length": len(outputs[0])})
        found.append({"op": "patch", "key": "outputs", "diff": whole})
    return sorted(found, key=lambda each: str(each["key"]))


def _weigh(cells: Sequence[Any]) -> int:
    """How many short cells these are worth."""
    return sum(
        1 + len(cell.get("outputs") or ()) + len(str(cell.get("source") or "")) // _PIECE
        for cell in cells
    )
