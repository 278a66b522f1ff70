"""A block of a file that stands twice or is missing: text goes on in the middle of another one."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from jupyter_rewind.recovery.broken.welds import weld_in_words
from jupyter_rewind.recovery.evidence import Trace
from jupyter_rewind.recovery.salvage import salvage_notebook
from jupyter_rewind.recovery.salvaged import Salvaged
from tests.recovery.test_salvage import expected, facts, markdown
from tests.support.evidence import TARGET, rebuilt_of
from tests.support.notebooks import book_of, code_cell, to_bytes

FILE = Trace("file", str(TARGET), str(TARGET))


def notebook() -> tuple[bytes, list[dict[str, Any]]]:
    """Code with what it printed, and text."""
    cells: list[dict[str, Any]] = []
    for n in range(30):
        source = (
            f'def step_{n}(table):\n    """Of step {n}."""\n    return table * {n}\nstep_{n}(t)'
        )
        shown = [f"row {n}.{line} of what was printed\n" for line in range(8)]
        output = {"output_type": "stream", "name": "stdout", "text": shown}
        cells.append(code_cell(n, source=source, outputs=[output]))
        cells.append(markdown(f"## Part {n}\n\nThis is *step* {n}.\nIt goes on.\n", id=f"t{n}"))
    return to_bytes(book_of(cells), indent=1), cells


def sure(salvaged: Salvaged) -> list[tuple[Any, ...]]:
    """The cells that are told without a doubt."""
    return [facts(one) for one in salvaged.cells if one.whole and not weld_in_words(one)]


@pytest.mark.parametrize("how", ["twice", "missing"])
def test_no_cell_of_two_places_is_told_without_a_doubt(how: str) -> None:
    """Nothing but cells that were there is whole; of those outside the damage none is lost."""
    raw, cells = notebook()
    want, chance, broken = expected(cells), random.Random(3), 0
    for _ in range(150):
        at, size = chance.randrange(5000, len(raw) - 5000), chance.choice([300, 512, 2000, 4096])
        hurt = raw[:at] + raw[at - size :] if how == "twice" else raw[:at] + raw[at + size :]
        try:
            json.loads(hurt)
        except ValueError:
            broken += 1
            salvaged = salvage_notebook(hurt)
            assert not set(sure(salvaged)) - set(want), (at, size)
            told = {one.source for one in salvaged.cells}
            lost = 2 + size // 300 if how == "missing" else 2
            assert sum(one[1] not in told for one in want) <= lost, (at, size)
    assert broken > 40


def test_a_mended_cell_is_doubtful_and_says_why() -> None:
    """A line in which a quotation mark was not escaped may have been two."""
    raw, _ = notebook()
    hurt = raw.replace(b'\\"\\"\\"Of step 4.\\"\\"\\"', b'"Of step 4"')
    document = salvage_notebook(hurt).as_document(FILE)
    [mended] = [one for one in rebuilt_of([document]).cells if "Of step 4" in one.cell.source]
    assert mended.confidence < 0.5 and "mended" in mended.words
    assert mended.cell.outputs


def test_a_line_that_ends_in_front_of_another_is_not_mended() -> None:
    """The end of a line and the rest of one from elsewhere are no text of anybody."""
    raw, _ = notebook()
    end = raw.index(b"def step_9(table):\\n") + len(b'def step_9(table):\\n"')
    salvaged = salvage_notebook(raw[:end] + b",nge(len(hand))\\n" + raw[end - 1 :])
    assert not any("nge(len" in one.source for one in salvaged.cells if one.whole)
    assert len(sure(salvaged)) == 59


def test_an_output_that_runs_over_into_other_cells_swallows_none() -> None:
    """Without the end of an output what follows would pass for outputs of its cell."""
    raw, cells = notebook()
    first, second = (raw.index(b"row %d.3 of" % n) for n in (7, 9))
    hurt = raw[:first] + raw[second:]
    lost = hurt.index(b'  "source"', first)
    end = hurt.index(b"]", lost)
    swallowing = hurt[: hurt.rindex(b"}", 0, lost)] + hurt[end + 1 :]
    got = sure(salvage_notebook(swallowing))
    assert set(got) <= set(expected(cells)) and len(got) >= 55
