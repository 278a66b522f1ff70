"""The index can be thrown away: whatever happens to it, the segments tell the same."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_rewind.store import index as index_module
from jupyter_rewind.store.durable import Files
from tests.support.scenario import Run, true_to


def _filled(tmp_path: Path, count: int = 40) -> Run:
    run = Run(tmp_path / "work", Files())
    run.root.mkdir()
    with run.open() as repository:
        for number in range(count):
            run.save(repository, b"content %d" % number * 20)
    return run


def _path(run: Run) -> Path:
    return run.root.parent / "index.sqlite"


def _remove(path: Path) -> None:
    path.unlink()


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _not_a_database(path: Path) -> None:
    path.write_bytes(b"no database at all " * 500)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _garbage_pages(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for at in range(4096, len(data), 4096):
        data[at : at + 4096] = random.Random(at).randbytes(len(data[at : at + 4096]))
    path.write_bytes(bytes(data))


def _a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _of_another_store(path: Path) -> None:
    with sqlite3.connect(path) as base:
        base.execute("UPDATE meta SET value='other' WHERE name='store'")
        base.execute("DELETE FROM entries")


def _before_the_machine_went_down(path: Path) -> None:
    """What it names may never have reached the disk."""
    with sqlite3.connect(path) as base:
        base.execute("UPDATE meta SET value='earlier' WHERE name='boot'")
        base.execute("UPDATE segments SET scanned=1000000000, synced=1000000000")


def _another_schema(path: Path) -> None:
    with sqlite3.connect(path) as base:
        base.execute("DROP TABLE entries")
        base.execute("CREATE TABLE entries(x)")


SPOILERS: list[Callable[[Path], None]] = [
    _remove, _empty, _zeros, _not_a_database, _cut, _garbage_pages, _a_folder, _of_another_store,
    _before_the_machine_went_down, _another_schema,
]  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILERS)
def test_a_spoilt_index_changes_no_answer(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """All is listed and read as before, and the next save lands."""
    run = _filled(tmp_path)
    spoil(_path(run))
    with run.open() as repository:
        true_to(repository, run.ledger)
        run.save(repository, b"after")
        true_to(repository, run.ledger)
    with run.open() as repository:
        true_to(repository, run.ledger)


@pytest.mark.parametrize("spoil", [_remove, _zeros, _cut, _garbage_pages])
def test_an_index_spoilt_under_a_writer_changes_no_answer(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    """Also where two have it open, and a third opens it afterwards."""
    run = _filled(tmp_path)
    with run.open() as one, run.open() as two:
        run.save(one, b"both see it")
        true_to(two, run.ledger)
        spoil(_path(run))
        for number in range(3):
            run.save(one, b"one %d" % number)
            true_to(two, run.ledger)
            run.save(two, b"two %d" % number)
            true_to(one, run.ledger)
        with run.open() as three:
            true_to(three, run.ledger)
            run.save(three, b"three")
            true_to(one, run.ledger)


def _a_notebook(path: Path) -> None:
    path.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')


def _a_database(path: Path) -> None:
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE meta(name TEXT, value TEXT)")
        base.execute("INSERT INTO meta VALUES('mine', 'precious')")


@pytest.mark.parametrize("make", [_a_notebook, _a_database])
def test_a_file_of_the_user_that_the_index_is_to_lie_in_stays_as_it_is(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    """Byte for byte; the index lies beside it, and is used again."""
    run = _filled(tmp_path)
    make(_path(run))
    before = _path(run).read_bytes()
    for number in range(2):
        with run.open() as repository:
            true_to(repository, run.ledger)
            run.save(repository, b"after %d" % number)
            with repository.index() as index:
                assert not index.in_memory and index.path != _path(run)
    assert _path(run).read_bytes() == before
    assert {each.name for each in tmp_path.glob("index*")} - {index.path.name} == {"index.sqlite"}


def test_two_stores_that_are_to_share_an_index_have_one_each(tmp_path: Path) -> None:
    """What one keeps while a command looks at the other is in its history afterwards."""
    here, there = _filled(tmp_path, 5), Run(tmp_path / "other", Files())
    there.root.mkdir()
    assert _path(here) == _path(there)
    with here.open() as served:
        with there.open() as other:
            there.save(other, b"theirs")
            true_to(other, there.ledger)
        here.save(served, b"ours")
        true_to(served, here.ledger)
    _remove(_path(here))
    with here.open() as again:
        true_to(again, here.ledger)


def test_a_store_and_its_copy_do_not_share_an_index(tmp_path: Path) -> None:
    """A copy has the store's id: what is kept in one of them is not in the other."""
    run = _filled(tmp_path, 5)
    run.open().close()
    shutil.copytree(run.root, tmp_path / "copied")
    copied = Run(tmp_path / "copied", Files())
    with run.open() as repository, copied.open() as copy:
        run.save(repository, b"after the copy was made")
        assert len(copy.entries()) == len(repository.entries()) - 1
        true_to(repository, run.ledger)


def test_a_row_that_does_not_read_is_read_anew(tmp_path: Path) -> None:
    run = _filled(tmp_path, 5)
    with sqlite3.connect(_path(run)) as base:
        base.execute("UPDATE entries SET body='{', roots=x'00'")
    with run.open() as repository:
        assert len(repository.entries()) == 5
        true_to(repository, run.ledger)


def test_a_place_without_an_index_is_worked_from_memory(tmp_path: Path) -> None:
    run = Run(tmp_path / "work", Files())
    run.root.mkdir()
    with run.open(index="../" * 20 + "proc/nowhere/x") as repository:
        run.save(repository, b"x")
        true_to(repository, run.ledger)
        with repository.index() as index:
            assert index.in_memory


def test_a_full_disk_stops_the_index_and_not_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The segments have room held ready; the index goes on in memory."""
    run = _filled(tmp_path)
    with run.open() as repository:
        with repository.index() as index:
            pages = index._base.execute("PRAGMA page_count").fetchone()[0]
            index._base.execute(f"PRAGMA max_page_count={pages}")
        for number in range(60):
            run.save(repository, b"more %d" % number * 300)
            if number % 10 == 0:
                true_to(repository, run.ledger)
        true_to(repository, run.ledger)
        with repository.index() as index:
            assert index.in_memory


def test_an_index_that_others_keep_locked_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _filled(tmp_path, 5)
    connect = sqlite3.connect
    monkeypatch.setattr(
        index_module.sqlite3, "connect", lambda *a, **k: connect(*a, **{**k, "timeout": 0.05})
    )
    holder = connect(_path(run), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with run.open() as repository:
        true_to(repository, run.ledger)
        run.save(repository, b"x")
        true_to(repository, run.ledger)
    holder.close()


def test_the_index_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        run = _filled(tmp_path, 2)
        with run.open() as repository:
            run.save(repository, b"x")
            repository.entries()
            for path in tmp_path.glob("index.sqlite*"):
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    finally:
        os.umask(before)


def test_a_half_read_own_commit_is_not_lost_from_view(tmp_path: Path) -> None:
    """Another process may have read the first of two commits that wait for the index."""
    run = Run(tmp_path / "work", Files())
    run.root.mkdir()
    with run.open() as one, run.open() as two:
        run.save(one, b"a")
        two.refresh()
        run.save(one, b"b")
        assert {entry.id for entry in one.entries()} == run.ledger.acked


def test_an_index_begun_anew_hears_of_every_own_commit(tmp_path: Path) -> None:
    run = Run(tmp_path / "work", Files())
    run.root.mkdir()
    with run.open() as one, run.open() as two:
        for number in range(3):
            run.save(one, b"a%d" % number)
            one.entries()
        run.save(one, b"pending")
        with two.index() as index:
            index.clear()
        assert {entry.id for entry in one.entries()} == run.ledger.acked


def test_a_segment_that_became_shorter_is_read_anew(tmp_path: Path) -> None:
    """What stood behind its new end is remembered as lost, and nothing is built on it."""
    run = _filled(tmp_path, 6)
    (segment,) = (run.root / "store" / "segments").iterdir()
    with run.open() as repository:
        with repository.reader(segment.name) as reader:
            ends = [batch.end for batch in reader.scan(0).batches]
        os.truncate(segment, ends[2] + 10)
        repository.refresh()
        assert repository.gaps()
        again = run.save(repository, b"content 5" * 20)
        assert repository.get(repository.entry(again).roots[0]) == b"content 5" * 20
    shutil.rmtree(run.root / "store" / "locks")
    _path(run).unlink()
    with run.open() as repository:
        repository.refresh()
        assert repository.get(repository.entry(again).roots[0]) == b"content 5" * 20


def test_two_processes_share_an_index(tmp_path: Path) -> None:
    run = _filled(tmp_path, 3)
    code = (
        "import sys; from pathlib import Path\n"
        "from tests.support.scenario import Run\n"
        "from jupyter_rewind.store.durable import Files\n"
        "run = Run(Path(sys.argv[1]), Files())\n"
        "with run.open() as r:\n"
        "    for n in range(20):\n"
        "        run.save(r, b'child %d' % n)\n"
        "        r.refresh(); assert len(r.entries()) >= 4 + n\n"
    )
    root = Path(__file__).parents[2]
    child = subprocess.Popen([sys.executable, "-c", code, str(run.root)], cwd=root)
    with run.open() as repository:
        for number in range(20):
            run.save(repository, b"parent %d" % number)
            repository.refresh()
            assert len(repository.entries()) >= 4 + number
        assert child.wait(180) == 0
        repository.refresh()
        assert len(repository.entries()) == 43
