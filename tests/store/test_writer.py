"""The one writer of a segment: what it promises, and what it does when the disk does not."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path

import pytest

from jupyter_rewind.errors import Full, Unavailable
from jupyter_rewind.store import chunks, room, writer
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.locks import is_locked
from jupyter_rewind.store.repository import Repository
from tests.crash.scenarios import noise
from tests.support.scenario import Run, true_to


def _rebuilt(run: Run) -> None:
    with Repository.open(
        run.root / "store", key_folder=run.root / "keys", index_path=run.root / "none" / "index"
    ) as repository:
        true_to(repository, run.ledger)


def test_a_writer_at_work_can_be_told_from_a_dead_one(tmp_path: Path) -> None:
    run = Run(tmp_path, Files())
    repository = run.open()
    run.save(repository, b"x")
    lock = repository.layout.lock_of(repository.writer.segment)
    assert is_locked(lock)
    repository.close()
    assert not lock.exists()


def test_a_closed_segment_has_no_room_held_ready(tmp_path: Path) -> None:
    """A megabyte a process would add up."""
    run = Run(tmp_path, Files())
    with run.open() as repository:
        run.save(repository, b"x")
        path = repository.layout.segments / repository.writer.segment
        assert path.stat().st_size >= room.RESERVE
    assert path.stat().st_size < 1000


def test_a_writer_that_committed_nothing_leaves_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path, Files())
    with run.open() as repository, repository.transaction() as tx:
        tx.put(b"named by nothing")
    assert not list(repository.layout.segments.iterdir())
    assert not [path for path in repository.layout.locks.iterdir() if len(path.name) == 16]


def test_a_large_segment_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_SEGMENT", 4000)
    run = Run(tmp_path, Files())
    with run.open() as repository:
        for number in range(10):
            run.save(repository, noise(number, 1500))
            true_to(repository, run.ledger)
        assert len(list(repository.layout.segments.iterdir())) > 2
    _rebuilt(run)


def test_process_safe_commits_reach_the_disk_in_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one too, although no other follows it, and one made while a sync runs."""
    monkeypatch.setattr(writer, "GROUP_SECONDS", 0.05)
    syncing, go_on = threading.Event(), threading.Event()

    class Slow(Files):
        def sync_data(self, descriptor: int, path: Path) -> None:
            if threading.current_thread() is not threading.main_thread():
                syncing.set()
                go_on.wait(60)
            super().sync_data(descriptor, path)

    run = Run(tmp_path, Slow(), durability="process")
    with run.open() as repository:
        run.save(repository, b"first")
        assert syncing.wait(60)
        run.save(repository, b"during the sync")
        go_on.set()
        end = time.monotonic() + 60
        while repository.writer._synced < repository.writer._end and time.monotonic() < end:
            time.sleep(0.01)
        assert repository.writer._synced == repository.writer._end
        _rebuilt(run)


def test_a_failed_group_sync_moves_on_to_a_new_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not in the middle of a commit."""
    monkeypatch.setattr(writer, "GROUP_SECONDS", 3600.0)
    broken = threading.Event()

    class Broken(Files):
        def sync_data(self, descriptor: int, path: Path) -> None:
            if broken.is_set() and path.parent.name == "segments":
                raise Unavailable("no sync")
            super().sync_data(descriptor, path)

    run = Run(tmp_path, Broken(), durability="process")
    with run.open() as repository:
        run.save(repository, b"first")
        segment = repository.writer.segment
        with repository.transaction() as tx:
            names = tx.put(noise(1, 500))
            broken.set()
            with pytest.raises(Unavailable):
                repository.writer.sync_now()
            broken.clear()
            entry = tx.add("note", keys=[], body={}, roots=names)
        assert repository.writer.segment == segment
        assert repository.get(repository.entry(entry.id).roots[0]) == noise(1, 500)
        with repository.transaction() as tx:
            tx.add("note", keys=[], body={})
        assert repository.writer.segment != segment


def test_room_made_of_zeros_falls_on_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without fallocate and with a nearly full disk, commits stand behind the room held ready."""
    monkeypatch.setattr(room, "RESERVE", 1 << 12)
    full = True

    class Tight(Files):
        def reserve(self, descriptor: int, offset: int, size: int, path: Path) -> None:
            if full and offset:
                raise Full("Could not reserve")
            self.write_at(descriptor, [bytes(size)], offset, path)

    run = Run(tmp_path, Tight())
    with run.open() as repository:
        for number in range(4):
            run.save(repository, noise(number, 3000))
        full = False
        for number in range(4, 8):
            run.save(repository, noise(number, 3000))
        true_to(repository, run.ledger)
        _rebuilt(run)


def test_a_sync_that_fails_is_not_built_on(tmp_path: Path) -> None:
    """What it was to keep is not taken for stored by the next save, also by another process that
    has seen it: on NFS a full disk is told by the sync, and what was written is then dropped."""
    fail = False

    class Nfs(Files):
        def sync_data(self, descriptor: int, path: Path) -> None:
            if fail and path.parent.name == "segments":
                two.refresh()
                raise Full("Could not flush: no room")
            super().sync_data(descriptor, path)

    run = Run(tmp_path, Nfs())
    with run.open() as one, run.open() as two:
        fail = True
        with pytest.raises(Full):
            run.save(one, noise(1, 900))
        fail, gone = False, one.writer.segment
        kept = [run.save(two, noise(1, 900)), run.save(one, noise(1, 900))]
        assert one.writer.segment != gone
        assert not (one.layout.segments / gone).exists()
        two.refresh()
        for name in kept:
            assert two.get(two.entry(name).roots[0]) == noise(1, 900)


def test_a_folder_that_is_not_synced_gets_no_commit(tmp_path: Path) -> None:
    """The name of a segment is durable before anything in it is promised."""
    fail = False

    class Lazy(Files):
        def sync_folder(self, path: Path) -> None:
            if fail and path.name == "segments":
                raise Unavailable("no")
            super().sync_folder(path)

    run = Run(tmp_path, Lazy())
    with run.open() as repository:
        fail = True
        for _ in range(2):
            with pytest.raises(Unavailable):
                run.save(repository, b"x")
        assert not list(repository.layout.segments.iterdir())
        fail = False
        run.save(repository, b"x")
        true_to(repository, run.ledger)


def test_an_aborted_flush_leaves_nothing_to_believe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records that were written and given up lie behind the end, and stay unread."""
    monkeypatch.setattr(writer, "_STAGE", 1000)
    run = Run(tmp_path, Files())
    with run.open() as repository:
        run.save(repository, b"first")
        with pytest.raises(ZeroDivisionError), repository.transaction() as tx:
            for number in range(10):
                tx.put(noise(number, 900))
            raise ZeroDivisionError
        assert not repository.has(chunks.digest(noise(0, 900)))
        run.save(repository, noise(0, 100))
        true_to(repository, run.ledger)
        _rebuilt(run)
        run.save(repository, *(noise(number, 900) for number in range(10)))
        _rebuilt(run)


def test_a_quota_counts_as_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(tmp_path, Files())
    with run.open() as repository:
        run.save(repository, b"x")

        def over(*_: object) -> int:
            raise OSError(errno.EDQUOT, "quota")

        with monkeypatch.context() as patch, pytest.raises(Full):
            patch.setattr(os, "pwrite", over)
            run.save(repository, b"y")
        run.save(repository, b"z")
        true_to(repository, run.ledger)
