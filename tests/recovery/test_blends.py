"""A file mixed of two versions that is still JSON: its blended cells are known by other traces."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.blends import BLEND, without_blends
from jupyter_rewind.recovery.documents import read_document
from jupyter_rewind.recovery.evidence import Evidence, Trace
from jupyter_rewind.recovery.rebuild import to_notebook
from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.survey import survey
from tests.support.evidence import CHECKPOINT
from tests.support.notebooks import book_of, code_cell, to_bytes
from tests.support.traces import Home

BLOCK = 512
LONG = "total = " + " + ".join(f"price_{n} * amount_{n}" for n in range(40))
ADDED = "# looked at once more"


def version(second: str, outputs: list[Any] | None = None) -> list[dict[str, Any]]:
    """A notebook of three cells; the two versions differ in the first."""
    return [
        code_cell(0, source=f"import prices\n{second}"),
        code_cell(1, source=LONG, outputs=outputs),
        code_cell(2, source="print(total)"),
    ]


def mixed(older: bytes, newer: bytes, within: str) -> bytes:
    """The newer version up to a border of blocks that lies in this text, then the older one."""
    at = newer.index(within.encode())
    border = at + BLOCK - at % BLOCK
    assert border < at + len(within) - 60, "the border lies in the text"
    raw = newer[:border] + older[border:]
    json.loads(raw)
    return raw


def as_left(home: Home, raw: bytes, older: bytes) -> Recovery:
    """What is recovered of the file, with the older version as Jupyter's checkpoint."""
    notebook = home.work / "analysis.ipynb"
    checkpoint = home.work / ".ipynb_checkpoints" / "analysis-checkpoint.ipynb"
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(older)
    os.utime(checkpoint, (1_700_000_000, 1_700_000_000))
    notebook.write_bytes(raw)
    found = recover(home.scope("analysis.ipynb"))
    assert found is not None
    return found


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "ann")


def test_blended_cell_gets_the_text_that_another_trace_knows(home: Home) -> None:
    """A cell that begins in one version and ends in another comes back as the checkpoint has it,
    marked; the text that lies in the file is kept beside it."""
    older, newer = (to_bytes(book_of(version(text))) for text in ("x = 1", f"x = 1  {ADDED}"))
    found = as_left(home, mixed(older, newer, LONG), older)
    first, blended, last = found.rebuilt.cells
    assert [first.cell.source, last.cell.source] == [
        f"import prices\nx = 1  {ADDED}",
        "print(total)",
    ]
    assert blended.cell.source == LONG
    assert blended.confidence < 0.5
    assert "blended of two versions" in blended.words
    [beside] = [each for each in found.rebuilt.alternatives if "blended" in each.words]
    assert beside.source != LONG
    assert (beside.source[:20], beside.source[-20:]) == (LONG[:20], LONG[-20:])
    assert not found.adds_nothing
    scope = home.scope(None)
    [standing] = survey(scope, search.look(scope)).standings
    assert standing.can_gain
    assert "put together of two versions" in standing.words
    assert "1 cell seems to be put together" in found.rebuilt.damages[0]
    assert BLEND not in to_notebook(found.rebuilt)["cells"][1]["metadata"]


def test_blended_output_is_replaced_by_that_of_the_checkpoint(home: Home) -> None:
    """A picture put together of two versions stands under no cell."""
    shown = " ".join(f"{n * 7919 % 10007:x}" for n in range(300))
    outputs = [{"output_type": "stream", "name": "stdout", "text": [shown]}]
    older, newer = (
        to_bytes(book_of(version(text, outputs))) for text in ("x = 1", f"x = 1{ADDED}")
    )
    found = as_left(home, mixed(older, newer, shown), older)
    cell = found.rebuilt.cells[1]
    assert [output["text"] for output in cell.cell.outputs] == [shown]
    assert "blended of two versions" in cell.words


def test_whole_words_that_are_missing_at_a_border_may_be_an_edit(home: Home) -> None:
    """Where only whole words are missing, your text stays, marked; the other one is kept beside."""
    cells = version("x = 1")
    older = to_bytes(book_of(cells))
    at = older.index(b"price_9 * amount_9 + ")
    pad = "#" * (-at % BLOCK)
    older = to_bytes(book_of([code_cell(9, source=pad), *cells]))
    more = older.index(b"price_9 * amount_9 + ") % BLOCK
    older = to_bytes(book_of([code_cell(9, source=pad + "#" * (-more % BLOCK)), *cells]))
    shorter = LONG.replace("price_9 * amount_9 + ", "")
    found = as_left(home, older.replace(b"price_9 * amount_9 + ", b""), older)
    cell = found.rebuilt.cells[2]
    assert cell.cell.source == shorter
    assert cell.confidence < 0.5
    assert "may be blended" in cell.words
    assert LONG in {each.source for each in found.rebuilt.alternatives}


def heard(folder: Path, newer: bytes, older: bytes) -> Evidence:
    """A file and its checkpoint, as they are read."""
    notebook = folder / "analysis.ipynb"
    notebook.write_bytes(newer)
    file = Trace("file", str(notebook), str(notebook))
    return Evidence(
        read_document(file, newer, time_ns=2).documents
        + read_document(CHECKPOINT, older, time_ns=1).documents
    )


@given(st.integers(-9, 9), st.integers(1, 60), st.integers(9, len(LONG) - 69))
def test_edits_at_no_border_are_left_alone(away: int, size: int, at: int) -> None:
    """What you took out of a text is taken for what it is, unless just a border is there."""
    shorter = LONG[:at] + LONG[at + size :]
    head = code_cell(9, source="#")
    older = to_bytes(book_of([head, *version("x = 1")]))
    pad = away - (older.index(LONG.encode()) + at - 1) % BLOCK + 2 * BLOCK
    older = to_bytes(book_of([code_cell(9, source="#" * pad), *version("x = 1")]))
    newer = older.replace(LONG.encode(), shorter.encode())
    first = newer.index(shorter.encode())
    # The cut may be told from several places, where letters come twice.
    places = [n for n in range(len(shorter)) if LONG[:n] + LONG[n + size :] == shorter]
    has_border = any((first + place) % BLOCK == 0 for place in places)
    with TemporaryDirectory() as folder:
        evidence = heard(Path(folder), newer, older)
        assert (without_blends(evidence) != evidence) == has_border


def test_lines_taken_out_at_a_border_are_an_edit(tmp_path: Path) -> None:
    """A line that you deleted stays deleted, wherever it stood in the file."""
    lines = [f"step_{n} = work({n}, 'carefully')\n" for n in range(30)]
    book = book_of([code_cell(9, source="#"), code_cell(1, source="".join(lines))])
    cut = to_bytes(book).index(b"step_9")
    for away in range(-12, 13):
        pad = 1 + (away - cut) % BLOCK
        book = book_of([code_cell(9, source="#" * pad), code_cell(1, source="".join(lines))])
        older = to_bytes(book)
        assert (older.index(b"step_9") - away) % BLOCK == 0
        book["cells"][1]["source"] = lines[:9] + lines[10:]
        evidence = heard(tmp_path, to_bytes(book), older)
        assert without_blends(evidence) == evidence
