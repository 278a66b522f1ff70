"""Copies of notebooks in what books and sites were built of bring back all that they had."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_rewind.recovery.recover import recover
from jupyter_rewind.recovery.traces.exports import ExportFinder
from tests.support.notebooks import book_of, code_cell, to_bytes
from tests.support.traces import Home, traces_of

PROSE = {
    "cell_type": "markdown",
    "id": "words",
    "metadata": {},
    "source": ["# Prices\n", "of 2024"],
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "ann")


def put_copy(home: Home, place: str) -> Path:
    copy = home.work / place
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(to_bytes(book_of([PROSE, code_cell(1, source="prices = load(2024)")])))
    return copy


@pytest.mark.parametrize(
    "place",
    [
        "_build/html/_sources/analysis.ipynb",
        "_build/jupyter_execute/analysis.ipynb",
        "_build/html/analysis.ipynb",
        "_build/doctrees/nbsphinx/analysis.ipynb",
        "build/html/_sources/analysis.ipynb",
        "site/analysis/analysis.ipynb",
        "_output/files/analysis.ipynb",
    ],
)
def test_copy_in_a_built_book_brings_back_markdown(home: Home, place: str) -> None:
    """A deleted notebook comes back, with its Markdown, from the book that was built of it."""
    copy = put_copy(home, place)
    found = recover(home.scope("analysis.ipynb"))
    assert found is not None
    assert [each.cell.source for each in found.rebuilt.cells] == [
        "# Prices\nof 2024",
        "prices = load(2024)",
    ]
    assert {each.place for each in found.found.traces} == {str(copy)}


def test_notebook_below_the_books_folder_is_found_by_its_way(home: Home) -> None:
    """A chapter's copy lies below the output as the chapter lies below the book."""
    copy = put_copy(home, "book/_build/html/_sources/part/one/analysis.ipynb")
    put_copy(home, "book/_build/html/_sources/analysis.ipynb")
    (home.work / "book/part/one").mkdir(parents=True)
    wanted = home.scope(home.work / "book/part/one/analysis.ipynb")
    assert [each.place for each in traces_of(ExportFinder(), wanted)] == [str(copy)]


def test_folder_tells_of_notebooks_that_only_a_book_has(home: Home) -> None:
    """Asked for a folder, the notebooks of its built book are told by their own names."""
    put_copy(home, "_build/html/_sources/analysis.ipynb")
    [trace] = traces_of(ExportFinder(), home.scope(None))
    assert trace.notebook == str(home.work / "analysis.ipynb")


def test_older_copy_in_a_book_changes_nothing_of_the_file(home: Home) -> None:
    """A book that was built before the last save takes no part in a notebook that is whole."""
    copy = put_copy(home, "_build/html/_sources/analysis.ipynb")
    os.utime(copy, (1_700_000_000, 1_700_000_000))
    newer = book_of([PROSE, code_cell(1, source="prices = load(2025)")])
    (home.work / "analysis.ipynb").write_bytes(to_bytes(newer))
    found = recover(home.scope("analysis.ipynb"))
    assert found is not None
    assert found.adds_nothing


def test_copy_that_a_tool_ran_later_is_not_taken_for_the_file(home: Home) -> None:
    """A whole notebook keeps its own outputs, whatever a tool's later run of it showed."""
    shown = {"output_type": "stream", "name": "stdout", "text": ["45"]}
    book = book_of([PROSE, code_cell(1, source="prices = load(2024)", outputs=[shown])])
    (home.work / "analysis.ipynb").write_bytes(to_bytes(book))
    os.utime(home.work / "analysis.ipynb", (1_700_000_000, 1_700_000_000))
    put_copy(home, "_build/jupyter_execute/analysis.ipynb")
    found = recover(home.scope("analysis.ipynb"))
    assert found is not None
    assert found.adds_nothing
    (home.work / "analysis.ipynb").write_bytes(b"")
    found = recover(home.scope("analysis.ipynb"))
    assert found is not None
    assert [each.cell.source for each in found.rebuilt.cells][1:] == ["prices = load(2024)"]
