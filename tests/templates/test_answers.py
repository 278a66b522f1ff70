"""Questions to the warden, and the answers they get."""

from __future__ import annotations

import json
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.kernels.templates import dormant
from jupyter_rewind.kernels.templates.warden import SOCKET

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="templates are Linux's")


class _Interrupted:
    def __init__(self, lines: Any) -> None:
        self.close = lines.close

    def readline(self) -> bytes:
        raise KeyboardInterrupt


def test_after_an_interrupt_each_question_gets_its_own_answer(tmp_path: Path) -> None:
    """The answer that nobody waited for is not taken for the next one."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / SOCKET))
    listening.listen()

    def answer() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with suppress(OSError), connection, connection.makefile("rb") as lines:
                for line in lines:
                    told = {"to": json.loads(line)["verb"]}
                    connection.sendall(json.dumps(told).encode() + b"\n")

    threading.Thread(target=answer, daemon=True).start()
    warden = dormant.Warden(str(tmp_path))
    assert warden.ask("stay") == {"to": "stay"}
    warden._lines = _Interrupted(warden._lines)
    with pytest.raises(KeyboardInterrupt):
        warden.ask("list")
    assert warden.ask("go") == {"to": "go"}
    warden.close()
    listening.close()
