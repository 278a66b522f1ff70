"""What a checkpoint costs: bytes written grow with what changed, not with what exists."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jupyter_rewind.model.ids import Digest
from jupyter_rewind.notebooks import cutting
from jupyter_rewind.notebooks.contents import cut, load_manifest, read_bytes, store_cut
from jupyter_rewind.store.repository import Repository
from tests.support.notebooks import book_of, code_cell, image_output, large_book, to_bytes

SIZE = 25_000_000
OVERHEAD = 1024
"""Bytes that a checkpoint may cost besides the new content: its manifest, record heads."""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    folder = tmp_path_factory.mktemp("store")
    with Repository.open(
        folder / "store", key_folder=folder / "keys", durability="process"
    ) as opened:
        yield opened


@pytest.fixture(scope="module")
def large() -> dict[str, Any]:
    return large_book(SIZE, cells=1000)


def keep(repository: Repository, book: Any, base: Digest | None = None) -> tuple[Digest, int]:
    """The manifest of `book`, and the bytes that storing it took."""
    raw = to_bytes(book)
    with repository.transaction() as tx:
        name = store_cut(tx, cut(raw), base)
        written = tx.written_bytes
        tx.add("checkpoint", keys=[], body={}, roots=[name])
    assert read_bytes(repository, name) == raw
    return name, written


def edit_top(book: Any) -> None:
    book["cells"][0]["source"] = ["import numpy as np\n"]


def edit_middle(book: Any) -> None:
    book["cells"][500]["source"].append("# one line more\n")


def insert(book: Any) -> None:
    book["cells"].insert(0, code_cell(5000))


def move(book: Any) -> None:
    book["cells"].insert(10, book["cells"].pop(900))


def remove(book: Any) -> None:
    del book["cells"][3]


def join(book: Any) -> None:
    book["metadata"]["title"] = "other"


@pytest.mark.parametrize("change", [edit_top, edit_middle, insert, move, remove, join])
def test_a_small_change_of_a_large_notebook_costs_a_thousandth(
    repository: Repository, large: dict[str, Any], change: Callable[[Any], None]
) -> None:
    """25 MB and one cell edited, added, moved or removed: 0.1 % of new bytes at most."""
    base, _ = keep(repository, large)
    book = copy.deepcopy(large)
    change(book)
    _, written = keep(repository, book, base)
    assert written <= SIZE // 1000
    assert written <= 4 * OVERHEAD


def test_moving_and_inserting_cells_writes_no_other_cell(repository: Repository) -> None:
    """The parts of the cells that stayed are the very same."""
    cells = [code_cell(n, outputs=[image_output(bytes([n]) * 800)]) for n in range(30)]
    first, _ = keep(repository, book_of(cells))
    second, _ = keep(repository, book_of([cells[9], code_cell(99), *cells[:9], *cells[10:]]), first)
    before = {row.id: row for row in load_manifest(repository, first).cells}
    after = {row.id: row for row in load_manifest(repository, second).cells}
    assert after.keys() - before.keys() == {"cell-00099"}
    assert all(after[name] == row for name, row in before.items())


def test_running_all_cells_again_keeps_the_outputs(
    repository: Repository, large: dict[str, Any]
) -> None:
    """Other counts and the same pictures: the pictures are stored once."""
    base, _ = keep(repository, large)
    book = copy.deepcopy(large)
    for count, cell in enumerate(book["cells"], 1000):
        cell["execution_count"] = count
    _, written = keep(repository, book, base)
    assert written <= SIZE // 50


def test_the_manifest_of_an_edit_is_small(repository: Repository) -> None:
    """2 000 cells, one edited: the new manifest is a difference of less than 1 KB."""
    cells = [code_cell(n) for n in range(2000)]
    base, _ = keep(repository, book_of(cells))
    for number in (7, 1999, 1000, 0):
        cells[number]["source"] = [f"edited_{number} = True\n"]
        base, written = keep(repository, book_of(cells), base)
        assert written < OVERHEAD


def test_equal_pictures_are_stored_once(repository: Repository) -> None:
    """Also between different cells and different notebooks."""
    picture = random.Random(7).randbytes(200_000)
    keep(repository, book_of([code_cell(1, outputs=[image_output(picture)])]))
    cells = [code_cell(n, outputs=[image_output(picture)]) for n in range(2, 6)]
    _, written = keep(repository, book_of(cells, name="another"))
    assert written < 4 * OVERHEAD


def test_what_was_put_in_a_failed_transaction_is_put_again(repository: Repository) -> None:
    """A save that failed leaves nothing that a later one would lean on."""
    book = book_of([code_cell(n, source=f"never_before_{n}") for n in range(3)])
    with pytest.raises(RuntimeError), repository.transaction() as tx:
        store_cut(tx, cut(to_bytes(book)))
        raise RuntimeError("the cord is pulled")
    keep(repository, book)


def test_two_stores_do_not_lean_on_each_other(
    repository: Repository, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What one store holds is put into the other all the same."""
    book = book_of([code_cell(n, source=f"in_both_{n}") for n in range(3)])
    keep(repository, book)
    folder = tmp_path_factory.mktemp("other")
    with Repository.open(folder / "s", key_folder=folder / "k", durability="process") as other:
        keep(other, book)


def test_a_state_read_without_memory_is_the_same(
    repository: Repository, large: dict[str, Any]
) -> None:
    """Another process, which remembers no cell, makes the very same manifest."""
    first, _ = keep(repository, large)
    cutting.forget_cells()
    second, written = keep(repository, large)
    assert (second, written) == (first, 0)
