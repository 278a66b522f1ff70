"""A kernel of a real server that makes images, and the commands that make them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
from jupyter_client.blocking.client import BlockingKernelClient

from jupyter_rewind.faces.cli import app
from jupyter_rewind.kernels.hosting.record import Place
from tests.support.kernels import PATIENCE, Home
from tests.support.servers import Server

NOTEBOOK = "analysis.ipynb"
SCHEMA = Path(app.__file__).with_name("output.schema.json")


@contextmanager
def client_of(connection: Path) -> Iterator[BlockingKernelClient]:
    """A client of the kernel with this connection file."""
    kernel = BlockingKernelClient()
    kernel.load_connection_file(str(connection))
    kernel.start_channels(hb=False)
    try:
        kernel.wait_for_ready(timeout=PATIENCE)
        yield kernel
    finally:
        kernel.stop_channels()


def run_in(connection: Path, source: str) -> str:
    """What the cell prints in the kernel with this connection file, or its error."""
    said: list[str] = []

    def hear(message: dict[str, Any]) -> None:
        content = message["content"]
        said.append(content.get("text", "") or content.get("evalue", ""))

    with client_of(connection) as kernel:
        kernel.execute_interactive(source, output_hook=hear, timeout=PATIENCE)
    return "".join(said)


class Imaged:
    """A notebook's kernel in a server that makes images, and the command that makes them."""

    def __init__(
        self, home: Home, server: Server, environment: dict[str, str], kernel: str
    ) -> None:
        self.home = home
        self.server = server
        self._environment = environment
        server.put(NOTEBOOK, "1")
        body = {
            "path": NOTEBOOK,
            "name": NOTEBOOK,
            "type": "notebook",
            "kernel": {"name": kernel},
        }
        self.session = server.ask("POST", "api/sessions", body)
        self.kernel = str(self.session["kernel"]["id"])
        self.connection = home.folder / "runtime" / f"kernel-{self.kernel}.json"
        self.place = Place(self.connection, self.kernel)

    @contextmanager
    def client(self) -> Iterator[BlockingKernelClient]:
        with client_of(self.connection) as kernel:
            yield kernel

    def run(self, source: str) -> str:
        """What the cell prints, or its error."""
        return run_in(self.connection, source)

    def command(self, *words: str, status: int = 0, **more: str) -> dict[str, Any]:
        """What `jupyter rewind image` answers; its error where it ends with another status."""
        return self.rewind("image", *words, status=status, **more)

    @contextmanager
    def another_server(self, *flags: str) -> Iterator[None]:
        """The server is killed, and another one takes its place."""
        self.server.stop(signal.SIGKILL)
        self.server = Server(self.home.notebook.parent, self._environment, *flags)
        try:
            self.server.wait()
            yield
        finally:
            self.server.stop()

    def words(self, *words: str) -> str:
        """What `jupyter rewind image` says to a user."""
        return self.said("image", *words)

    def said(self, *words: str) -> str:
        """What another command says to a user."""
        command = [sys.executable, "-m", "jupyter_rewind.faces.cli.app", *words]
        return subprocess.run(
            command, env={**self._environment, "COLUMNS": "300"}, cwd=self.home.notebook.parent,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE * 2,
            check=True,
        ).stdout  # fmt: skip

    def begin(self, *words: str, **more: str) -> subprocess.Popen[bytes]:
        """A command that runs."""
        return subprocess.Popen(
            [sys.executable, "-m", "jupyter_rewind.faces.cli.app", *words],
            env={**self._environment, **more},
            cwd=self.home.notebook.parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def rewind(self, *words: str, status: int = 0, **more: str) -> dict[str, Any]:
        """What another command answers."""
        done = subprocess.run(
            [sys.executable, "-m", "jupyter_rewind.faces.cli.app", *words, "--json"],
            env={**self._environment, **more},
            cwd=self.home.notebook.parent,
            capture_output=True,
            text=True,
            timeout=PATIENCE * 2,
        )
        assert done.returncode == status, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout or done.stderr)
        jsonschema.validate(found, json.loads(SCHEMA.read_text()))
        return dict(found.get("data", found))
