"""Damaged databases: what the pages still hold comes back, and nothing that was never there."""

from __future__ import annotations

import random
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_rewind.recovery.histories import Line, Rows, is_same_code, salvage_history
from jupyter_rewind.recovery.pages import Pages, cell_pointers, read_cell, read_record, read_values
from tests.support.histories import make_history

WORDS = ("import", "numpy", "plot", "return", "frame", "for", "x", "in", "fit", "näme", "Ω")


def cells_of(seed: int, sessions: int = 12, *, long_every: int = 17) -> list[list[str]]:
    """Cells of all lengths, some of many pages."""
    chance = random.Random(seed)

    def cell(number: int) -> str:
        count = chance.randrange(1, 60)
        if number % long_every == 0:
            count = chance.randrange(800, 4000)
        lines = [" ".join(chance.choices(WORDS, k=8)) for _ in range(count // 8 + 1)]
        return f"# {number} {chance.random()}\n" + "\n".join(lines)

    return [
        [cell(chance.randrange(1000)) for _ in range(chance.randrange(1, 30))]
        for _ in range(sessions)
    ]


@cache
def whole_history(seed: int, page_size: int) -> tuple[bytes, dict[Line, str]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.sqlite"
        wanted = make_history(path, cells_of(seed), page_size=page_size)
        return path.read_bytes(), wanted


def check(rows: Rows, wanted: dict[Line, str]) -> None:
    """Every row that is given is one that was written."""
    for at, source in rows.lines.items():
        assert wanted.get(at) == source, at


def damage(raw: bytearray, page_size: int, page: int, how: str, chance: random.Random) -> None:
    start = (page - 1) * page_size
    if how == "zeros":
        raw[start : start + page_size] = bytes(page_size)
    elif how == "garbage":
        raw[start : start + page_size] = chance.randbytes(page_size)
    elif how == "hole":
        at = start + chance.randrange(page_size - 64)
        size = min(512, start + page_size - at)
        raw[at : at + size] = bytes(size)
    elif how == "scratch":
        at = start + chance.randrange(page_size - 64)
        raw[at : at + 16] = chance.randbytes(16)
    else:
        raw[start : start + 16] = chance.randbytes(16)


HOWS = ("zeros", "garbage", "hole", "scratch", "head")


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 5),
    page_size=st.sampled_from([512, 1024, 4096, 16384]),
    wounds=st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(HOWS)), max_size=12),
    luck=st.integers(0, 1 << 30),
    cut=st.one_of(st.none(), st.floats(0.05, 1)),
)
def test_no_damage_makes_a_row_that_was_never_written(
    seed: int,
    page_size: int,
    wounds: list[tuple[int, str]],
    luck: int,
    cut: float | None,
) -> None:
    """Pages zeroed, garbled, scratched, cut off: what is given back is what was run."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.sqlite"
        whole, wanted = whole_history(seed, page_size)
        raw = bytearray(whole)
        chance = random.Random(luck)
        for page, how in wounds:
            damage(raw, page_size, 1 + page % (len(raw) // page_size), how, chance)
        if cut is not None:
            del raw[int(len(raw) * cut) :]
        path.write_bytes(raw)
        check(salvage_history(path), wanted)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("page_size", [512, 1024, 4096, 16384])
def test_rows_on_pages_that_are_whole_all_come_back(
    tmp_path: Path, page_size: int, how: str
) -> None:
    """Damage to some pages costs the cells on them, and no other."""
    path = tmp_path / "history.sqlite"
    wanted = make_history(path, cells_of(7, 40), page_size=page_size)
    with closing(sqlite3.connect(path)) as database:
        rowids = {
            rowid: (session, line)
            for rowid, session, line in database.execute("SELECT rowid, session, line FROM history")
        }
    chance = random.Random(page_size)
    raw = bytearray(path.read_bytes())
    count = len(raw) // page_size
    wounded = {chance.randrange(1, count + 1) for _ in range(max(2, count // 8))}
    places = _pages_of_rows(path, rowids)
    for page in wounded:
        damage(raw, page_size, page, how, chance)
    path.write_bytes(raw)
    rows = salvage_history(path)
    check(rows, wanted)
    whole = {at for at, used in places.items() if not used & wounded}
    assert whole
    assert whole <= set(rows.lines)


def _pages_of_rows(path: Path, rowids: dict[int, Line]) -> dict[Line, set[int]]:
    found: dict[Line, set[int]] = {}
    with Pages(path) as pages:
        [root] = _root_of_history(path)
        for number, page in _leaves(pages, root):
            for pointer in cell_pointers(page, number, pages.usable) or ():
                cell = read_cell(page, pointer, pages.usable)
                assert cell is not None
                used, overflow = {number}, cell.overflow
                while overflow:
                    used.add(overflow)
                    data = pages.page(overflow)
                    assert data is not None
                    overflow = int.from_bytes(data[:4], "big")
                found[rowids[cell.rowid]] = used
    return found


def _root_of_history(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as database:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'history'"
        return [row[0] for row in database.execute(query)]


def _leaves(pages: Pages, number: int) -> list[tuple[int, bytes]]:
    page = pages.page(number)
    assert page is not None
    if page[0] == 13:
        return [(number, page)]
    below = [
        int.from_bytes(page[at : at + 4], "big")
        for at in cell_pointers(page, number, pages.usable) or ()
    ]
    below.append(int.from_bytes(page[8:12], "big"))
    return [leaf for child in below for leaf in _leaves(pages, child)]


@pytest.mark.parametrize("page_size", [512, 1024, 4096, 65536])
def test_database_without_its_first_page_still_gives_its_rows(
    tmp_path: Path, page_size: int
) -> None:
    """Without header and schema, the page size is found out and every cell comes back."""
    path = tmp_path / "history.sqlite"
    wanted = make_history(path, cells_of(3, 60), page_size=page_size)
    raw = bytearray(path.read_bytes())
    raw[:page_size] = bytes(page_size)
    path.write_bytes(raw)
    assert salvage_history(path).lines == wanted


@pytest.mark.parametrize("told", [512, 1024, 8192, 32768])
def test_header_that_tells_a_wrong_page_size_costs_nothing(tmp_path: Path, told: int) -> None:
    """Two damaged bytes of the header do not hide what you ran."""
    raw, wanted = whole_history(11, 4096)
    path = tmp_path / "history.sqlite"
    path.write_bytes(raw[:16] + told.to_bytes(2, "big") + raw[18:])
    rows = salvage_history(path)
    check(rows, wanted)
    assert rows.lines == wanted


def test_row_whose_two_texts_disagree_is_doubtful_and_not_a_row(tmp_path: Path) -> None:
    """A letter that damage changed is noticed, for IPython keeps each cell twice."""
    path = tmp_path / "history.sqlite"
    make_history(path, [["total = price * amount", "second = 2"]])
    raw = bytearray(path.read_bytes())
    at = raw.index(b"price")
    raw[at : at + 5] = b"prise"
    path.write_bytes(raw)
    rows = salvage_history(path)
    assert rows.lines == {(1, 2): "second = 2"}
    assert rows.doubtful == {(1, 1): ("total = price * amount", "total = prise * amount")}


@pytest.mark.parametrize("garbage", [b"\xff\xfe", b"\0\0"], ids=["no text", "NUL"])
@pytest.mark.parametrize("which", [0, 1])
def test_row_of_which_one_text_does_not_read_gives_the_other(
    tmp_path: Path, which: int, garbage: bytes
) -> None:
    """Bytes that are no text cost the copy in which they lie: the other is given, as doubtful."""
    path = tmp_path / "history.sqlite"
    make_history(path, [["total = price * amount", "second = 2"]])
    raw = bytearray(path.read_bytes())
    at = raw.index(b"price")
    at = raw.index(b"price", at + 1) if which else at
    raw[at : at + 2] = garbage
    path.write_bytes(raw)
    rows = salvage_history(path)
    assert rows.lines == {(1, 2): "second = 2"}
    assert rows.doubtful == {(1, 1): ("total = price * amount",)}
    assert rows.damages[0].endswith("1 more may be changed by the damage.")


@pytest.mark.parametrize("garbage", [b"pr\xffce", b"pr\0ce"], ids=["no text", "NUL"])
def test_row_of_which_no_text_reads_is_none(tmp_path: Path, garbage: bytes) -> None:
    """Nothing is counted as given that is not there."""
    path = tmp_path / "history.sqlite"
    make_history(path, [["total = price * amount", "second = 2"]])
    path.write_bytes(path.read_bytes().replace(b"price", garbage))
    rows = salvage_history(path)
    assert (rows.lines, rows.doubtful) == ({(1, 2): "second = 2"}, {})


def test_text_that_does_not_read_is_none_and_said_so() -> None:
    """Who needs all of a record gets nothing; who salvages gets what reads."""
    assert read_record(b"\x02\x0f\xff") is None
    assert read_values(b"\x02\x0f\xff") == ((None,), False)
    assert read_values(b"\x02\x0fa") == (("a",), True)


@pytest.mark.parametrize(
    ("run", "typed"),
    [
        ("x = 1", "x = 1\n"),
        ("get_ipython().run_line_magic('time', 'area(2)')", "%time area(2)"),
        (
            "get_ipython().run_cell_magic('timeit', '-n 3', 'x = 1\\nx + 1\\n')",
            "%%timeit -n 3\nx = 1\nx + 1",
        ),
        ("a = get_ipython().getoutput('ls -l')", "a = !ls -l"),
        ("get_ipython().run_line_magic('pinfo', 'area')", "area?"),
        ("x = 1\ny = 2", ">>> x = 1\n>>> y = 2"),
    ],
)
def test_ipythons_own_rewriting_is_no_damage(run: str, typed: str) -> None:
    """Magics, shell lines, help and prompts are rewritten before they run."""
    assert is_same_code(run, typed)


@pytest.mark.parametrize(
    ("run", "typed"),
    [("x = 1", "x = 2"), ("x = 1\ny", "x = 1"), ("get_ipython().system('ls')", "!rm")],
)
def test_other_differences_are_damage(run: str, typed: str) -> None:
    """What IPython would not have made is not trusted."""
    assert not is_same_code(run, typed)


def test_a_text_is_no_damaged_history(tmp_path: Path) -> None:
    """You named a text file as a history: it is said that it is none."""
    path = tmp_path / "notes.txt"
    path.write_text("print('hello')\n" * 500)
    assert salvage_history(path).damages == [
        "This is no SQLite database, and no history of IPython."
    ]
