"""What cells need that are kept, where history alone tells of the notebook: it stays, too.

No document says that it was deleted. A cell whose meaning is gone cannot be run: a definition that
was taken for an older text, or for deleted, is more use in the notebook, doubtful, than outside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from jupyter_rewind.recovery.confidence import DOUBTED, Judged
from jupyter_rewind.recovery.likeness import defined, is_look, parses, used_at_once

NEEDED = "left out by what ran later; it stays, for a cell that is kept uses it"
_MOST = 100


def with_needed(judged: Sequence[Judged]) -> list[Judged]:
    """All cells, with those kept (as doubtful) that give a name a meaning that cells which are kept
    use, and no cell that is kept gives."""
    cells = list(judged)
    for _ in range(_MOST):
        found = _first_needed(cells)
        if found is None:
            return cells
        at, each = found
        # A text that gave way stands before what took its place; a cell stays where it was.
        end = at + 1 if cells[at].slot.source == each.slot.source else at
        cells[at:end] = [each]
    return cells


def _first_needed(cells: Sequence[Judged]) -> tuple[int, Judged] | None:
    """The newest text that gives a meaning to the first name that lacks one, and its place."""
    kept = [each.slot.source for each in cells if each.kept and each.slot.code]
    known = {name for source in kept for name in defined(source)}
    lacking = dict.fromkeys(
        name for source in kept for name in sorted(used_at_once(source)) if name not in known
    )
    for name in lacking:
        texts = [each for each in _texts_left_out(cells, kept) if name in defined(each[2])]
        if texts:
            when, at, text = max(texts)
            old = cells[at].slot
            until = [each for each in old.versions if each[0] <= when]
            slot = replace(old, source=text, versions=until, last_ran=when)
            return at, Judged(slot, DOUBTED, True, NEEDED)
    return None


def _texts_left_out(cells: Sequence[Judged], kept: Iterable[str]) -> Iterable[tuple[int, int, str]]:
    """Texts that ran and are in no cell that is kept: the execution, the cell's place, the text."""
    here = set(kept)
    for at, each in enumerate(cells):
        for when, text in each.slot.versions:
            if when >= 0 and text not in here and parses(text) and not is_look(text):
                yield when, at, text
