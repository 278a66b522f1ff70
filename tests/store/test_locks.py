"""Locks between processes, and the barrier between writers and whoever removes."""

from __future__ import annotations

import errno
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import portalocker
import pytest

from jupyter_rewind.errors import Unavailable
from jupyter_rewind.store import locks
from jupyter_rewind.store.locks import Barrier, FileLock, is_locked
from jupyter_rewind.store.repository import Repository

_HOLD = (
    "import sys; from pathlib import Path\n"
    "from jupyter_rewind.store.locks import FileLock\n"
    "lock = FileLock(Path(sys.argv[1]))\n"
    "assert lock.try_acquire(exclusive=sys.argv[2] == 'exclusive')\n"
    "print('held', flush=True); sys.stdin.read()\n"
)


@contextmanager
def held_elsewhere(path: Path, how: str) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path), how],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    """However that ends: here by SIGKILL."""
    path = tmp_path / "lock"
    with held_elsewhere(path, "exclusive") as child:
        assert is_locked(path)
        assert not FileLock(path).try_acquire(exclusive=False)
        child.kill()
        child.wait()
        assert not is_locked(path)


def test_readers_share_a_lock_and_exclude_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held_elsewhere(path, "shared"):
        lock = FileLock(path)
        assert lock.try_acquire(exclusive=False)
        lock.release()
        with pytest.raises(Unavailable, match="another process"):
            lock.acquire(exclusive=True, timeout_seconds=0.05, doing="collect")


def test_writers_pass_together_and_a_remover_alone(tmp_path: Path) -> None:
    one, two, three = (Barrier(tmp_path / "barrier") for _ in range(3))
    passed = threading.Event()

    def remove() -> None:
        with three.held(exclusive=True):
            passed.set()

    with one.held(exclusive=False), two.held(exclusive=False):
        remover = threading.Thread(target=remove)
        remover.start()
        assert not passed.wait(0.1)
    assert passed.wait(60)
    remover.join()


def test_a_writer_waits_while_another_process_removes(tmp_path: Path) -> None:
    """And then goes on; nothing is refused for a short wait."""
    repository = Repository.open(tmp_path / "store", key_folder=tmp_path / "keys")
    with repository, held_elsewhere(repository.layout.barrier, "exclusive") as child:
        begin = time.monotonic()
        threading.Timer(0.3, child.kill).start()
        with repository.transaction() as tx:
            tx.add("note", keys=[], body={})
        assert time.monotonic() - begin > 0.2


def test_a_store_that_stays_locked_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Barrier, "_SECONDS", 0.1)
    with Repository.open(tmp_path / "store", key_folder=tmp_path / "keys") as repository:
        with (
            held_elsewhere(repository.layout.barrier, "exclusive"),
            pytest.raises(Unavailable) as caught,
            repository.transaction() as tx,
        ):
            tx.add("note", keys=[], body={})
        assert caught.value.retryable
        assert repository.entries() == []


@pytest.fixture(params=["by the system's call", "by portalocker"])
def without_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that knows no locks, asked in either way."""

    def unsupported(*_: object) -> None:
        error = OSError(errno.ENOLCK, "no locks")
        if request.param == "by portalocker":
            raise portalocker.exceptions.LockException(error)
        raise error

    if request.param == "by portalocker":
        monkeypatch.setattr(portalocker, "lock", unsupported)
        flags = portalocker.LockFlags.SHARED, portalocker.LockFlags.EXCLUSIVE
        calls = locks._portalocker_calls(flags)
    else:
        calls = locks._system_calls(unsupported, (1, 2), 8)
    monkeypatch.setattr(locks, "_calls", lambda: calls)


@pytest.mark.usefixtures("without_locks")
def test_without_locks_writers_go_on_and_removers_do_not(tmp_path: Path) -> None:
    """On file systems that know no locks checkpoints are safe, and nothing is collected."""
    with Repository.open(tmp_path / "store", key_folder=tmp_path / "keys") as repository:
        with repository.transaction() as tx:
            tx.add("note", keys=[], body={})
        with pytest.raises(Unavailable) as caught, repository.transaction(exclusive=True):
            pass
        assert caught.value.code == "no_locks"
        assert len(repository.entries()) == 1


def test_a_lock_taken_through_portalocker_keeps_others_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where portalocker names no system call its own functions keep the same locks."""
    mode = portalocker.LockFlags.NON_BLOCKING
    flags = mode | portalocker.LockFlags.SHARED, mode | portalocker.LockFlags.EXCLUSIVE
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.try_acquire(exclusive=True)
    with monkeypatch.context() as patch:
        patch.setattr(locks, "_calls", lambda: locks._portalocker_calls(flags))
        assert not second.try_acquire(exclusive=True)
        assert not second.try_acquire(exclusive=False)
        first.unlock()
        assert second.try_acquire(exclusive=False)
    assert first.try_acquire(exclusive=False)
    assert not first.try_acquire(exclusive=True)
    first.release()
    second.release()


def test_who_asks_whether_a_lock_is_held_is_not_taken_for_its_holder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server and a command that look at a run at the same moment find that it has ended."""
    path, release = tmp_path / "lock", FileLock.release
    told: list[object] = []

    def release_late(lock: FileLock, **options: bool) -> None:
        if not told:
            told.append("asked")
            told.append(is_locked(path))
        release(lock, **options)

    path.touch()
    monkeypatch.setattr(FileLock, "release", release_late)
    assert not is_locked(path)
    assert told == ["asked", False]


def test_nothing_is_locked_where_there_is_no_lock(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "never")
    assert not any(tmp_path.iterdir())
