"""What is left of a save that did not end is told as its notebook's trace, not as a notebook."""

from __future__ import annotations

from pathlib import Path

from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.survey import survey
from tests.support.notebooks import book_of, code_cell, to_bytes
from tests.support.traces import Home


def test_left_over_of_a_save_is_no_notebook_of_the_folder(tmp_path: Path) -> None:
    """A folder in which a save broke off shows one notebook, which can be brought back."""
    home = Home(tmp_path / "ann")
    (home.work / "analysis.ipynb").write_bytes(b"")
    (home.work / ".~analysis.ipynb").write_bytes(to_bytes(book_of([code_cell(1)])))
    scope = home.scope(None)
    [standing] = survey(scope, search.look(scope)).standings
    assert (standing.notebook.name, standing.can_gain) == ("analysis.ipynb", True)
