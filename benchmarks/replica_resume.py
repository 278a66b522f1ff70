"""A notebook with a state of its kernel in a replica, and `resume` on a machine that is empty."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import nbformat
from jupyter_client.blocking.client import BlockingKernelClient

from tests.support.kernels import PATIENCE, Home, running

_MAKE = "import numpy; data = numpy.random.default_rng(1).integers(0, 1 << 62, {count})"
_COMPARE = (
    "import numpy; assert (data == numpy.random.default_rng(1).integers(0, 1 << 62, {count})).all()"
)
_COMMAND = [sys.executable, "-m", "jupyter_rewind.faces.cli.app"]


class Work:
    """One user's notebook and variables of so many bytes, which were pushed to `url`."""

    def __init__(self, folder: Path, url: str, size: int) -> None:
        self._home = Home(folder)
        self._count = size // 8
        self._url = url
        self._numbers = count()
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1", id="c0")])
        nbformat.write(book, self._home.notebook)
        with running(self._home) as kernel:
            said = kernel.run(_MAKE.format(count=self._count))
            assert said.status == "ok", said
        self._run(self._home, "checkpoint", str(self._home.notebook))
        self._run(self._home, "replica", "push")

    @property
    def segments(self) -> Path:
        """What a backup of the store is to hold."""
        return self._home.folder / "data" / "rewind" / "segments"

    def resume(self) -> float:
        """Seconds from the command's start to its end on an empty machine that has the key. The
        state in its kernel is the one that was pushed."""
        home = Home(self._home.folder.with_name(f"empty-{next(self._numbers)}"))
        keys = "config/rewind-keys"
        shutil.copytree(self._home.folder / keys, home.folder / keys)
        begun = time.perf_counter()
        told = self._run(home, "resume", str(self._home.notebook), "--json")
        seconds = time.perf_counter() - begun
        found = json.loads(told)["data"]
        try:
            self._compare(found["connection_file"])
        finally:
            os.kill(found["pid"], signal.SIGKILL)
        return seconds

    def _compare(self, connection: str) -> None:
        client = BlockingKernelClient()
        client.load_connection_file(connection)
        client.start_channels(hb=False)
        try:
            client.wait_for_ready(timeout=PATIENCE)
            reply = client.execute_interactive(_COMPARE.format(count=self._count), timeout=PATIENCE)
            assert reply["content"]["status"] == "ok", reply
        finally:
            client.stop_channels()

    def _run(self, home: Home, *words: str) -> str:
        environment = {**home.environment, "JUPYTER_REWIND_REPLICA_URL": self._url}
        return subprocess.run(
            [*_COMMAND, *words], env=environment, cwd=home.notebook.parent, check=True,
            stdout=subprocess.PIPE, text=True,
        ).stdout  # fmt: skip
