"""Cells of every nbformat, beside nbformat's own conversions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from jupyter_rewind.recovery.assembly import as_notebook
from jupyter_rewind.recovery.evidence import EvidenceCell
from jupyter_rewind.recovery.normal import cell_of, output_of
from jupyter_rewind.recovery.salvage import salvage_notebook
from tests.support.notebooks import CORPUS

FORMATS = CORPUS / "damaged-and-formats"


def files() -> list[Path]:
    return sorted(path for path in FORMATS.rglob("*") if path.is_file())


def upgraded(raw: bytes) -> Any:
    """The notebook as nbformat itself brings it to version 4, joined."""
    return nbformat.reads(raw.decode(), as_version=4)


def told(outputs: Any) -> list[str]:
    return [json.dumps(output, sort_keys=True) for output in outputs]


def test_every_format_file_becomes_a_valid_notebook_with_all_its_cells() -> None:
    """Formats 2 to 4, invalid schemas, ids that are missing or twice: all cells, and valid."""
    if not FORMATS.is_dir():
        pytest.skip("the corpus of format files is not here")
    count = 0
    for path in files():
        salvaged = salvage_notebook(path)
        raw = json.loads(path.read_bytes())
        sheets = raw.get("worksheets") or [raw]
        assert len(salvaged.cells) == sum(len(sheet.get("cells", [])) for sheet in sheets), path
        book = as_notebook([(cell, {}) for cell in salvaged.cells], salvaged.metadata, {})
        nbformat.validate(book)
        assert len({cell["id"] for cell in book["cells"]}) == len(book["cells"])
        count += 1
    assert count > 100


@pytest.mark.filterwarnings("ignore")
def test_old_formats_are_told_as_nbformat_tells_them() -> None:
    """Formats 2 and 3 give the cells and outputs that nbformat's own conversion gives."""
    if not FORMATS.is_dir():
        pytest.skip("the corpus of format files is not here")
    seen = 0
    for path in files():
        raw = path.read_bytes()
        if json.loads(raw).get("nbformat") not in (2, 3):
            continue
        try:
            theirs = upgraded(raw)
        except Exception:
            continue  # nbformat itself gives such a file up
        ours = salvage_notebook(raw).cells
        assert [cell.kind for cell in ours] == [cell.cell_type for cell in theirs.cells], path
        assert [cell.source for cell in ours] == [cell.source for cell in theirs.cells], path
        for mine, other in zip(ours, theirs.cells, strict=True):
            if mine.kind == "code":
                assert mine.execution_count == other.execution_count
                assert told(mine.outputs) == told(map(dict, other.outputs)), path
        seen += bool(ours)
    assert seen >= 2


def test_the_first_format_is_read() -> None:
    """Version 1: code and text under other names."""
    book = {
        "cells": [
            {"cell_type": "code", "code": "x = 1\nx", "prompt_number": 3},
            {"cell_type": "text", "text": "some words"},
        ]
    }
    salvaged = salvage_notebook(json.dumps(book).encode())
    assert [(cell.kind, cell.source) for cell in salvaged.cells] == [
        ("code", "x = 1\nx"),
        ("markdown", "some words"),
    ]
    assert salvaged.cells[0].execution_count == 3 and salvaged.whole


def test_what_has_no_place_is_kept_aside() -> None:
    """Keys that the format does not know stay in the metadata; odd outputs are shown as JSON."""
    cell = cell_of({"cell_type": "code", "source": "x", "mood": "good", "outputs": [{"a": 1}]})
    assert cell.metadata["unknown"] == {"mood": "good"}
    assert cell.outputs[0]["data"] == {"application/json": {"a": 1}}
    assert output_of(7)["data"] == {"application/json": 7}


@pytest.mark.parametrize("count", [-1, True, "3", 2.0])
def test_a_count_that_is_none_is_left_out_of_the_notebook(count: Any) -> None:
    """A damaged history can say that a cell ran as number -1: what is written is valid."""
    cell = EvidenceCell("code", "x = 1", execution_count=count)
    book = as_notebook([(cell, {})], {}, {})
    nbformat.validate(nbformat.from_dict(book))
    assert book["cells"][0]["execution_count"] is None
