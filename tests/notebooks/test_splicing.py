"""Single cells put back: those bytes change and no others."""

from __future__ import annotations

import json

import pytest

from jupyter_rewind.errors import NotFound, RestoreRefused
from jupyter_rewind.notebooks.splicing import splice_cells
from tests.notebooks.support import make_cell, make_notebook


def cell(name: str, source: str = "") -> object:
    return make_cell(name, source or f"{name} = 1")


def splice(present: bytes, source: bytes, *cells: str) -> bytes:
    return splice_cells(present, source, cells, "a.ipynb", "abcd")


def named(raw: bytes) -> list[tuple[str, str]]:
    return [(one["id"], one["source"]) for one in json.loads(raw)["cells"]]


def test_a_cell_is_replaced_where_it_stands() -> None:
    present = make_notebook(cell("a", "new"), cell("b", "new"), cell("c", "new"))
    source = make_notebook(cell("c", "old"), cell("b", "old"))
    done = splice(present, source, "b")
    assert done == make_notebook(cell("a", "new"), cell("b", "old"), cell("c", "new"))


def test_a_lost_cell_comes_back_behind_the_one_it_followed() -> None:
    whole = make_notebook(cell("a"), cell("b"), cell("c"), cell("d"))
    assert splice(make_notebook(cell("a"), cell("d")), whole, "c", "b") == whole
    assert splice(make_notebook(cell("b"), cell("c"), cell("d")), whole, "a") == whole
    assert splice(make_notebook(cell("a"), cell("b"), cell("c")), whole, "d") == whole
    assert splice(make_notebook(cell("d")), whole, "a", "b", "c") == whole


def test_everything_around_the_cells_keeps_its_bytes() -> None:
    """Odd spacing, unknown keys, a missing end of line: not our business."""
    present = b'{"x":1,  "cells":[ {"id":"a","source":"new"} ,\t{"id":"b"}\n] , "nbformat" : 4}'
    source = b'{"cells":[{"id":"z","source":"z"},{"id":"a","source":"old"}]}'
    done = splice(present, source, "a")
    assert done == present.replace(b'{"id":"a","source":"new"}', b'{"id":"a","source":"old"}')
    assert [one["id"] for one in json.loads(splice(present, source, "z"))["cells"]] == [
        "z",
        "a",
        "b",
    ]


def test_each_gap_between_the_cells_that_stay_is_kept() -> None:
    present = b'{"cells":[{"id":"a"},1 ,  {"id":"b"}]}'
    source = b'{"cells":[{"id":"a"},{"id":"new"}]}'
    done = splice(present, source, "new")
    assert json.loads(done)["cells"] == [{"id": "a"}, {"id": "new"}, 1, {"id": "b"}]
    assert b'1 ,  {"id":"b"}]}' in done


def test_the_outputs_of_the_cell_come_back_too() -> None:
    output = [{"output_type": "stream", "name": "stdout", "text": "é" * 2000}]
    source = make_notebook(make_cell("a", "x", outputs=output), cell("b"))
    present = make_notebook(make_cell("a", "x"), cell("b"))
    assert splice(present, source, "a") == source


def test_a_cell_that_the_checkpoint_lacks_is_not_found_and_the_others_are_named() -> None:
    with pytest.raises(NotFound, match="'z'") as caught:
        splice(make_notebook(cell("a")), make_notebook(cell("a"), cell("b")), "z")
    assert "a, b" in caught.value.hint


@pytest.mark.parametrize(
    "present, source",
    [
        (b"", make_notebook(cell("a"))),
        (make_notebook(cell("a"))[:40], make_notebook(cell("a"))),
        (make_notebook(), make_notebook(cell("a"))),
        (make_notebook(cell("a")), b"plain"),
    ],
)
def test_where_single_cells_have_no_place_it_is_refused(present: bytes, source: bytes) -> None:
    with pytest.raises(RestoreRefused):
        splice(present, source, "a")


@pytest.mark.parametrize("where", ["the present", "the source"])
def test_an_id_that_several_cells_have_names_none_of_them(where: str) -> None:
    """The first is as good a guess as any other, so nothing is guessed."""
    double = make_notebook(cell("a", "one"), cell("a", "two"), cell("b", "three"))
    single = make_notebook(cell("a", "old"), cell("b", "old"))
    present, source = (double, single) if where == "the present" else (single, double)
    with pytest.raises(RestoreRefused, match="2 cells with the id 'a'"):
        splice(present, source, "a")
    assert ("b", "old" if present is double else "three") in named(splice(present, source, "b"))


def test_no_single_cell_goes_into_a_notebook_whose_cells_have_no_ids() -> None:
    """It would stand there twice, and the format knows no ids."""
    present = b'{"cells":[{"source":"a = 1"},{"source":"b = 1"}],"nbformat":4,"nbformat_minor":4}'
    with pytest.raises(RestoreRefused, match=r"a\.ipynb, as it is now, have no ids"):
        splice(present, make_notebook(cell("a")), "a")
    with pytest.raises(NotFound) as told:
        splice(make_notebook(cell("a")), present, "b")
    assert "Restore it whole" in told.value.hint
