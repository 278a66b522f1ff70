"""Notebooks as files on a disk: what is read, what is refused, and which file is which."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import (
    InvalidInput,
    NotFound,
    Unavailable,
)
from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.notebooks.documents import (
    checkpoint_document,
    read_document,
    undelete_document,
)
from jupyter_rewind.notebooks.history import Histories
from tests.notebooks.support import make_cell, make_notebook, save


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "analysis.ipynb"


def test_a_file_that_is_not_there_is_not_found(histories: Histories, path: Path) -> None:
    with pytest.raises(NotFound, match=str(path)):
        read_document(path)
    with pytest.raises(NotFound):
        checkpoint_document(histories, path, reason=Reason.MANUAL)
    assert histories.find(str(path)) is None


def test_a_file_above_the_limit_is_refused_with_words(histories: Histories, path: Path) -> None:
    path.write_bytes(make_notebook("x" * 4000))
    with pytest.raises(InvalidInput, match=r"notebooks\.max_file_mb"):
        checkpoint_document(histories, path, reason=Reason.MANUAL, max_bytes=1000)
    assert histories.find(str(path)) is None


def test_a_file_that_never_rests_is_unavailable_rather_than_torn(path: Path) -> None:
    """A log that grows all the time cannot be read as of one moment."""
    path.write_bytes(b"0")
    stop = threading.Event()

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"x")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        for _ in range(20):
            try:
                raw = read_document(path).raw
            except Unavailable as error:
                assert error.retryable
                assert str(path) in error.message
            else:
                assert raw.startswith(b"0")
    finally:
        stop.set()
        writer.join()


def test_a_template_copied_over_a_freed_inode_begins_a_history(
    histories: Histories, folder: Path
) -> None:
    """Deleted homework can be brought back, whatever got its place on the disk."""
    first, second = folder / "hw1.ipynb", folder / "hw2.ipynb"
    rest = [make_cell(f"t{number}", f"x = {number}") for number in range(9)]
    mine = save(histories, first, make_notebook(make_cell("t", "my answer"), *rest))
    inode = first.stat().st_ino
    first.unlink()
    for _ in range(50):
        second.write_bytes(make_notebook(make_cell("t", "answer here"), *rest))
        if second.stat().st_ino == inode:
            break
        second.rename(folder / f"other{clock.new_id()}")
    else:  # another program's file got that place: this one begins a history all the same
        second.write_bytes(make_notebook(make_cell("t", "answer here"), *rest))
    made = checkpoint_document(histories, second, reason=Reason.SAVE).checkpoint
    assert made.history != mine.history
    undelete_document(histories, str(first))
    assert first.read_bytes() == histories.read(mine)


def test_a_file_moved_with_another_program_and_edited_keeps_its_history(
    histories: Histories, folder: Path
) -> None:
    first, second = folder / "a.ipynb", folder / "b.ipynb"
    mine = save(histories, first, make_notebook("1", "2", "3"))
    first.rename(second)
    made = save(histories, second, make_notebook("1", "2", "33"))
    assert made.history == mine.history


def test_a_folder_is_no_file(histories: Histories, folder: Path) -> None:
    with pytest.raises(InvalidInput, match="no regular file"):
        checkpoint_document(histories, folder, reason=Reason.MANUAL)


def test_a_pipe_is_refused_at_once(histories: Histories, folder: Path) -> None:
    """Nobody writes to it, so reading would last for ever."""
    os.mkfifo(folder / "pipe.ipynb")
    with pytest.raises(InvalidInput, match="no regular file"):
        checkpoint_document(histories, folder / "pipe.ipynb", reason=Reason.MANUAL)
    assert histories.all() == []


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero"])
def test_a_device_is_refused(histories: Histories, device: str) -> None:
    with pytest.raises(InvalidInput, match="no regular file"):
        checkpoint_document(histories, Path(device), reason=Reason.MANUAL)
    assert histories.all() == []


def test_a_file_that_holds_more_than_it_says_is_read_whole_and_within_the_limit() -> None:
    """Files of the kernel say that they have no bytes."""
    path = Path("/proc/self/maps")
    assert path.stat().st_size == 0
    assert read_document(path).raw.endswith(b"\n")
    with pytest.raises(InvalidInput, match="more than"):
        read_document(path, 100)


_LEND = """
import fcntl, os, signal, sys
file = os.open(sys.argv[1], os.O_RDWR)
signal.signal(signal.SIGIO, lambda *_: fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK))
try:
    fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
except OSError:
    print("none", flush=True)
print("lent", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="files are lent like this on Linux only")
def test_a_file_that_a_file_server_has_lent_to_somebody_is_waited_for(path: Path) -> None:
    """It gives the file back as soon as somebody asks for it and waits."""
    path.write_bytes(b"text")
    with subprocess.Popen(
        [sys.executable, "-c", _LEND, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as lender:  # fmt: skip
        assert lender.stdout is not None
        told = lender.stdout.readline().strip()
        try:
            assert read_document(path).raw == b"text"
        finally:
            lender.communicate()
    if told == "none":
        pytest.skip("this file system lends no files")
