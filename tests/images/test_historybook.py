"""IPython's history travels with an image and is merged back: nothing is overwritten or lost."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.history import HistoryAccessor

from jupyter_rewind import clock
from jupyter_rewind.kernels.images.historybook import BOOK, merge_book, write_book
from jupyter_rewind.kernels.images.messages import pack_entries, pack_fields

HEAD = struct.pack("<II", 0x54564319, 0x56084025)
Lines = dict[tuple[str, int], str]  # source by the session's start and the line


def listed(*names: Path) -> bytes:
    """CRIU's list of these open files."""
    entries = []
    for number, name in enumerate(names):
        inner = [(1, 0, number), (2, 0, os.O_RDWR), (3, 0, 0), (6, 2, os.fsencode(str(name)))]
        entries.append(pack_fields([(1, 0, 1), (2, 0, number), (3, 2, pack_fields(inner))]))
    return pack_entries(HEAD, entries)


def write_lines(base: Path, lines: Lines) -> None:
    """In the tables that IPython itself makes."""
    reader = HistoryAccessor(hist_file=str(base))
    with closing(reader.db), reader.db as db:
        for start in sorted({start for start, _ in lines}):
            row = db.execute("SELECT session FROM sessions WHERE start = ?", [start]).fetchone()
            number = row and row[0]
            if number is None:
                insert = "INSERT INTO sessions VALUES (NULL, ?, NULL, NULL, '')"
                number = db.execute(insert, [start]).lastrowid
            for (begun, line), source in lines.items():
                if begun == start:
                    values = [number, line, source, source]
                    db.execute("INSERT OR IGNORE INTO history VALUES (?, ?, ?, ?)", values)
                    db.execute(
                        "INSERT OR IGNORE INTO output_history VALUES (?, ?, ?)",
                        [number, line, f"{source}!"],
                    )


def read_lines(base: Path) -> Lines:
    with closing(sqlite3.connect(base)) as db:
        rows = db.execute(
            "SELECT start, h.line, source_raw, output FROM sessions JOIN history h USING (session)"
            " JOIN output_history o ON o.session = h.session AND o.line = h.line"
        ).fetchall()
        assert all(output == f"{source}!" for _, _, source, output in rows)
        found = {(start, line): source for start, line, source, _ in rows}
        assert len(found) == len(rows)
        return found


def test_a_history_that_is_gone_is_made_anew(tmp_path: Path) -> None:
    """With what the image's run wrote; IPython reads it."""
    base, folder = tmp_path / "profile" / "history.sqlite", tmp_path / "image"
    base.parent.mkdir()
    folder.mkdir()
    write_lines(base, {("2999-01-01 00:00:00", 1): "x = 1"})
    write_book(folder, listed(base), clock.now_ns())
    shutil.rmtree(base.parent)
    assert merge_book(folder) == ()
    assert read_lines(base) == {("2999-01-01 00:00:00", 1): "x = 1"}
    reader = HistoryAccessor(hist_file=str(base))
    with closing(reader.db):
        assert [source for _, _, source in reader.get_range(1)] == ["x = 1"]


def test_only_the_run_of_the_image_travels(tmp_path: Path) -> None:
    """Years of older history stay where they are."""
    base, folder = tmp_path / "history.sqlite", tmp_path / "image"
    folder.mkdir()
    write_lines(base, {("2001-01-01 00:00:00", 1): "old", ("2999-01-01 00:00:00", 1): "new"})
    write_book(folder, listed(base), clock.now_ns())
    (book,) = json.loads((folder / BOOK).read_text())["books"]
    assert [row[1] for row in book["sessions"]] == ["2999-01-01 00:00:00"]


def test_a_history_that_lacks_nothing_is_not_written(tmp_path: Path) -> None:
    """Not a byte of it, so no other kernel waits."""
    base, folder = tmp_path / "history.sqlite", tmp_path / "image"
    folder.mkdir()
    write_lines(base, {("2999-01-01 00:00:00", 1): "x"})
    write_book(folder, listed(base), clock.now_ns())
    before = base.read_bytes()
    merge_book(folder)
    assert base.read_bytes() == before


def test_a_copy_that_looks_unchanged_is_told_apart(tmp_path: Path) -> None:
    """The kernel remembers pages of the file it knew: it shall read those of this one."""
    base, folder = tmp_path / "history.sqlite", tmp_path / "image"
    folder.mkdir()
    write_lines(base, {("2999-01-01 00:00:00", 1): "x"})
    write_book(folder, listed(base), clock.now_ns())
    other = tmp_path / "other"
    shutil.copy(base, other)
    before = other.read_bytes()[24:28]
    other.replace(base)
    merge_book(folder)
    assert base.read_bytes()[24:28] != before


starts = st.integers(1, 4).map(lambda n: f"2999-01-0{n} 00:00:00")
histories = st.dictionaries(st.tuples(starts, st.integers(1, 3)), st.text("ab", max_size=2))


@settings(max_examples=30, deadline=None)
@given(travelled=histories, present=histories)
def test_whatever_two_histories_hold_both_are_there_in_the_end(
    tmp_path_factory: object, travelled: Lines, present: Lines
) -> None:
    """Under new numbers where others have taken theirs; what is there stays as it is."""
    tmp_path = tmp_path_factory.mktemp("book")  # type: ignore[attr-defined]
    base, folder = tmp_path / "history.sqlite", tmp_path / "image"
    folder.mkdir()
    write_lines(base, travelled)
    write_book(folder, listed(base), clock.now_ns())
    base.unlink()
    write_lines(base, present)
    for _ in range(2):
        assert merge_book(folder) == ()
        assert read_lines(base) == travelled | present


def test_a_history_under_another_name_travels_and_no_other_database_does(tmp_path: Path) -> None:
    """It is known by its tables; your own databases are never written to."""
    mine, own, folder = tmp_path / "lines.db", tmp_path / "own.db", tmp_path / "image"
    folder.mkdir()
    write_lines(mine, {("2999-01-01 00:00:00", 1): "x = 1"})
    with closing(sqlite3.connect(own)) as db, db:
        db.execute("CREATE TABLE sessions (session, start, user)")
        db.execute("CREATE TABLE history (session, line, source, source_raw)")
        db.execute("INSERT INTO sessions VALUES (1, '2999-01-01 00:00:00', 'me')")
    write_book(folder, listed(mine, own), clock.now_ns())
    books = json.loads((folder / BOOK).read_text())["books"]
    assert [book["name"] for book in books] == [str(mine)]
