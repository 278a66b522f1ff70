"""A notebook inside another object, as a Jupyter server answers for one: saved under its name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.salvage import Salvaged, salvage_notebook
from tests.support.evidence import sources_of
from tests.support.notebooks import book_of, code_cell
from tests.support.traces import Home

SOURCES = ["import os", "x = 'a\"b'", "y = x * 2"]
WORDS = "the notebook stands inside another object (`content`), as a server's answer has it"


def book(**more: Any) -> dict[str, Any]:
    cells = [code_cell(n, source=source) for n, source in enumerate(SOURCES)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    return {**book_of(cells), "metadata": kernel, **more}


def answer(key: str = "content", **more: Any) -> dict[str, Any]:
    """What `api/contents/a.ipynb` gives."""
    told = {"name": "a.ipynb", "path": "a.ipynb", "last_modified": "2026-03-01T10:00:00Z"}
    return {**told, key: book(), "format": "json", "mimetype": None, "type": "notebook", **more}


def told_of(salvaged: Salvaged) -> list[str]:
    return [cell.source for cell in salvaged.cells if cell.whole]


@pytest.mark.parametrize("indent", [None, 1, 2])
def test_answer_of_a_server_gives_its_notebook(indent: int | None) -> None:
    """`curl …/api/contents/a.ipynb > a.ipynb`: every cell, the metadata, and what is wrong."""
    salvaged = salvage_notebook(json.dumps(answer(), indent=indent).encode())
    assert told_of(salvaged) == SOURCES
    assert salvaged.metadata["kernelspec"]["name"] == "python3"
    assert salvaged.nbformat == (4, 5)
    assert salvaged.complete
    assert not salvaged.whole
    assert salvaged.damages == (WORDS,)


@pytest.mark.parametrize("again", [1, 2])
def test_notebook_that_was_written_as_a_text_gives_its_cells(again: int) -> None:
    """A program wrote JSON of what was JSON already: all of it reads, whole or cut short."""
    text = json.dumps(book(), indent=1)
    for _ in range(again):
        text = json.dumps(text)
    salvaged = salvage_notebook(text.encode())
    assert told_of(salvaged) == SOURCES
    assert salvaged.complete
    assert not salvaged.whole
    assert salvaged.damages[0] == "the notebook stands in the file as one text, in quotation marks"
    cut = salvage_notebook(text[: text.index("y = x")].encode())
    assert told_of(cut) == SOURCES[:2]
    assert not cut.complete


def test_a_file_that_lost_its_beginning_is_no_text() -> None:
    """What is left begins with a line of code that shows JSON: the cells behind it are not lost."""
    shown = json.dumps(json.dumps(code_cell(9, source="shown = 1")))
    rest = json.dumps(book(), indent=1)
    assert told_of(salvage_notebook(f"{shown}\n   ]\n  }},\n{rest}".encode())) == SOURCES


def test_answer_that_is_cut_short_gives_what_it_has() -> None:
    """The download broke off: what came is there."""
    raw = json.dumps(answer()).encode()
    salvaged = salvage_notebook(raw[: raw.index(b"y = x")])
    assert told_of(salvaged) == SOURCES[:2]
    assert not salvaged.complete


@pytest.mark.parametrize("lost", [b"x = 'a", b'"cells"'])
def test_answer_that_is_hurt_gives_all_that_lies_around(lost: bytes) -> None:
    """Garbage costs the cell that it is in, and no other: the brackets behind it fit."""
    raw = json.dumps(answer(), indent=1).encode()
    at = raw.index(lost)
    salvaged = salvage_notebook(raw[:at] + b"\0" * 9 + raw[at + 9 :])
    kept = [source for source in SOURCES if lost.decode() not in source]
    assert [source for source in told_of(salvaged) if source in SOURCES] == kept
    assert salvaged.metadata["kernelspec"]["name"] == "python3"


@pytest.mark.parametrize("key", ["metadata", "outputs"])
def test_notebook_that_is_shown_in_another_is_none_of_its_cells(key: str) -> None:
    """A notebook within metadata, or within a list, is data: no cell is invented."""
    inner = {**book(), "cells": [code_cell(7, source="inner = 1")]}
    outer = {key: {"shown": inner} if key == "metadata" else [inner], **book()}
    salvaged = salvage_notebook((json.dumps(outer) + " ]").encode())
    assert told_of(salvaged) == SOURCES


def test_notebook_behind_cells_is_none_of_them() -> None:
    """Only what has no cells of its own is looked into."""
    inner = {**book(), "cells": [code_cell(7, source="inner = 1")]}
    salvaged = salvage_notebook((json.dumps({**book(), "content": inner}) + " ]").encode())
    assert told_of(salvaged) == SOURCES


def test_recover_brings_back_what_an_answer_holds(tmp_path: Path) -> None:
    """No other trace is left: the file itself gives the notebook."""
    home = Home(tmp_path / "home")
    (home.work / "analysis.ipynb").write_text(json.dumps(answer()))
    found = recover(home.scope())
    assert isinstance(found, Recovery)
    assert sources_of(found.rebuilt) == SOURCES
    assert not found.adds_nothing
    assert WORDS in found.rebuilt.damages
