"""Diffs: nbdime's format, whatever the two states are."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbdime import patch_notebook
from nbdime.diff_utils import to_diffentry_dicts
from nbformat.v4 import new_code_cell, new_notebook, new_output

from jupyter_rewind.notebooks.diff import compare
from tests.support.notebooks import corpus_files

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
NAMES = ("then", "now")


def notebook(sources: list[str]) -> bytes:
    cells = [
        new_code_cell(
            text, id=f"c{number}", outputs=[new_output("stream", name="stdout", text=text)]
        )
        for number, text in enumerate(sources)
    ]
    return nbformat.writes(new_notebook(cells=cells)).encode()


def patched(before: bytes, operations: list[Any]) -> Any:
    book = nbformat.reads(before.decode(), as_version=4)
    return patch_notebook(book, to_diffentry_dicts(operations))


texts = st.lists(st.sampled_from(["a = 1\n", "b = 2\nprint(b)\n", "", "é = '😀'"]), max_size=6)


@settings(max_examples=40, deadline=None)
@given(texts, texts)
def test_a_diff_applied_to_the_first_state_gives_the_second(one: list[str], two: list[str]) -> None:
    """nbdime's own patch is the judge."""
    before, after = notebook(one), notebook(two)
    found = compare(before, after, NAMES)
    assert found.differs == (one != two)
    assert patched(before, found.operations) == nbformat.reads(after.decode(), as_version=4)


def test_only_the_changed_cell_of_a_long_notebook_is_told() -> None:
    before = notebook([f"x = {n}" for n in range(400)])
    after = notebook([f"x = {n}" if n != 300 else "y = 0" for n in range(400)])
    (operation,) = compare(before, after, NAMES).operations
    assert [inner["key"] for inner in operation["diff"]] == [300]


def long_cells(word: str, count: int, *, ids: bool = True, outputs: int = 1) -> list[Any]:
    """Cells that have nothing in common with those of another word."""
    made = []
    for number in range(count):
        text = "\n".join(f"{word}_{number}_{line} = {line}" for line in range(20))
        outs = [
            new_output("stream", name="stdout", text=f"{word} {n}\n" * 20) for n in range(outputs)
        ]
        cell = new_code_cell(text, id=f"{word}{number}", outputs=outs)
        if not ids:
            del cell["id"]
        made.append(cell)
    return made


@pytest.mark.parametrize("ids", [True, False], ids=["with ids", "without"])
def test_very_different_notebooks_are_compared_at_once(ids: bool) -> None:
    """80 cells against 80 others took a quarter of a minute, twice as many four times as long; the
    diff still tells the whole change."""
    one, two = long_cells("a", 80, ids=ids), long_cells("b", 80, ids=ids)
    two[40:40] = [new_code_cell("new = 1", id="new") if ids else long_cells("n", 1, ids=False)[0]]
    del two[60:65]
    two[20] = nbformat.from_dict({**one[20], "source": one[20]["source"] + "\nmore = 1"})
    minor = 5 if ids else 4
    before, after = (
        nbformat.writes(new_notebook(cells=cells, nbformat_minor=minor)).encode()
        for cells in (one, two)
    )
    began = time.process_time()
    found = compare(before, after, NAMES)
    assert time.process_time() - began < 5
    assert patched(before, found.operations) == nbformat.reads(after.decode(), as_version=4)
    assert found.as_text()
    if ids:
        [cells] = [each["diff"] for each in found.operations if each["key"] == "cells"]
        told = [(each["op"], each["key"]) for each in cells]
        assert told == [
            ("addrange", 0), ("removerange", 0), ("patch", 20),
            ("addrange", 21), ("removerange", 21),
        ]  # fmt: skip


def test_very_many_outputs_are_compared_at_once() -> None:
    """Of one cell: its lines are compared, its outputs replaced."""
    before, after = (
        nbformat.writes(new_notebook(cells=long_cells(word, 1, outputs=300))).encode()
        for word in ("a", "b")
    )
    began = time.process_time()
    found = compare(before, after, NAMES)
    assert time.process_time() - began < 5
    assert patched(before, found.operations) == nbformat.reads(after.decode(), as_version=4)


def test_equal_states_do_not_differ() -> None:
    same = notebook(["a"])
    found = compare(same, same, NAMES)
    assert not found.differs
    assert found.as_text() == ""


def test_a_terminal_gets_colours_and_a_pipe_gets_none() -> None:
    found = compare(notebook(["old = 1"]), notebook(["new = 2"]), NAMES)
    plain, bright = found.as_text(color=False), found.as_text(color=True)
    assert "\x1b[" in bright
    assert "\x1b[" not in plain
    assert "-old = 1" in plain.replace("-  old", "-old")


def test_an_old_notebook_is_compared_with_a_new_one() -> None:
    """nbformat 3 keeps its cells in worksheets; it is upgraded in memory."""
    cell = {"cell_type": "code", "input": "x = 1", "language": "python", "outputs": []}
    old = {
        "metadata": {"name": ""},
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": [{"cells": [cell], "metadata": {}}],
    }
    found = compare(json.dumps(old).encode(), notebook(["x = 1"]), NAMES)
    assert found.operations
    assert found.base is not None


def old_book(*sources: str) -> bytes:
    """As IPython 1 wrote a notebook: nbformat 3, lists of lines, no ids."""
    cells = [
        {
            "cell_type": "code",
            "collapsed": False,
            "input": source.splitlines(keepends=True),
            "language": "python",
            "metadata": {},
            "outputs": [{"output_type": "stream", "stream": "stdout", "text": ["1\n", "2\n"]}],
            "prompt_number": 1,
        }
        for source in sources
    ]
    sheets = [{"cells": cells, "metadata": {}}]
    book = {"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": sheets}
    return json.dumps(book).encode()


def test_two_old_notebooks_differ_where_they_were_edited() -> None:
    """The upgrade in memory draws nothing by lot: no cell differs but the edited one."""
    before = old_book("a = 1\nb = 2\n", "c = 3\n", "d = 4\n")
    assert not compare(before, before, NAMES).differs
    found = compare(before, old_book("a = 1\nb = 2\n", "c = 0\n", "d = 4\n"), NAMES)
    assert found.base is not None
    (operation,) = found.operations
    assert [inner["key"] for inner in operation["diff"]] == [1]
    assert "c = 0" in found.as_text()


def test_a_notebook_that_breaks_the_schema_is_compared_all_the_same() -> None:
    """A cell without a source trips nbdime; the lines are compared instead."""
    before = json.dumps({"cells": [{"cell_type": "code"}], "metadata": {}, "nbformat": 4}).encode()
    found = compare(before, notebook(["x = 1"]), NAMES)
    assert found.differs
    assert "x = 1" in found.as_text(color=True)


def test_any_two_files_of_the_corpus_are_compared() -> None:
    """Whatever format and damage: an answer, and none where both are the same."""
    files = [path.read_bytes() for path in corpus_files() if path.stat().st_size < 9_000]
    if not files:
        pytest.skip("the corpus of real notebooks is not beside this repository")
    for before, after in zip(files, files[1:] + files[:1], strict=True):
        found = compare(before, after, NAMES)
        assert bool(found.as_text()) == found.differs
        assert not compare(before, before, NAMES).differs


@pytest.mark.parametrize("broken", [b"", b"{", b"\0" * 50, b"\xff\xfe", b"plain text\n"])
def test_a_state_that_is_no_notebook_is_compared_by_lines(broken: bytes) -> None:
    found = compare(broken, notebook(["x = 1"]), NAMES)
    assert found.differs
    assert found.operations == []
    assert "x = 1" in found.as_text()


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of public notebooks is not here")
def test_real_versions_of_a_notebook_patch_into_one_another() -> None:
    cases = sorted((CORPUS / "disasters").iterdir())[:6]
    assert cases
    for case in cases:
        before = (case / "stale.ipynb").read_bytes()
        after = (case / "truth.ipynb").read_bytes()
        found = compare(before, after, NAMES)
        if found.base is None or json.loads(before)["nbformat"] < 4:
            continue
        assert (
            patched(before, found.operations)["cells"]
            == (nbformat.reads(after.decode(), as_version=4)["cells"])
        )


@pytest.mark.parametrize(
    "strange",
    [
        b'{"cells": [], "metadata": {"n": ' + b"9" * 5_000 + b'}, "nbformat": 4}',
        b'{"cells": [], "metadata": {"n": "\xff\xfe"}, "nbformat": 4}',
    ],
    ids=["a number of 5 000 digits", "no UTF-8"],
)
def test_what_python_does_not_parse_is_compared_by_lines(strange: bytes) -> None:
    """A number too long for Python, or bytes that are no UTF-8, are no reason for no diff."""
    found = compare(notebook(["a"]), strange, NAMES)
    assert found.differs
    assert not found.operations
    assert found.text


def test_cells_whose_ids_are_no_texts_are_told_by_their_text() -> None:
    """What other programs wrote there may be anything."""
    one, two = long_cells("a", 80), long_cells("b", 80)
    for number, cell in enumerate([*one, *two]):
        cell["id"] = [number]
    rest = {"metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    before, after = (json.dumps({"cells": cells, **rest}).encode() for cells in (one, two))
    assert compare(before, after, NAMES).operations


def test_a_notebook_in_utf_16_is_compared_as_a_notebook() -> None:
    after = notebook(["x = 2"]).decode().encode("utf-16")
    found = compare(notebook(["x = 1"]), after, NAMES)
    assert found.operations
    assert "x = 2" in found.as_text()


def test_what_differs_in_the_ends_of_lines_alone_is_seen() -> None:
    """The last line of a script got its end, or all lines got those of Windows."""
    ended = compare(b"one\ntwo", b"one\ntwo\n", NAMES)
    assert ended.text == (
        "--- then\n+++ now\n@@ -1,2 +1,2 @@\n one\n-two\n\\ No newline at end of file\n+two\n"
    )
    windows = compare(b"one\n", b"one\r\n", NAMES)
    assert windows.text.endswith("-one\n+one\r\n")
    assert windows.as_text().endswith("-one\n+one^M\n")
    assert "^M" not in compare(b"one\r\n", b"two\r\n", NAMES).as_text()


def test_other_signs_than_the_end_of_a_line_end_none() -> None:
    found = compare("a\u2028b\n".encode(), "a\u2028c\n".encode(), NAMES)
    assert found.text.endswith("-a\u2028b\n+a\u2028c\n")


def test_files_that_are_no_text_are_said_to_differ() -> None:
    before, after = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\x89PNG\r\n\x1a\n\0\0\0\xffIHDR"
    found = compare(before, after, NAMES)
    assert found.differs
    assert found.text == found.as_text() == "then and now are no text, and differ.\n"
    assert compare(before, before, NAMES).text == ""


def test_outputs_that_are_nested_too_deeply_to_be_shown_are_compared_by_lines() -> None:
    """To show a difference takes more of Python's stack than to find it."""
    found = compare(deep(420), deep(421), NAMES)
    assert found.operations
    assert '"application/json": [[' in found.as_text()


def deep(depth: int) -> bytes:
    """A notebook with an output that is nested so deep."""
    book = json.loads(notebook(["x"]))
    book["cells"][0]["outputs"] = [
        {"output_type": "display_data", "metadata": {}, "data": {"application/json": "HERE"}}
    ]
    return json.dumps(book).replace('"HERE"', "[" * depth + "]" * depth).encode()


def test_a_form_feed_ends_no_line_in_colours() -> None:
    found = compare(b"a\n", b"a\fb\n", ("one", "other"))
    assert "\x1b[32m+a\fb\x1b[0m\n" in found.as_text(color=True)


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("a\r\nb", "a\nb", ["-  a^M", "+  a", "   b"]),
        ("a\rb", "a\nb", ["-  a^Mb", "+  a", "+  b"]),
        ("a\rb", "a\r\nb", ["-  a^Mb", "+  a^M", "+  b"]),
        ("a\fb", "a\nb", ["-  a^Lb", "+  a", "+  b"]),
        ("a\u2028b", "a\nb", ["-  a\\u2028b", "+  a", "+  b"]),
        ("a\r\nb\nc", "a\nb\nd", ["-  a^M", "+  a", "   b", "-  c", "+  d"]),
        ("a", "a\n", ["   a", "+  "]),
        ("a\nb\n", "a\nb", ["   a", "   b", "-  "]),
        ("a\n", "a\r", ["-  a", "-  ", "+  a^M"]),
    ],
)
def test_what_differs_in_the_breaks_of_a_cell_alone_is_seen(
    before: str, after: str, shown: list[str]
) -> None:
    """Windows wrote one of them, or Enter was pressed. Programs get the texts as they are."""
    one, two = (edited(notebook(["x"]), source=text) for text in (before, after))
    found = compare(one, two, NAMES)
    assert changed_lines(found.as_text()) == shown
    colors = {"-": "\x1b[31m", "+": "\x1b[32m", " ": ""}
    bright = [f"{colors[line[0]]}{line}" for line in shown]
    assert told_lines(found.as_text(color=True).replace("\x1b[0m", "")) == bright
    assert patched(one, found.operations)["cells"][0]["source"] == after


def test_what_differs_in_the_breaks_of_an_output_alone_is_seen() -> None:
    one, two = (
        edited(notebook(["x"]), outputs=[new_output("stream", name="stdout", text=text)])
        for text in ("1\r\n2\n", "1\n2\n")
    )
    assert changed_lines(compare(one, two, NAMES).as_text()) == ["-  1^M", "+  1", "   2", "   "]


def test_what_differs_in_the_breaks_of_a_whole_output_alone_is_seen() -> None:
    """Short ones are not compared by their lines, but told as gone and new."""
    one, two = (
        edited(notebook(["x"]), outputs=[new_output("stream", name="stdout", text=text)])
        for text in ("a\r", "a")
    )
    found = compare(one, two, NAMES)
    assert {"-    text: a^M", "+    text: a"} <= set(found.as_text().split("\n"))
    assert patched(one, found.operations)["cells"][0]["outputs"][0]["text"] == "a"


def test_a_cell_whose_lines_end_alike_is_shown_as_ever() -> None:
    """Whether they end as on Windows, or were overwritten as those of a progress bar."""
    for before, after in (("a\r\nb", "a\r\nc"), ("1%\r2%\n", "1%\r3%\n")):
        one, two = (edited(notebook(["x"]), source=text) for text in (before, after))
        assert "^M" not in compare(one, two, NAMES).as_text()


def edited(raw: bytes, **cell: Any) -> bytes:
    book = json.loads(raw)
    book["cells"][0].update(cell)
    return json.dumps(book).encode()


def changed_lines(text: str) -> list[str]:
    assert "\r" not in text
    return told_lines(text)


def told_lines(text: str) -> list[str]:
    """The lines of the one hunk there is."""
    lines = text.split("\n")
    [at] = [number for number, line in enumerate(lines) if line.startswith("@@")]
    return lines[at + 1 : lines.index("", at)]
