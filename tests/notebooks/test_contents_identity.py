"""When two states are equal, and what changed between two that are not."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jupyter_rewind.model.checkpoint import Counts
from jupyter_rewind.notebooks import contents
from jupyter_rewind.notebooks.contents import Manifest, count_changes, cut, load_manifest, store_cut
from jupyter_rewind.notebooks.cutting import forget_cells
from jupyter_rewind.store.repository import Repository
from tests.support.notebooks import book_files, book_of, books, code_cell, to_bytes


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    folder = tmp_path_factory.mktemp("store")
    with Repository.open(
        folder / "store", key_folder=folder / "keys", durability="process"
    ) as opened:
        yield opened


def manifest(repository: Repository, book: Any) -> Manifest:
    with repository.transaction() as tx:
        name = store_cut(tx, cut(to_bytes(book)))
        tx.add("checkpoint", keys=[], body={}, roots=[name])
    return load_manifest(repository, name)


BOOK = book_of([code_cell(1), {**code_cell(2), "source": "é 日本"}], title="ü")


def changed(path: list[Any], value: Any) -> Any:
    book = copy.deepcopy(BOOK)
    place: Any = book
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return book


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["cells", 0, "metadata", "execution"], {"iopub.execute_input": "2026-11-20T14:05:00Z"}),
        (["cells", 1, "metadata", "trusted"], True),
        (["metadata", "signature"], "sha256:0"),
    ],
)
def test_volatile_metadata_decides_nothing(path: list[Any], value: Any) -> None:
    """Execution times and trust change when nothing was done: the state is equal."""
    assert cut(to_bytes(changed(path, value))).identity == cut(to_bytes(BOOK)).identity


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["cells", 0, "metadata", "tags"], ["x"]),
        (["cells", 0, "execution_count"], 8),
        (["cells", 0, "id"], "other"),
        (["cells", 0, "source"], []),
        (["cells", 1, "source"], "é 日本 "),
        (["cells", 0, "outputs"], [{"output_type": "stream", "text": "x" * 1000}]),
        (["metadata", "title"], "u"),
        (["nbformat_minor"], 4),
        (["cells"], BOOK["cells"][::-1]),
    ],
)
def test_everything_else_decides(path: list[Any], value: Any) -> None:
    """What a user can see or set makes another state."""
    assert cut(to_bytes(changed(path, value))).identity != cut(to_bytes(BOOK)).identity


def test_spelling_decides_nothing() -> None:
    """Indents, escapes, the order of keys, line endings: another tool wrote the same."""
    identity = cut(to_bytes(BOOK)).identity
    for raw in (
        to_bytes(BOOK, indent=None),
        to_bytes(BOOK, indent=4, ascii_only=True),
        to_bytes(BOOK).replace(b"\n", b"\r\n"),
        json.dumps(BOOK).encode(),
        b"\xef\xbb\xbf" + to_bytes(BOOK),
    ):
        assert cut(raw).identity == identity


def test_bytes_that_look_alike_in_another_encoding_differ() -> None:
    """The letters of UTF-8 bytes read one by one are not the letters that were meant."""
    wide = changed(["cells", 0, "source"], "é")
    narrow = changed(["cells", 0, "source"], "é".encode().decode("latin-1"))
    assert cut(to_bytes(wide)).identity != cut(to_bytes(narrow, ascii_only=True)).identity


def _lasting(book: Any) -> Any:
    """The oracle: what a state says, by plain dictionaries."""
    book = json.loads(json.dumps(book))
    sheets = [book, *(book.get("worksheets") or [])]
    for sheet in sheets:
        for cell in sheet.get("cells") or [] if isinstance(sheet, dict) else []:
            metadata = cell.get("metadata") if isinstance(cell, dict) else None
            if isinstance(metadata, dict):
                metadata.pop("execution", None)
                metadata.pop("trusted", None)
    if isinstance(book.get("metadata"), dict):
        book["metadata"].pop("signature", None)
    return json.dumps(book, sort_keys=True)


@settings(deadline=None, max_examples=60)
@given(books(), books())
def test_states_are_equal_when_they_say_the_same(first: Any, second: Any) -> None:
    """As a plain comparison of the JSON objects says."""
    for book in (first, second):
        try:
            json.dumps(book, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            assume(False)
    one, two = cut(to_bytes(first)), cut(to_bytes(second))
    assume(one.kind == two.kind == "notebook")
    assert (one.identity == two.identity) == (_lasting(first) == _lasting(second))


@settings(deadline=None, max_examples=40)
@given(book_files())
def test_memory_decides_nothing(raw: bytes) -> None:
    """A state cut by a process that knows its cells is equal to one cut afresh."""
    forget_cells()
    afresh = cut(raw)
    assert cut(raw) == afresh


def test_empty_notebooks_are_not_distinct() -> None:
    """All new notebooks are alike: they say nothing on where one came from."""
    blank = {**code_cell(1), "source": [], "execution_count": None}
    assert not cut(to_bytes(book_of([]))).is_distinct
    assert not cut(to_bytes(book_of([blank]))).is_distinct
    assert not cut(b"").is_distinct
    assert cut(to_bytes(book_of([blank, code_cell(2)]))).is_distinct


COUNTS = [
    ("nothing", lambda cells: cells, Counts(5, 0, 0, 0)),
    ("one edited", lambda cells: [{**cells[0], "source": ["x"]}, *cells[1:]], Counts(5, 0, 1, 0)),
    ("one added", lambda cells: [code_cell(9), *cells], Counts(6, 1, 0, 0)),
    ("one removed", lambda cells: cells[1:], Counts(4, 0, 0, 1)),
    ("all removed", lambda cells: [], Counts(0, 0, 0, 5)),
    ("moved", lambda cells: cells[::-1], Counts(5, 0, 0, 0)),
    (
        "one edited, one added, one removed",
        lambda cells: [cells[0], {**cells[1], "source": ["x"]}, *cells[3:], code_cell(9)],
        Counts(5, 1, 1, 1),
    ),
]


@pytest.mark.parametrize(("what", "change", "counts"), COUNTS, ids=[row[0] for row in COUNTS])
def test_changes_are_counted_by_cell_id(
    repository: Repository, what: str, change: Any, counts: Counts
) -> None:
    """How many cells were added, changed and removed."""
    cells = [code_cell(n) for n in range(5)]
    before = manifest(repository, book_of(cells))
    after = cut(to_bytes(book_of(change(cells))))
    assert count_changes(before, after) == counts
    assert count_changes(before, manifest(repository, book_of(change(cells)))) == counts


def without_ids(cells: list[dict[str, Any]]) -> Any:
    return book_of([{key: cell[key] for key in cell if key != "id"} for cell in cells])


@pytest.mark.parametrize(
    ("what", "change", "counts"),
    [row for row in COUNTS if row[0] != "moved"],
    ids=[row[0] for row in COUNTS if row[0] != "moved"],
)
def test_changes_are_counted_without_ids(
    repository: Repository, what: str, change: Any, counts: Counts
) -> None:
    """Old notebooks have no cell ids: cells are aligned by what they say."""
    cells = [code_cell(n) for n in range(5)]
    before = manifest(repository, without_ids(cells))
    assert count_changes(before, cut(to_bytes(without_ids(change(cells))))) == counts


def test_the_first_state_adds_every_cell() -> None:
    """There is nothing before it."""
    assert count_changes(None, cut(to_bytes(BOOK))) == Counts(2, 2, 0, 0)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 4), max_size=12), st.lists(st.integers(0, 4), max_size=12))
def test_counts_add_up(repository: Repository, old: list[int], new: list[int]) -> None:
    """Whatever the ids, doubled ones too: before - removed + added is after."""
    before = manifest(repository, book_of([code_cell(n) for n in old]))
    counts = count_changes(before, cut(to_bytes(book_of([code_cell(n) for n in new]))))
    assert counts.cells == len(new)
    assert len(old) - counts.removed + counts.added == len(new)
    assert not (old == new and counts.is_change)


def test_many_equal_cells_are_counted_in_no_time(repository: Repository) -> None:
    """Thousands of blank cells without ids do not hold up a save."""
    blank = {"cell_type": "code", "metadata": {}, "outputs": [], "source": ""}
    before = manifest(repository, book_of([blank, *[{**blank, "source": "a"}] * 3000, blank]))
    after = cut(to_bytes(book_of([{**blank, "source": "b"}, *[{**blank, "source": "a"}] * 3001])))
    assert count_changes(before, after).cells == 3002


def test_changes_of_thousands_of_cells_without_ids_are_counted_in_no_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every second one was changed, one was moved, some are gone: that took most of a minute, for
    which the server kept nothing else."""
    matching = contents.SequenceMatcher

    def match(_: None, old: list[bytes], new: list[bytes], autojunk: bool) -> object:
        assert len(old) * len(new) <= 1_000_000
        return matching(None, old, new, autojunk=autojunk)

    monkeypatch.setattr(contents, "SequenceMatcher", match)
    old = [b"%d" % number for number in range(30_000)]
    new = [one if number % 2 else b"new " + one for number, one in enumerate(old)]
    assert contents._count_aligned(old, new) == Counts(30_000, 0, 15_000, 0)
    assert contents._count_aligned(old, [*old[5_001:], old[5_000]]) == Counts(25_000, 1, 0, 5_001)
    assert contents._count_aligned(old, old[::-1]).cells == 30_000
    assert contents._count_aligned(old, [b"x"] * 2_000) == Counts(2_000, 0, 2_000, 28_000)
