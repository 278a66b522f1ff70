"""Byte-exactness: whatever the bytes are, their parts make up the same bytes again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jupyter_rewind.errors import Format
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.notebooks.contents import (
    cut,
    load_manifest,
    read_bytes,
    read_cell,
    read_notebook,
    store_cut,
)
from jupyter_rewind.store.repository import Repository
from tests.support.notebooks import (
    book_files,
    book_of,
    broken_files,
    code_cell,
    corpus_files,
    image_output,
    to_bytes,
)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    folder = tmp_path_factory.mktemp("store")
    with Repository.open(
        folder / "store", key_folder=folder / "keys", durability="process"
    ) as opened:
        yield opened


def keep(repository: Repository, raw: bytes, base: Digest | None = None) -> Digest:
    """`raw` stored by its parts; the name of its manifest."""
    with repository.transaction() as tx:
        name = store_cut(tx, cut(raw), base)
        tx.add("checkpoint", keys=[], body={}, roots=[name])
    return name


def check_round_trip(repository: Repository, raw: bytes) -> None:
    state = cut(raw)
    assert state.join() == raw
    name = keep(repository, raw)
    assert read_bytes(repository, name) == raw
    manifest = load_manifest(repository, name)
    assert (manifest.kind, manifest.identity) == (state.kind, state.identity)
    assert manifest.size_bytes == len(raw)
    assert manifest.nbformat == state.nbformat
    assert [(cell.id, cell.type, cell.identity) for cell in manifest.cells] == [
        (cell.id, cell.type, cell.identity) for cell in state.cells
    ]
    assert (state.kind == "file") == bool(state.problem)


def test_every_file_of_the_corpus_comes_back(repository: Repository) -> None:
    """Real notebooks and every format file: the very bytes, cells where there are any."""
    files = corpus_files()
    if not files:
        pytest.skip("the corpus of real notebooks is not beside this repository")
    kinds = set()
    for path in files:
        raw = path.read_bytes()
        check_round_trip(repository, raw)
        kinds.add(cut(raw).kind)
        if cut(raw).kind == "notebook":
            name = keep(repository, raw)
            book = json.loads(raw)
            assert read_notebook(repository, name) == book
            sheets = [book] if "cells" in book else book["worksheets"]
            cells = [cell for sheet in sheets for cell in sheet.get("cells", [])]
            manifest = load_manifest(repository, name)
            found = [read_cell(repository, manifest, n) for n in range(len(manifest.cells))]
            assert found == cells
    assert "notebook" in kinds


def test_real_notebooks_are_cut_into_cells() -> None:
    """No real notebook is kept as a mere file: its cells are shared between checkpoints."""
    files = [path for path in corpus_files() if path.parent.parent.name == "notebooks"]
    if not files:
        pytest.skip("the corpus of real notebooks is not beside this repository")
    assert [path.name for path in files if cut(path.read_bytes()).kind != "notebook"] == []


SLOW = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@SLOW
@given(raw=book_files())
def test_any_notebook_comes_back(repository: Repository, raw: bytes) -> None:
    """Any spelling, any nbformat, letters of any width, surrogates, NaN: the very bytes."""
    check_round_trip(repository, raw)


@SLOW
@given(raw=broken_files())
def test_any_broken_notebook_comes_back(repository: Repository, raw: bytes) -> None:
    """Cut short, zeroed, garbled: kept as it is, as a notebook or as a file with words."""
    check_round_trip(repository, raw)


@SLOW
@given(raw=st.binary(max_size=300))
@example(raw=b"")
@example(raw=b"{")
@example(raw=b"\xff\xfe{\x00}\x00")
@example(raw=b"\x00" * 5000)
@example(raw=b'{"cells": [' + b"[" * 100_000)
@example(raw=b'{"cells": [' + b'{"a":' * 100_000)
@example(raw=b'{"cells": [1' + b"0" * 5000 + b"]}")
@example(raw=b'{"cells": []} x')
@example(raw=b'{"cells": [], "cells": [{}]}')
@example(raw=b'{"cells": [{"id": "a", "id": "b", "outputs": [], "outputs": 3}]}')
@example(raw=b'{"cells": [NaN, -Infinity, null, "x", {}]}')
@example(raw=b'{"cells": 3}')
@example(raw=b'{"cells": [{}],}')
@example(raw=b'{"cells": [{},]}')
@example(raw=b'{"cells"x: [{}]}')
@example(raw=b'{"worksheets": [{"cells": [{}]}, 3, {"cells": [{}], "cells": 0}]}')
@example(raw=b"[]")
@example(raw=b"\xef\xbb\xbf{}")
def test_any_bytes_come_back(repository: Repository, raw: bytes) -> None:
    """What is no notebook at all is kept too."""
    check_round_trip(repository, raw)


@pytest.mark.parametrize(
    "raw",
    [b"", b"\0" * 100, b'{"cells": [', "{}".encode("utf-16"), b"\x89PNG\r\n", b"[1]", b"{}",
     b'{"cells": [{}]} {}', b'{"cells": [{},]}', b'{"cells": [' + b"[" * 200_000],
)  # fmt: skip
def test_what_cannot_be_a_notebook_is_a_file_with_words(raw: bytes) -> None:
    """The problem is told, the bytes are kept."""
    state = cut(raw)
    assert (state.kind, state.cells) == ("file", ())
    assert state.problem
    assert state.join() == raw


def test_a_file_is_not_read_as_a_notebook(repository: Repository) -> None:
    """The reader of cells refuses it with words instead of guessing."""
    with pytest.raises(Format):
        read_notebook(repository, keep(repository, b"print('hello')\n"))


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_line_endings_and_a_byte_order_mark_stay(
    repository: Repository, ending: str, bom: bytes
) -> None:
    """A notebook that went through Windows comes back as it was, cell by cell."""
    text = to_bytes(book_of([code_cell(1), code_cell(2)])).replace(b"\n", ending.encode())
    check_round_trip(repository, bom + text)
    assert [cell.id for cell in cut(bom + text).cells] == ["cell-00001", "cell-00002"]


def test_cells_of_an_old_notebook_are_found(repository: Repository) -> None:
    """nbformat 3 keeps its cells in worksheets, and payloads straight in the outputs."""
    picture = "iVBOR" * 300
    sheet = {
        "cells": [
            {
                "cell_type": "code",
                "input": ["1 + 1"],
                "outputs": [{"output_type": "display_data", "png": picture}],
            },
            {"cell_type": "heading", "level": 1, "source": ["Title"]},
        ],
        "metadata": {},
    }
    raw = to_bytes({"metadata": {"name": ""}, "nbformat": 3, "worksheets": [sheet, sheet]})
    check_round_trip(repository, raw)
    state = cut(raw)
    assert [cell.type for cell in state.cells] == ["code", "heading"] * 2
    assert state.nbformat == (3, 0)
    assert [len(cell.payloads) for cell in state.cells] == [1, 0, 1, 0]


def test_doubled_and_odd_ids_do_no_harm(repository: Repository) -> None:
    """Invalid ids are kept as they stand; one that is no text counts as none."""
    cells: list[Any] = [code_cell(1), code_cell(1), {**code_cell(2), "id": 7}, {"source": "x"}]
    raw = to_bytes(book_of(cells))
    check_round_trip(repository, raw)
    assert [cell.id for cell in cut(raw).cells] == ["cell-00001", "cell-00001", None, None]


def test_payloads_are_cut_at_bytes_and_not_at_letters(repository: Repository) -> None:
    """Wide letters before, in and behind a payload move no cut."""
    text = "日本語 😀 é" * 100
    output = {"output_type": "stream", "name": "stdout", "text": [text, text]}
    cell = code_cell(1, source=f"# {text}\n", outputs=[output, output])
    raw = to_bytes(book_of([cell, code_cell(2)], title=text))
    check_round_trip(repository, raw)
    (_, first), (_, second) = cut(raw).cells[0].payloads
    assert bytes(first) == bytes(second)
    assert json.loads(bytes(first)) == [text, text]


def test_attachments_are_payloads() -> None:
    """A picture pasted into a text cell is stored by itself."""
    cell = {
        "cell_type": "markdown",
        "id": "m",
        "metadata": {},
        "source": "![x](attachment:x.png)",
        "attachments": {"x.png": {"image/png": "iVBOR" * 500}},
    }
    assert len(cut(to_bytes(book_of([cell]))).cells[0].payloads) == 1


def test_read_cell_gives_the_cell_alone(repository: Repository) -> None:
    """One cell is read without reading the others."""
    cells = [code_cell(n, outputs=[image_output(bytes([n]) * 900)]) for n in range(5)]
    manifest = load_manifest(repository, keep(repository, to_bytes(book_of(cells))))
    assert [read_cell(repository, manifest, n) for n in range(5)] == cells


def test_a_large_file_is_kept_in_chunks(repository: Repository, tmp_path: Path) -> None:
    """A large text shares its chunks with an edited copy of itself."""
    lines = [f"row {n}: {n * n}\n".encode() for n in range(100_000)]
    first = keep(repository, b"".join(lines))
    lines.insert(10, b"a line more\n")
    second = keep(repository, b"".join(lines), first)
    assert read_bytes(repository, second) == b"".join(lines)
    one, two = load_manifest(repository, first), load_manifest(repository, second)
    assert len(set(two.first) - set(one.first)) <= 3
    assert len(two.first) > 10


@settings(deadline=None, max_examples=25)
@given(st.lists(book_files() | broken_files(), min_size=2, max_size=3))
def test_what_was_cut_before_changes_no_cut(files: list[bytes]) -> None:
    """Facts remembered from other notebooks only save time: the cuts are the same without."""
    from jupyter_rewind.notebooks import cutting

    warm = [cut(raw) for raw in [*files, *files]][len(files) :]
    for raw, state in zip(files, warm, strict=True):
        cutting.forget_cells()
        assert cut(raw) == state


@pytest.mark.parametrize(
    ("earlier", "later"), [("1,1", "1,12"), ("1", "1.5"), ("1", "10,{}"), ("{},1", "{},1e3")]
)
def test_a_number_met_before_does_not_end_a_longer_one(earlier: str, later: str) -> None:
    """What stands where cells belong may be anything; memory misreads none of it."""
    from jupyter_rewind.notebooks import cutting

    cutting.forget_cells()
    first, second = (f'{{"cells":[{one}]}}'.encode() for one in (earlier, later))
    assert cut(first).kind == "notebook"
    assert cut(second).kind == "notebook"


def test_any_format_number_comes_back(repository: Repository) -> None:
    """Also the one that stands for none in a manifest."""
    for number in (0, 4, 254, 255, 256):
        check_round_trip(repository, to_bytes({**book_of([]), "nbformat": number}))
