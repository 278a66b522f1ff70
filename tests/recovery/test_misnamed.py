"""One rotten letter in a name of the file: what it names is told, and the file not called whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_rewind.recovery import filestate
from jupyter_rewind.recovery.broken.welds import weld_in_words
from jupyter_rewind.recovery.documents import read_notebook
from jupyter_rewind.recovery.evidence import FoundDocument, Trace
from jupyter_rewind.recovery.filestate import DAMAGED, WHOLE, state_of
from jupyter_rewind.recovery.misnamed import mend_names

KINDS = ["markdown", "code", "code"]
SOURCES = ["# Title", "v1 = load_thing(1)", "v2 = load_thing(2)"]
OUTPUT = {"output_type": "stream", "name": "stdout", "text": "two\n"}


def book() -> str:
    cells = [
        {
            "cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": [source],
            **({"outputs": [OUTPUT], "execution_count": number} if kind == "code" else {}),
        }
        for number, (kind, source) in enumerate(zip(KINDS, SOURCES, strict=True))
    ]  # fmt: skip
    return json.dumps(
        {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1
    )


def rotten(name: str, letter: str, last: bool) -> str:
    """The file with a letter of the last, or the first, place of a name changed."""
    before, _, after = book().rpartition(name) if last else book().partition(name)
    return f"{before}{letter}{after}"


def read(path: Path) -> FoundDocument:
    [document] = read_notebook(Trace("file", str(path), time_ns=1)).documents
    return document


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize(
    ("name", "rot"),
    [('"source"', '"sourge"'), ('"cell_type"', '"cell_tyqe"'), ('"code"', '"bode"'),
     ('"markdown"', '"markdgwn"'), ('"outputs"', '"outpuus"')],
)  # fmt: skip
def test_a_cell_with_a_rotten_name_is_told_and_doubted(
    tmp_path: Path, name: str, rot: str, last: bool
) -> None:
    """All that it had is there, of the kind that it was, and the file is not called whole."""
    path = tmp_path / "n.ipynb"
    path.write_text(rotten(name, rot, last))
    assert state_of(path).state == DAMAGED
    document = read(path)
    assert [cell.source for cell in document.cells] == SOURCES
    assert [cell.kind for cell in document.cells] == KINDS
    assert [len(cell.outputs) for cell in document.cells] == [0, 1, 1]
    assert [bool(weld_in_words(cell)) for cell in document.cells].count(True) == 1
    assert document.damages


@pytest.mark.parametrize("long", ["", "x = 1\n" * 50_000])
@pytest.mark.parametrize(
    ("name", "rot"), [('"source"', '"sourge"'), ('"code"', '"bode"'), ('"outputs"', '"outpuus"')]
)
def test_a_large_file_with_a_rotten_name_is_not_called_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, rot: str, long: str
) -> None:
    """It is looked at in pieces, and told in the words of a small one, however long the cell is."""
    path = tmp_path / "n.ipynb"
    sound = book().replace(SOURCES[2], json.dumps(long)[1:-1] + SOURCES[2])
    damaged = rotten(name, rot, True).replace(SOURCES[2], json.dumps(long)[1:-1] + SOURCES[2])
    for limit in (1 << 24, 100):
        monkeypatch.setattr(filestate, "LARGE_BYTES", limit)
        path.write_text(sound)
        assert state_of(path).state == WHOLE
        path.write_text(damaged)
        assert state_of(path).state == DAMAGED
        assert "cell 3 is damaged (its " in state_of(path).words


def test_the_cells_are_read_where_the_name_of_their_list_is_rotten(tmp_path: Path) -> None:
    """A notebook whose list of cells has another name has all its cells."""
    path = tmp_path / "n.ipynb"
    path.write_text(rotten('"cells"', '"cellz"', False))
    assert state_of(path).state == DAMAGED
    assert [cell.source for cell in read(path).cells] == SOURCES


SHOWN = [
    {"output_type": "stream", "name": "stdout", "text": "two\n"},
    {"output_type": "display_data", "data": {"text/plain": "42"}, "metadata": {}},
    {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["line 1"]},
]


@pytest.mark.parametrize(
    ("name", "rot"),
    [('"output_type": "s', '"output_tyqe": "s'), ('"stream"', '"streem"'), ('"text"', '"texu"'),
     ('"data"', '"dbta"'), ('"display_data"', '"displby_data"'), ('"traceback"', '"tracebadk"')],
)  # fmt: skip
def test_what_an_output_shows_under_a_rotten_name_is_there_and_told(
    tmp_path: Path, name: str, rot: str
) -> None:
    """It stands on the disk, and no program shows it any more."""
    path = tmp_path / "n.ipynb"
    sound = json.loads(book())
    sound["cells"][2]["outputs"] = SHOWN
    path.write_text(json.dumps(sound))
    assert state_of(path).state == WHOLE
    path.write_text(json.dumps(sound).replace(name, rot))
    assert state_of(path).state == DAMAGED
    assert "of an output" in state_of(path).words
    document = read(path)
    assert document.cells[2].outputs == tuple(SHOWN)
    assert [cell.source for cell in document.cells] == SOURCES
    assert document.damages


def test_outputs_of_another_make_are_left_as_they_are() -> None:
    """What has its own names, or nothing that fits the proper one, is not renamed."""
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": "a", "texu": "b"},
        {"output_type": "display_data", "date": "today", "metadata": {}},
        {"output_type": "pyout", "text": ["1"], "prompt_number": 1},
        {"output_type": "update", "dbta": {}},
        "nothing",
    ]
    cell = {"cell_type": "code", "source": "x", "outputs": outputs}
    assert mend_names(cell) == (cell, ())


def test_a_name_of_its_own_is_no_rotten_one(tmp_path: Path) -> None:
    """What other programs write beside the proper names says nothing against a file."""
    path = tmp_path / "n.ipynb"
    path.write_text(book().replace('"id"', '"sources": ["x"], "sourge": "y", "id"'))
    assert state_of(path).state == WHOLE
    assert [cell.source for cell in read(path).cells] == SOURCES
    assert not any(map(weld_in_words, read(path).cells))
