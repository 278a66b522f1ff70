"""What the keeper of a kernel's room runs there."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from jupyter_rewind.kernels.hosting import keeper
from tests.support.kernels import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="rooms are Linux's")


def is_gone(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] in "ZX"
    except OSError:
        return True


def test_a_tool_that_is_killed_takes_along_what_it_started(tmp_path: Path) -> None:
    """A helper that stands still, with the tool's output open, holds nobody up and is gone."""
    left = tmp_path / "left"
    helper = f"sh -c 'echo $$ > {left}; kill -STOP $$' & while [ ! -s {left} ]; do :; done"
    found = keeper._run(["sh", "-c", f"{helper}; echo said; kill -9 $$"], 10)
    assert found == {"error": "exit status -9", "tail": "said\n"}
    eventually(lambda: is_gone(int(left.read_text())), "the helper is gone")


def test_a_tool_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    assert "within 0 seconds" in str(keeper._run(["sleep", "9"], 0.2)["error"])


def test_what_a_process_has_in_memory_or_open_is_told_by_name(tmp_path: Path) -> None:
    """Nothing of one that has ended."""
    assert any(name.startswith("libc") for name in keeper._mapped(os.getpid()))
    with open(tmp_path / "a file", "w"):
        assert "a file" in keeper._open(os.getpid())
    assert keeper._mapped(2**22 + 1) == keeper._open(2**22 + 1) == set()


def test_whoever_finds_the_keepers_socket_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has its name only when somebody listens: to ask in between would be refused."""
    seen = []

    class Watched(socket.socket):
        def listen(self, *words: int) -> None:
            seen.append((tmp_path / keeper.CONTROL).exists())
            super().listen(*words)

    monkeypatch.setattr(keeper.socket, "socket", Watched)
    kept = keeper.Keeper(str(tmp_path))
    with socket.socket(socket.AF_UNIX) as asks:
        asks.connect(str(tmp_path / keeper.CONTROL))
    assert seen == [False]
    assert (tmp_path / keeper.CONTROL).stat().st_mode & 0o077 == 0
    kept._socket.close()
    os.close(kept._folder)


def test_a_kernel_in_a_room_hears_signals_that_its_keeper_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a cell starts ends by terminate(), as anywhere."""
    monkeypatch.setattr(keeper, "set_last_pid", lambda _: None)
    kept = keeper.Keeper(str(tmp_path))
    was = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        asks = "import signal; print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)"
        kept.start([sys.executable, "-c", asks])
        os.waitpid(kept.kernel, 0)
    finally:
        signal.signal(signal.SIGTERM, was)
        kept._socket.close()
        os.close(kept._folder)
    assert (tmp_path / keeper.LOG).read_text() == "True\n"
