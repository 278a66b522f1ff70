"""Two versions of a notebook in one file, block by block: no cell is put together of both."""

from __future__ import annotations

import random
from typing import Any

import pytest

from jupyter_rewind.recovery.broken.damage import Damage, block_of_turns
from jupyter_rewind.recovery.salvage import salvage_notebook
from tests.recovery.test_salvage import expected, whole
from tests.support.notebooks import book_of, code_cell, to_bytes


def version(chance: random.Random, cells: int, changed: float) -> list[dict[str, Any]]:
    """Cells of some lines, of which the other version has some others."""
    made = []
    for number in range(cells):
        other = chance.random() < changed
        lines = [
            f"value_{number}_{line} = compute({line * number}{', depth=3' if other else ''})"
            for line in range(2 + number % 9 + 2 * other)
        ]
        made.append(code_cell(number, source="\n".join(lines)))
    return made


def in_turn(first: bytes, second: bytes, block: int) -> bytes:
    size = max(len(first), len(second))
    turns = ((first, second)[at // block % 2][at : at + block] for at in range(0, size, block))
    return b"".join(turns)


@pytest.mark.parametrize("block", [512, 4096])
@pytest.mark.parametrize("seed", range(6))
def test_blocks_in_turn_give_no_blended_cell(block: int, seed: int) -> None:
    """Whole cells are those of one version or of the other; the rest are told as pieces."""
    chance = random.Random(seed)
    ours, theirs = (version(chance, 40, share) for share in (0.0, 0.3))
    raw = in_turn(*(to_bytes(book_of(each), indent=1) for each in (ours, theirs)), block)
    salvaged = salvage_notebook(raw)
    assert salvaged.damages
    assert set(whole(salvaged)) <= set(expected(ours)) | set(expected(theirs))
    assert any(not cell.whole for cell in salvaged.cells)


def seams(*places: int) -> list[Damage]:
    return [Damage(at, "", is_seam=True, may_blend=True) for at in places]


@pytest.mark.parametrize(
    ("places", "block"),
    [
        ((), 0),
        ((5000,), 0),
        ((8192 + 20,), 4096),
        ((4096 + 5, 8190, 3 * 4096 + 90), 4096),
        ((512 + 3, 1024 + 100, 5 * 512, 4096 + 9), 512),
        ((5000, 9300), 4096),
    ],
)
def test_borders_of_blocks_are_known_by_where_the_text_breaks(
    places: tuple[int, ...], block: int
) -> None:
    """Breaks at borders of pages or sectors tell that other borders may be hidden."""
    assert block_of_turns(seams(*places)) == block


def test_faults_that_one_stray_byte_makes_are_no_turns() -> None:
    """A bracket too many makes several faults in one place, and no version goes on there."""
    assert block_of_turns(seams(513, 517, 520)) == 0


@pytest.mark.parametrize("stray", [b"}", b"]", b"[", b"\\", b"\n"])
@pytest.mark.parametrize("border", [512, 4096, 5 * 4096])
def test_one_stray_byte_costs_one_cell_at_most(stray: bytes, border: int) -> None:
    """One key pressed by mistake takes nothing away from the other cells, nor their outputs."""
    ours = version(random.Random(3), 90, 0.0)
    raw = to_bytes(book_of(ours), indent=1)
    at = border + 4
    if stray in (b"}", b"]", b"["):
        at = raw.index(b"\n  {\n", at) + 3
    salvaged = salvage_notebook(raw[:at] + stray + raw[at:])
    told = set(whole(salvaged))
    assert told <= set(expected(ours))
    assert len(set(expected(ours)) - told) <= 1


def test_line_that_another_version_goes_on_in_is_not_mended() -> None:
    """A text that ends at the border of a block, with more behind it, is no forgotten escape."""
    ours = [code_cell(n, source=f"first_{n} = 1\nsecond_{n} = 2\nthird_{n} = 3") for n in range(40)]
    raw = to_bytes(book_of(ours), indent=1)
    at = raw.index(b"second_20 = 2") + len(b"second_20 = 2")
    at += raw[at:].index(b'"') + 1
    fill = b"#" * (-at % 4096)
    begin = raw.index(b"first_2 = 1")
    raw = raw[:begin] + fill + raw[begin:]
    at += len(fill)
    salvaged = salvage_notebook(raw[:at] + b"econd_20 = 2, more\\n" + raw[at - 1 :])
    sources = [cell.source for cell in salvaged.cells if cell.whole]
    assert not any("more" in source for source in sources)
    assert any("first_19" in source for source in sources)


@pytest.mark.parametrize("pad", range(0, 512, 32))
def test_rest_of_a_longer_version_behind_the_end_costs_no_cell(pad: int) -> None:
    """Wherever a shorter save ended, what an older, longer one left behind it spoils nothing."""
    ours = version(random.Random(5), 60, 0.0)
    ours[0]["source"] = "#" * pad
    rest = (
        b'"metadata": {},\n   "source": [\n    "' + b"a word " * 65 + b'"\n   ]\n  }\n ],\n'
        b' "metadata": {"title": "' + b"a word " * 65 + b'"},\n "nbformat": 4\n}\n'
    )
    salvaged = salvage_notebook(to_bytes(book_of(ours), indent=1) + rest)
    assert len(salvaged.damages) >= 3
    assert set(expected(ours)) <= set(whole(salvaged))
