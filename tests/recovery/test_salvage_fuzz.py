"""Whatever the bytes are: no crash, no hang, bounded memory, a valid notebook, nothing made up."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_rewind.recovery.assembly import as_notebook
from jupyter_rewind.recovery.broken import cellbytes, jsonbytes
from jupyter_rewind.recovery.broken import scan as broken_scan
from jupyter_rewind.recovery.exports.reading import SUFFIXES, read_export
from jupyter_rewind.recovery.formats import FORMS, to_text
from jupyter_rewind.recovery.memorycells import find_rows, join_rows
from jupyter_rewind.recovery.normal import cell_of
from jupyter_rewind.recovery.salvage import Salvaged, salvage_notebook
from tests.support.notebooks import (
    book_files,
    book_of,
    books,
    broken_files,
    code_cell,
    image_output,
    json_values,
    to_bytes,
)

MEMBERS = [
    "cell_type", "source", "input", "outputs", "metadata", "id", "execution_count", "level",
    "prompt_number", "attachments", "collapsed", "text", "x",
]  # fmt: skip
LARGE = ["a huge picture", "very many lines", "wide letters", "many cells"]
RELAXED = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def check(salvaged: Salvaged) -> None:
    """What every answer owes: a valid notebook that can be written, and words for its faults."""
    book = as_notebook([(cell, {}) for cell in salvaged.cells], salvaged.metadata, {})
    nbformat.validate(book)
    for form in FORMS:
        to_text(book, form).encode("utf-8", "surrogatepass" if form != "ipynb" else "strict")
    assert salvaged.whole == (not salvaged.damages)
    assert all(words.strip() for words in salvaged.damages)


@RELAXED
@given(st.binary(max_size=400))
def test_any_bytes_are_answered(raw: bytes) -> None:
    """Bytes of any kind."""
    check(salvage_notebook(raw))


@RELAXED
@given(broken_files())
def test_any_broken_notebook_gives_a_valid_one(raw: bytes) -> None:
    """Notebooks cut, zeroed, garbled, doubled and spliced in several places."""
    check(salvage_notebook(raw))


@RELAXED
@given(books(), st.sampled_from([None, 0, 1, 4]), st.booleans(), st.sampled_from(["", "\ufeff"]))
def test_a_well_formed_file_is_read_as_json_reads_it(
    book: dict[str, Any], indent: int | None, ascii_only: bool, mark: str
) -> None:
    """The scanner and the parser agree on every file that the parser reads, valid or not."""
    text = mark + json.dumps(book, indent=indent, ensure_ascii=ascii_only)
    salvaged = salvage_notebook(text.encode("utf-8", "surrogatepass"))
    sheets = book.get("worksheets", [book])
    held = [cell for sheet in sheets if isinstance(sheet, dict) for cell in sheet.get("cells", [])]
    want = [
        (cell.kind, cell.source, repr(cell.outputs), cell.cell_id)
        for cell in [cell_of(one, is_old=book["nbformat"] < 4) for one in held if is_cell(one)]
    ]
    got = [(c.kind, c.source, repr(c.outputs), c.cell_id) for c in salvaged.cells if c.whole]
    if any(0xD800 <= ord(letter) < 0xE000 for letter in text):
        return  # not UTF-8: damage, and told as such
    assert got == want
    check(salvaged)


def is_cell(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("cell_type"), str)


@RELAXED
@given(book_files(), st.data())
def test_a_cut_file_never_tells_a_cell_that_was_not_there(raw: bytes, data: st.DataObject) -> None:
    """Cut anywhere: whole cells are cells of the whole file, pieces are pieces of their sources."""
    everything = salvage_notebook(raw)
    cut = salvage_notebook(raw[: data.draw(st.integers(0, len(raw)))])
    known = [(c.kind, c.source, repr(c.outputs)) for c in everything.cells]
    for cell in cut.cells:
        if cell.whole:
            assert (cell.kind, cell.source, repr(cell.outputs)) in known
        else:
            assert any(cell.source in source for _, source, _ in known)
    check(cut)


@pytest.mark.parametrize("stray", [None, {"x": 1}, 7, "a"])
def test_what_was_printed_behind_a_stray_output_is_no_cell(stray: Any) -> None:
    """Wherever the file is cut: its text has the name that cells' texts had once."""
    printed = {"text": "printed", "output_type": "stream", "name": "stdout"}
    raw = json.dumps(
        book_of([{**code_cell(1, source="x = 1"), "outputs": [stray, printed]}])
    ).encode()
    for end in range(len(raw) + 1):
        assert not any("printed" in cell.source for cell in salvage_notebook(raw[:end]).cells)


@RELAXED
@given(st.binary(max_size=300) | broken_files(), st.binary(max_size=60))
def test_any_memory_is_answered(raw: bytes, noise: bytes) -> None:
    """Pieces of memory with anything in them."""
    for row in join_rows(find_rows(noise + raw + noise)[0]):
        assert row.cells and all(cell.whole for cell in row.cells)


def pieces() -> st.SearchStrategy[str]:
    """What exports are made of, in any order."""
    marks = [
        "# %%", "# %% [markdown]", "# +", "# -", "# In[1]:", "```", "```{python}", "```python",
        "---", "# ---", "jupyter: a", "#   kernelspec: {", "<!-- #region -->", "<!-- #raw -->",
        "<!-- #endregion -->",
        "get_ipython().run_line_magic('x', 'y')", "get_ipython().system(", "%%time", "# %time",
        '<div class="jp-Cell jp-CodeCell">', '<div class="input_area"><pre>', "</pre></div>",
        '<div class="jp-OutputArea-output" data-mime-type="text/html">', "<ul><li>",
        "<img src='data:image/png;", '<div class="text_cell_render">',
        "</div>", "<!--", "-->", "<script>", "</", "<p>",
        "![png](a_files/a_1_0.png)", "    text", "# text", "", "x = 1", "'''", '"""', "\0", "&#x;",
    ]  # fmt: skip
    return st.lists(st.sampled_from(marks) | st.text(max_size=12), max_size=20).map("\n".join)


@RELAXED
@given(pieces(), st.sampled_from(sorted(SUFFIXES)))
def test_any_export_is_answered(text: str, suffix: str) -> None:
    """Scripts, Markdown and web pages with anything in them."""
    read = read_export(f"a{suffix}", text.encode("utf-8", "surrogatepass"), fetch=lambda _: b"x")
    if read is not None:
        check(Salvaged(read.cells, read.metadata))


@RELAXED
@given(st.dictionaries(st.sampled_from(MEMBERS), json_values(), max_size=8))
def test_any_cell_becomes_a_valid_one(members: dict[str, Any]) -> None:
    """Cells of any members: nothing that they say is dropped without a place."""
    check(Salvaged((cell_of(members),)))


# ---------------------------------------------------------------- time follows the size


@contextmanager
def counted_reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many bytes are gone over by reading values, pieces of strings, and searches."""
    total = [0]
    scan, piece, search = jsonbytes._scan, jsonbytes.JsonBytes._piece, jsonbytes.search

    def counted_search(pattern: Any, raw: Any, at: int, limit: int) -> Any:
        found = search(pattern, raw, at, limit)
        total[0] += max(0, (limit if found is None else found.end()) - at)
        return found

    def counted_scan(text: str, start: int) -> Any:
        try:
            value, end = scan(text, start)
        except StopIteration as stop:
            total[0] += max(0, int(stop.value or start) - start)
            raise
        except json.JSONDecodeError as error:
            total[0] += max(0, error.pos - start)
            raise
        except RecursionError:
            total[0] += 10_000
            raise
        total[0] += end - start
        return value, end

    def counted_piece(self: jsonbytes.JsonBytes, at: int) -> int:
        end = piece(self, at)
        total[0] += end - at
        return end

    with monkeypatch.context() as patch:
        patch.setattr(jsonbytes, "_scan", counted_scan)
        patch.setattr(cellbytes, "search", counted_search)
        patch.setattr(broken_scan, "search", counted_search)
        patch.setattr(jsonbytes.JsonBytes, "_piece", counted_piece)
        yield total


TRAPS = {
    "cells that never end": b'{"cell_type": "code", "source": [',
    "cells in cells": b'{"cell_type": "code", "metadata": {"x": [',
    "metadata in metadata": b'{"metadata": ',
    "notebooks that only begin": b'{"cells": [',
    "outputs that only begin": b'{"output_type": "stream", "text": [',
    "quotes": b'"',
    "keys without values": b'"cell_type": "code", ',
    "sources without cells": b'"source": ["a\\n", ',
    "open strings": b'{"cell_type": "code", "source": "a',
    "brackets": b"[",
    "lines of text": b'    "line\\n",\n',
    "conflict marks": b"<<<<<<< a\n=======\n>>>>>>> b\n",
    "keys on lines": b'   "cell_type": "code",\n',
    "backslashes": b"\\",
    "numbers": b"1",
    "braces and keys": b'{ "id": "a", "cell_type": "code"',
}


@pytest.mark.parametrize("trap", TRAPS)
def test_the_work_follows_the_size(trap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files made to be slow cost twice as much when they are twice as long, not four times."""
    costs = []
    for size in (30_000, 120_000):
        raw = TRAPS[trap] * (size // len(TRAPS[trap]))
        with counted_reads(monkeypatch) as total:
            check_quickly(raw)
        costs.append(total[0] + size)
    assert costs[1] < 10 * costs[0], costs


def check_quickly(raw: bytes) -> None:
    salvaged = salvage_notebook(raw)
    assert salvaged.whole == (not salvaged.damages)


# ---------------------------------------------------------------- memory follows the cells


def peak_of(raw_size: int, action: Any) -> float:
    """The most memory in use while `action` runs, as a multiple of the file's size."""
    tracemalloc.start()
    try:
        result = action()
        peak = tracemalloc.get_traced_memory()[1]
        del result
    finally:
        tracemalloc.stop()
    return peak / raw_size


def large_files() -> dict[str, bytes]:
    """One huge picture; many lines of text; many cells; each some ten megabytes."""
    import random

    chance = random.Random(1)
    picture = code_cell(1, outputs=[image_output(chance.randbytes(9 << 20))])
    lines = [f"line {n}\n" for n in range(150_000)]
    said = code_cell(2, outputs=[{"output_type": "stream", "name": "stdout", "text": lines}])
    text = "é—" * 1_150_000
    wide = code_cell(3, outputs=[{"output_type": "stream", "name": "stdout", "text": text}])
    many = [code_cell(n, outputs=[image_output(chance.randbytes(9000))]) for n in range(700)]
    end = code_cell(9)
    made = [[picture, end], [said, end], [wide, end], many]
    return {kind: to_bytes(book_of(cells)) for kind, cells in zip(LARGE, made, strict=True)}


@pytest.mark.slow
@pytest.mark.parametrize("kind", LARGE)
@pytest.mark.parametrize("how", ["whole", "cut", "holed"])
def test_memory_stays_below_three_times_the_file(kind: str, how: str, tmp_path: Path) -> None:
    """Huge outputs are read in place: cells and all work on them take less than three files."""
    raw = large_files()[kind]
    size = len(raw)
    if how == "cut":
        raw = raw[: size * 9 // 10]
    elif how == "holed":
        raw = raw[: size // 2] + bytes(4096) + raw[size // 2 + 4096 :]
    file = tmp_path / "large.ipynb"
    file.write_bytes(raw)
    del raw
    ratio = peak_of(size, lambda: salvage_notebook(file))
    assert ratio <= 3, ratio
