"""Notebooks whose texts have Windows' line ends: what ran has plain ones, and is the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.recover import Recovery, as_bytes, recover
from jupyter_rewind.recovery.survey import survey
from tests.support.histories import make_history
from tests.support.traces import Home

CELLS = (
    "import json\nrows = json.loads('[3, 1, 2]')",
    "def mean(values):\n    return sum(values) / len(values)",
    "print('mean')\nprint(mean(rows))",
)
LATER = "spread = max(rows) - min(rows)\nprint('spread', spread)"
SHOWN = {"output_type": "stream", "name": "stdout", "text": ["mean\n", "2.0\n"]}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def save(home: Home, line_end: str = "\r\n") -> None:
    """The file as an editor on Windows may write it."""
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code", "execution_count": count, "id": f"cell-{count}", "metadata": {},
            "outputs": [SHOWN] if count == 3 else [], "source": each.replace("\n", line_end),
        }
        for count, each in enumerate(CELLS, 1)
    ]  # fmt: skip
    text = {"cell_type": "markdown", "id": "text", "metadata": {}, "source": "# Rows\r\n\r\nThree."}
    book = {"cells": [text, *cells], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (home.work / "analysis.ipynb").write_text(json.dumps(book))


def ran(home: Home, *cells: str) -> None:
    make_history(home.path / ".ipython/profile_default/history.sqlite", [cells])


def recovered(home: Home) -> Recovery:
    made = recover(home.scope())
    assert isinstance(made, Recovery)
    return made


@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
def test_file_of_windows_line_ends_lacks_nothing_that_ran(home: Home, line_end: str) -> None:
    """All that ran stands in the file, with other line ends: there is nothing to bring back."""
    save(home)
    ran(home, *(each.replace("\n", line_end) for each in CELLS))
    made = recovered(home)
    assert made.adds_nothing
    assert made.rebuilt.alternatives == ()
    scope = home.scope(None)
    (standing,) = survey(scope, search.look(scope)).standings
    assert (standing.state, standing.words) == ("whole", "")


def test_cells_keep_their_line_ends_and_outputs_where_new_ones_are_added(home: Home) -> None:
    """What you ran since comes back; what was saved stays letter for letter, with what it shows."""
    save(home)
    ran(home, *CELLS, LATER)
    book = json.loads(as_bytes(recovered(home)))
    sources = ["".join(each["source"]) for each in book["cells"]]
    saved = [each.replace("\n", "\r\n") for each in CELLS]
    assert sources == ["# Rows\r\n\r\nThree.", *saved, LATER]
    assert book["cells"][3]["outputs"] == [SHOWN]
    assert book["metadata"]["rewind"]["alternatives"] == []


def test_cell_of_both_kinds_of_line_ends_is_the_cell_that_ran(home: Home) -> None:
    """A text that was pasted together is not taken for another one."""
    save(home, line_end="\r\n")
    path = home.work / "analysis.ipynb"
    book = json.loads(path.read_text())
    book["cells"][3]["source"] += "\n"
    path.write_text(json.dumps(book))
    ran(home, *CELLS)
    assert recovered(home).adds_nothing
