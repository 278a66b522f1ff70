"""Whatever stands in the files of traces: an answer or an error of ours, in bounded time."""

from __future__ import annotations

import contextlib
import io
import random
import tarfile
import tempfile
import zipfile
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_rewind.errors import RewindError
from jupyter_rewind.recovery.archives import Member, notebooks_in, read_member
from jupyter_rewind.recovery.copying import journal_pages
from jupyter_rewind.recovery.evidence import Hints, Scope
from jupyter_rewind.recovery.fileids import read_file_ids
from jupyter_rewind.recovery.historyfiles import Stream, load
from jupyter_rewind.recovery.kernelquestions import listens
from jupyter_rewind.recovery.runtime import read_connection
from tests.support.histories import make_history

FUZZ = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
JOURNAL = bytes.fromhex("d9d505f920a163d7")


@cache
def whole() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.sqlite"
        make_history(
            path, [[f"x_{s}_{n} = {n}\n" * (1 + n % 90) for n in range(9)] for s in range(8)]
        )
        return path.read_bytes()


wounds = st.lists(
    st.tuples(st.floats(0, 1), st.one_of(st.binary(min_size=1, max_size=40), st.just(bytes(600)))),
    max_size=8,
)


def wounded(data: bytes, cuts: list[tuple[float, bytes]]) -> bytes:
    raw = bytearray(data)
    for place, piece in cuts:
        at = int(place * len(raw))
        raw[at : at + len(piece)] = piece
    return bytes(raw)


@FUZZ
@given(
    cuts=wounds,
    cut=st.floats(0, 1),
    journal=st.one_of(st.none(), st.binary(max_size=9000), st.integers(0, 1 << 32)),
    wal=st.one_of(st.none(), st.binary(max_size=5000)),
)
def test_no_history_breaks_the_reader(
    cuts: list[tuple[float, bytes]], cut: float, journal: bytes | int | None, wal: bytes | None
) -> None:
    """A damaged history with any journal beside it is read, or refused in words."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.sqlite"
        data = wounded(whole(), cuts)
        path.write_bytes(data[: int(len(data) * max(cut, 0.2))])
        if isinstance(journal, int):
            body = random.Random(journal).randbytes(4096 * 3)
            journal = (
                JOURNAL + body[:12] + (512).to_bytes(4, "big") + (4096).to_bytes(4, "big") + body
            )
        for suffix, content in (("-journal", journal), ("-wal", wal)):
            if content is not None:
                Path(f"{path}{suffix}").write_bytes(content)
        scope = Scope(None, Path(folder), Path(folder), Path(folder), hints=Hints(frozenset({"x"})))
        try:
            load(path, scope)
            list(Stream(path, scope))
        except RewindError as error:
            assert error.message


@FUZZ
@given(st.one_of(st.binary(max_size=3000), st.binary(max_size=3000).map(JOURNAL.__add__)))
def test_no_journal_breaks_its_reader(content: bytes) -> None:
    """A journal of any bytes gives pages or none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x-journal"
        path.write_bytes(content)
        assert all(number > 0 for number in journal_pages(path))


members = st.dictionaries(
    st.sampled_from(["ip", "hb_port", "key", "jupyter_session", "kernel_name", "transport"]),
    st.one_of(st.none(), st.text(max_size=9), st.integers(-9, 70_000), st.lists(st.integers())),
)


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300), members.map(lambda told: repr(told).replace("'", '"').encode())
    )
)
def test_no_connection_file_breaks_its_reader(content: bytes) -> None:
    """A connection file of any bytes is read or refused; nobody is asked because of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel-1.json"
        path.write_bytes(content)
        try:
            found = read_connection(path)
        except (ValueError, OSError):
            assert not listens(path)
            return
        assert isinstance(found.notebook, str)


@cache
def archive(suffix: str) -> bytes:
    made, raw = io.BytesIO(), b'{"cells": []}' * 40
    if suffix == ".zip":
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("a/x.ipynb", raw)
            file.writestr("y.ipynb", raw)
        return made.getvalue()
    with tarfile.open(fileobj=made, mode=f"w:{suffix[5:]}") as tar:
        for name in ("a/x.ipynb", "y.ipynb"):
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            tar.addfile(member, io.BytesIO(raw))
    return made.getvalue()


@FUZZ
@given(
    st.sampled_from([".zip", ".tar", ".tar.gz", ".tar.bz2", ".tar.xz"]), wounds, st.floats(0, 1.1)
)
def test_no_archive_breaks_its_reader(
    suffix: str, cuts: list[tuple[float, bytes]], cut: float
) -> None:
    """An archive of any bytes gives what reads of it, or an error that is told."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"backup{suffix}"
        raw = wounded(archive(suffix), cuts)
        path.write_bytes(raw[: int(cut * len(raw))])
        found: list[Member] = []
        with contextlib.suppress(RewindError, OSError):
            found.extend(notebooks_in(path))
        for each in found:
            with contextlib.suppress(RewindError, OSError):
                assert isinstance(read_member(path, each.name), bytes)
        with contextlib.suppress(RewindError, OSError):
            read_member(path, "")


@FUZZ
@given(cuts=wounds)
def test_no_table_of_file_ids_breaks_its_reader(cuts: list[tuple[float, bytes]]) -> None:
    """A database that is no table of file ids gives nothing, or an error that is told."""
    import sqlite3

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file_id_manager.db"
        path.write_bytes(wounded(whole(), cuts))
        scope = Scope(None, Path(folder), Path(folder), Path(folder))
        try:
            assert read_file_ids(path, scope) == []
        except (sqlite3.DatabaseError, RewindError):
            return


@FUZZ
@given(cuts=wounds)
def test_no_store_of_collaboration_breaks_its_reader(cuts: list[tuple[float, bytes]]) -> None:
    """A damaged store of collaboration gives what reads of it, or an error that is told."""
    import sqlite3

    from jupyter_rewind.recovery.ysalvage import copy_store
    from jupyter_rewind.recovery.ystore import read_keys, read_updates

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ".jupyter_ystore.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE yupdates (path TEXT, yupdate BLOB, timestamp REAL)")
            connection.execute("INSERT INTO yupdates VALUES ('.notebook:a.y', x'0102', 1.5)")
            connection.commit()
        path.write_bytes(wounded(path.read_bytes(), cuts))
        try:
            store = copy_store(path, Path(folder)).path
            for key in read_keys(store):
                read_updates(store, key)
        except sqlite3.DatabaseError:
            return


def test_history_whose_tables_names_are_no_text_gives_its_rows() -> None:
    """A history damaged in its table of tables is read page by page."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.sqlite"
        make_history(path, [[f"x_{n} = {n}" for n in range(9)]])
        raw = path.read_bytes().replace(b"sessionssessions", b"ses\xffionsses\xffions")
        path.write_bytes(raw.replace(b"CREATE TABLE", b"CREATX TABLE"))
        scope = Scope(None, Path(folder), Path(folder), Path(folder))
        found, _ = load(path, scope)
        assert found is not None
        assert "x_3 = 3" in found.lines.values()
        assert "x_3 = 3" in {ran.source for ran in Stream(path, scope)}


def test_names_of_tables_that_are_no_text_are_damage() -> None:
    """A store of which even the table's name was damaged is told to be damaged."""
    import sqlite3

    from jupyter_rewind.recovery.ystore import read_keys

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ".jupyter_ystore.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE yupdates (path TEXT, yupdate BLOB, timestamp REAL)")
            connection.commit()
        raw = path.read_bytes().replace(b"yupdatesyupdates", b"yup\xffatesyup\xffates")
        path.write_bytes(raw.replace(b"CREATE TABLE", b"CREATX TABLE"))
        with pytest.raises(sqlite3.DatabaseError):
            read_keys(path)
