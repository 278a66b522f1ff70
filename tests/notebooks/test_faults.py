"""What Jupyter does not open is said to be so, and nothing else; Jupyter's own reader is asked."""

from __future__ import annotations

import copy
import json
import warnings
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.notebooks.documents import find_last_good
from jupyter_rewind.notebooks.faults import MARK, judge_opening
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.notebooks.watching import Watcher
from tests.notebooks.support import make_cell, make_notebook

OUTPUT = {"output_type": "stream", "name": "stdout", "text": "a"}
WHOLE: dict[str, Any] = json.loads(make_notebook(make_cell("a", "x", outputs=[OUTPUT]), "y"))
#: Where something is put that is not meant for it.
PLACES = [
    ("nbformat",), ("metadata",), ("cells",), ("cells", 0), ("cells", 1), ("cells", 0, "metadata"),
    ("cells", 0, "source"), ("cells", 0, "outputs"), ("cells", 0, "outputs", 0),
]  # fmt: skip
GONE = object()
THINGS = [GONE, None, 4, 5, 99, 0, 4.0, "4", "text", [], ["a\n", "b"], [1], {}, {"a": 1}]


def opens(text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            nbformat.reads(text, as_version=4)
        except Exception:
            return False
    return True


def is_valid(book: dict[str, Any]) -> bool:
    try:
        nbformat.validate(nbformat.from_dict(book))
    except (nbformat.ValidationError, ValueError, AttributeError, TypeError):
        return False
    return True


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(PLACES), thing=st.sampled_from(THINGS), marked=st.booleans())
def test_what_jupyter_refuses_is_not_called_sound(
    place: tuple[Any, ...], thing: object, marked: bool
) -> None:
    """One thing at one place, with and without a byte order mark."""
    book = copy.deepcopy(WHOLE)
    *way, last = place
    holder: Any = book
    for step in way:
        holder = holder[step]
    if thing is not GONE:
        holder[last] = thing
    elif isinstance(last, int) or last == "nbformat":
        return  # a cell less is no fault; without a format it is read as the first one
    else:
        del holder[last]
    text = "\ufeff" * marked + json.dumps(book)
    condition = judge_opening(text.encode(), "a.ipynb")
    if not opens(text):
        assert condition.state == "invalid"
        assert "a.ipynb" in condition.words
    elif is_valid(book):
        assert condition.is_ok
    # What Jupyter opens and complains of may be called either.


def test_the_last_good_state_is_one_that_jupyter_opens(histories: Histories) -> None:
    """A state whose cells lack their metadata is no help to anybody."""
    bare = copy.deepcopy(WHOLE)
    del bare["cells"][1]["metadata"]
    for book in (WHOLE, bare):
        histories.record("/a.ipynb", json.dumps(book).encode(), reason=Reason.SAVE)
    good = find_last_good(histories, "/a.ipynb")
    assert good is not None
    assert json.loads(histories.read(good)) == WHOLE


@pytest.mark.parametrize("text", ['{"cells": [], "metadata": {}, "nbformat": 4}'])
def test_a_notebook_that_lacks_its_minor_format_opens(text: str) -> None:
    assert opens(text)
    assert judge_opening(text.encode(), "a.ipynb").is_ok


@pytest.mark.parametrize("kind", ["mark", "metadata"])
def test_what_others_write_and_jupyter_does_not_open_is_kept_all_the_same(
    histories: Histories, folder: Path, kind: str
) -> None:
    """VS Code and scripts work on such a notebook: each of its states is told, and kept."""
    path = folder / "a.ipynb"
    path.write_bytes(make_notebook("x = 0"))
    watcher = Watcher(histories, max_bytes=1 << 20)
    watcher.scan([folder])
    for number in range(1, 4):
        book = json.loads(make_notebook(f"x = {number}"))
        if kind == "metadata":
            del book["cells"][0]["metadata"]
        path.write_bytes(MARK * (kind == "mark") + json.dumps(book).encode())
        seen = watcher.scan([folder])
        assert len(seen.recorded) == 1
        assert "does not open" in seen.damaged[str(path)].words
    good = find_last_good(histories, str(path))
    assert good is not None and b"x = 0" in histories.read(good)
    assert len(histories.checkpoints(str(path))) == 4
