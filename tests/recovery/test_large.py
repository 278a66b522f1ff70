"""Large notebooks are judged, read and written in pieces, with the same outcome as small ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_rewind.notebooks.condition import judge_notebook
from jupyter_rewind.recovery import filestate
from jupyter_rewind.recovery.broken.jsonbytes import JsonBytes
from jupyter_rewind.recovery.broken.soundness import has_lone_half, judge_large
from jupyter_rewind.recovery.filestate import state_of
from jupyter_rewind.recovery.notebookjson import to_json
from jupyter_rewind.recovery.salvage import salvage_notebook

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
FUZZ = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
LINES = [f'line {number} é "quoted" \\ and 語\n' for number in range(40_000)]


def book(text: object = "x = 1", output: object = None) -> dict[str, object]:
    outputs = [{"output_type": "display_data", "data": output, "metadata": {}}] if output else []
    cell = {"cell_type": "code", "source": text, "metadata": {}, "outputs": outputs, "id": "a"}
    return {
        "cells": [{**cell, "execution_count": 1}],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


@FUZZ
@given(st.dictionaries(st.text(), VALUES), st.data())
def test_large_file_is_judged_as_a_small_one(value: dict[str, object], data: st.DataObject) -> None:
    """Whole, cut short or no notebook: what is said does not depend on the size of the file."""
    raw = json.dumps(value | book(), ensure_ascii=data.draw(st.booleans())).encode(
        "utf-8", "backslashreplace"
    )
    raw = raw[: data.draw(st.integers(1, len(raw)))]
    small, large = judge_notebook(raw, "a"), judge_large(raw, "a")
    assert large.state == small.state
    assert large.words == small.words or small.state == "invalid"


@pytest.mark.parametrize(
    ("raw", "is_lone"),
    [
        (rb'"\ud800"', True),
        (rb'"\udc00 x"', True),
        (rb'"\ud83d\ude00"', False),
        (rb'"\\ud800"', False),
        (rb'"\\\ud800"', True),
        (rb'"plain"', False),
    ],
)
def test_half_of_a_character_is_seen_without_parsing(raw: bytes, is_lone: bool) -> None:
    """A file that Jupyter would not open for it is not called whole."""
    assert has_lone_half(raw) is is_lone


def test_state_of_a_large_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole, cut and closed for a lone half: each is told of a file too large to be parsed."""
    monkeypatch.setattr(filestate, "LARGE_BYTES", 1000)
    path = tmp_path / "a.ipynb"
    raw = json.dumps(book(output={"text/plain": LINES})).encode()
    path.write_bytes(raw)
    assert state_of(path).is_whole
    path.write_bytes(raw[:-90_000])
    assert "cut short" in state_of(path).words
    path.write_bytes(raw.replace(b"x = 1", rb"x = '\ud800'"))
    assert "half a character" in state_of(path).words
    path.write_bytes(raw[:1] + b"}" + raw[1:])
    assert "line" in state_of(path).words


@pytest.mark.parametrize("large", [1 << 24, 1000])
def test_comma_too_many_is_not_called_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    """The file ends as it should: that a comma is wrong is told, not that something is missing."""
    monkeypatch.setattr(filestate, "LARGE_BYTES", large)
    path = tmp_path / "a.ipynb"
    for raw in (json.dumps(book("x" * 2000))[:-1] + ",}", json.dumps(book("x" * 2000))[:-1] + ",]"):
        path.write_text(raw)
        words = state_of(path).words
        assert ("is not JSON" in words, "cut short" in words) == (True, False)


def test_format_that_no_jupyter_knows_is_not_called_whole(tmp_path: Path) -> None:
    """A file that says its format is 99 is opened by no Jupyter: it is told, and comes back."""
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(book() | {"nbformat": 99}))
    assert "its format is 99" in state_of(path).words
    assert len(salvage_notebook(path.read_bytes()).cells) == 1


@pytest.mark.parametrize("indent", [None, 1])
def test_many_lines_are_read_many_at_a_time(indent: int | None) -> None:
    """A text of forty thousand lines comes back letter for letter, whole file or cut."""
    raw = json.dumps(book(output={"text/html": LINES}), indent=indent, ensure_ascii=False).encode()
    for cut in (raw, raw[:-3]):
        (cell,) = salvage_notebook(cut).cells
        assert cell.outputs[0]["data"]["text/html"] == "".join(LINES)


def test_array_of_texts_ends_where_it_ends() -> None:
    """Texts are told in their order, and what lies behind the array is left alone."""
    told: list[str] = []
    raw = b'  ["a\\n", "b" ,\n "c"] , "d"'
    assert JsonBytes(raw).texts(2, told.append) == raw.index(b"]") + 1
    assert "".join(told) == "a\nbc"


@FUZZ
@given(st.lists(st.text()), VALUES, st.text())
def test_written_notebook_reads_as_it_was(texts: list[str], value: object, long: str) -> None:
    """Written in pieces or at once, a notebook is the same JSON, its long texts in lines."""
    text = "".join(texts)
    long *= 1 + (300_000 // (len(long) + 1))
    made = book(text, {"text/plain": text, "image/png": long, "a/b+json": value})
    raw = to_json(made)
    (cell,) = json.loads(raw)["cells"]
    data = cell["outputs"][0]["data"]
    assert cell["source"] == text.splitlines(True) == data["text/plain"]
    assert data["image/png"] == long
    assert data["a/b+json"] == value
    assert (
        raw.decode()
        == json.dumps(json.loads(raw), ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    )


def test_text_that_breaks_its_lines_oddly_is_cut_as_python_does() -> None:
    """A carriage return, a form feed, a line separator: no letter is lost at a border of pieces."""
    text = "bar\r\x0c50 %\u2028next\n" * 40_000
    (cell,) = json.loads(to_json(book(output={"text/plain": text})))["cells"]
    assert cell["outputs"][0]["data"]["text/plain"] == text.splitlines(True)


def test_number_that_json_has_not_is_null() -> None:
    """An infinite number in an output does not make a file that nothing opens."""
    (cell,) = json.loads(to_json(book(output={"a+json": float("inf")})))["cells"]
    assert cell["outputs"][0]["data"] == {"a+json": None}
