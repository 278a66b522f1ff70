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
from nbformat.sign import yield_code_cells

from jupyter_rewind.model.checkpoint import Checkpoint, Reason
from jupyter_rewind.notebooks.documents import find_last_good
from jupyter_rewind.notebooks.faults import MARK, judge_opening
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.notebooks.watching import Watcher
from tests.notebooks.support import make_cell, make_notebook

OUTPUT = {"output_type": "stream", "name": "stdout", "text": "a"}
SHOWN = {"output_type": "display_data", "metadata": {}, "data": {"text/plain": ["a\n", "b"]}}
TEXT = {
    "id": "t", "cell_type": "markdown", "metadata": {}, "source": ["a\n", "b"],
    "attachments": {"a.png": {"image/png": "AA=="}},
}  # fmt: skip
WHOLE: dict[str, Any] = json.loads(
    make_notebook(make_cell("a", "x", outputs=[OUTPUT, SHOWN]), "y", TEXT)
)
#: As Jupyter wrote them in 2013.
OLD: dict[str, Any] = {
    "nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""},
    "worksheets": [{"metadata": {}, "cells": [
        {"cell_type": "code", "collapsed": False, "input": ["a"], "language": "python",
         "metadata": {}, "outputs": [{"output_type": "pyout", "prompt_number": 1, "text": ["a"]}]},
        {"cell_type": "heading", "level": 1, "metadata": {}, "source": "x"},
    ]}],
}  # fmt: skip
OLD_CELLS = ("worksheets", 0, "cells")
OLD_PLACES = [
    ("metadata",), ("worksheets", 0), OLD_CELLS, (*OLD_CELLS, 0), (*OLD_CELLS, 0, "input"),
    (*OLD_CELLS, 0, "outputs"), (*OLD_CELLS, 0, "cell_type"), (*OLD_CELLS, 1, "level"),
    (*OLD_CELLS, 1, "source"),
]  # fmt: skip#: Where something is put that is not meant for it.
PLACES = [
    ("nbformat",), ("metadata",), ("cells",), ("cells", 0), ("cells", 1), ("cells", 0, "metadata"),
    ("cells", 0, "source"), ("cells", 0, "outputs"), ("cells", 0, "outputs", 0),
    ("cells", 0, "outputs", 0, "output_type"), ("cells", 0, "outputs", 0, "text"),
    ("cells", 0, "outputs", 1, "data"), ("cells", 0, "outputs", 1, "data", "text/plain"),
    ("cells", 0, "cell_type"), ("cells", 0, "id"), ("cells", 0, "attachments"),
    ("cells", 2, "attachments"), ("cells", 2, "attachments", "a.png"), ("cells", 2, "outputs"),
    ("cells", 2, "cell_type"), ("cells", 2, "source"), ("nbformat_minor",),
]  # fmt: skip
GONE = object()
THINGS = [GONE, None, 4, 5, 99, 0, 4.0, "4", "text", [], ["a\n", "b"], [1], {}, {"a": 1}]


def opens(text: str) -> bool:
    """Whether Jupyter Server opens it: it reads it, and says of each code cell if it is trusted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for cell in yield_code_cells(nbformat.reads(text, as_version=4)):
                cell["metadata"]["trusted"] = False
        except Exception:
            return False
    return True


def with_thing(whole: dict[str, Any], place: tuple[Any, ...], thing: object) -> dict[str, Any]:
    """The notebook with this in this place, or without it."""
    book = copy.deepcopy(whole)
    *way, last = place
    holder: Any = book
    for step in way:
        holder = holder[step]
    if thing is not GONE:
        holder[last] = copy.deepcopy(thing)
    elif isinstance(holder, list):
        del holder[last]
    else:
        holder.pop(last, None)
    return book


def is_called_sound(book: dict[str, Any], mark: str = "") -> bool:
    condition = judge_opening((mark + json.dumps(book)).encode(), "a.ipynb")
    assert condition.is_ok or (condition.state == "invalid" and "a.ipynb" in condition.words)
    return condition.is_ok


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_what_jupyter_opens_is_called_sound_and_nothing_else(place: tuple[Any, ...]) -> None:
    """One thing at one place that is not meant for it, or nothing where something should be."""
    for thing in THINGS:
        book = with_thing(WHOLE, place, thing)
        is_list = isinstance(book.get("cells"), list)
        assert is_called_sound(book) == (opens(json.dumps(book)) and is_list), thing
        assert not is_called_sound(book, "\ufeff")


@pytest.mark.parametrize("place", OLD_PLACES, ids=str)
def test_what_jupyter_opens_of_old_formats_is_called_sound(place: tuple[Any, ...]) -> None:
    for thing in THINGS:
        book = with_thing(OLD, place, thing)
        assert is_called_sound(book) == opens(json.dumps(book)), thing


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    places=st.lists(st.sampled_from(PLACES), min_size=2, max_size=3),
    thing=st.sampled_from(THINGS),
)
def test_several_odd_things_are_judged_as_jupyter_does(
    places: list[tuple[Any, ...]], thing: object
) -> None:
    """One of them may keep its reader from ever meeting the other."""
    book = WHOLE
    for place in places:
        try:
            book = with_thing(book, place, thing)
        except (LookupError, TypeError, AttributeError):
            continue  # what it is in is gone by now
    is_list = isinstance(book.get("cells"), list)
    assert is_called_sound(book) == (opens(json.dumps(book)) and is_list)


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


def test_states_that_never_open_are_read_once(
    histories: Histories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look at a notebook that another program writes costs what is new, and finds the last
    good state all the same; that one is read each time, for it may be damaged by now."""
    bare = copy.deepcopy(WHOLE)
    del bare["cells"][1]["metadata"]
    reading, read = Histories.read, []

    def count(self: Histories, checkpoint: Checkpoint) -> bytes:
        read.append(checkpoint.id)
        return reading(self, checkpoint)

    monkeypatch.setattr(Histories, "read", count)

    def keep(book: dict[str, Any]) -> Checkpoint:
        raw = json.dumps(book).encode()
        return histories.record("/a.ipynb", raw, reason=Reason.SAVE).checkpoint

    good = keep(with_thing(WHOLE, ("cells", 0, "source"), "good"))
    for number in range(5):
        keep(with_thing(bare, ("cells", 0, "source"), f"never opened {number}"))
    for times in (6, 1):
        read.clear()
        assert find_last_good(histories, "/a.ipynb") == good
        assert len(read) == times
    keep(with_thing(bare, ("cells", 0, "source"), "one more"))
    read.clear()
    assert find_last_good(histories, "/a.ipynb") == good
    assert len(read) == 2
