"""Blocks of two versions in turn are known by what comes twice at their borders."""

from __future__ import annotations

import random

import pytest

from jupyter_rewind.recovery.broken.repeats import block_of_repeats
from jupyter_rewind.recovery.salvage import salvage_notebook
from tests.recovery.test_salvage import expected, whole
from tests.recovery.test_salvage_turns import in_turn, version
from tests.support.notebooks import book_of, code_cell, to_bytes


def book(chance: random.Random, count: int) -> list[dict[str, object]]:
    """Cells of words that hardly come twice."""
    words = [f"{chance.choice('abcdefgh')}{chance.randrange(10**6)}" for _ in range(500)]
    lines = [" + ".join(chance.choices(words, k=6)) for _ in range(8 * count)]
    return [code_cell(n, source="\n".join(lines[8 * n : 8 * n + 8])) for n in range(count)]


@pytest.mark.parametrize("block", [512, 4096])
@pytest.mark.parametrize("seed", range(4))
def test_shifted_versions_in_turn_are_known_though_little_breaks(block: int, seed: int) -> None:
    """One line more, early in the notebook: where blocks of both follow, no cell is a blend."""
    chance = random.Random(seed)
    ours = book(chance, 12 * block // 512)
    theirs = [dict(each) for each in ours]
    theirs[1] |= {"source": [*ours[1]["source"], "\n", "# one line more"]}  # type: ignore[misc]
    first, second = (to_bytes(book_of(each), indent=1) for each in (ours, theirs))
    raw = in_turn(first, second, block)
    assert block_of_repeats(raw, ()) == block
    told = set(whole(salvage_notebook(raw)))
    assert told <= set(expected(ours)) | set(expected(theirs))


@pytest.mark.parametrize("seed", range(8))
def test_sound_notebooks_show_no_turns(seed: int) -> None:
    """A notebook of one version is not taken for a mixture, however often its lines come twice."""
    chance = random.Random(seed)
    for made in (book(chance, 60), version(chance, 60, 0.5), [code_cell(n) for n in range(300)]):
        raw = to_bytes(book_of(made), indent=1)
        assert block_of_repeats(raw, ()) == 0
        table = "".join(f"{n % 7:8.3f} {n % 7:8.3f}\n" for n in range(5000))
        raw = to_bytes(book_of([*made, code_cell(9999, source=table)]), indent=1)
        assert block_of_repeats(raw, ()) == 0
