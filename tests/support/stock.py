"""A person with stock Jupyter, without Rewind: a server, notebooks, kernels that really run."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.blocking import BlockingKernelClient

from tests.support.ports import free_port

TOKEN = "secret"
PATIENCE = 120.0
Cell = dict[str, Any]


def wait_until(what: str, holds: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Returns as soon as `holds`; fails when that takes longer than any machine needs."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError(f"never: {what}")


def code(source: str, *outputs: dict[str, Any], cell_id: str = "") -> Cell:
    """A code cell as the front end saves it."""
    return {
        "cell_type": "code", "execution_count": None, "id": cell_id or f"id{abs(hash(source))}",
        "metadata": {}, "outputs": list(outputs), "source": source,
    }  # fmt: skip


def text(source: str) -> Cell:
    """A Markdown cell."""
    return {
        "cell_type": "markdown", "id": f"id{abs(hash(source))}", "metadata": {}, "source": source,
    }  # fmt: skip


def book(*cells: Cell) -> dict[str, Any]:
    """A notebook of these cells."""
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@dataclass
class Running:
    """A kernel that runs for a notebook, started by the server."""

    client: BlockingKernelClient
    connection_file: Path
    pid: int = 0

    def run(self, source: str) -> list[dict[str, Any]]:
        """Runs a cell to its end; the outputs as a front end puts them under it."""
        outputs: list[dict[str, Any]] = []

        def hear(message: dict[str, Any]) -> None:
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                outputs.append({"output_type": kind, **content})
            elif kind in ("display_data", "execute_result", "error"):
                content.pop("transient", None)
                outputs.append({"output_type": kind, **content})

        self.client.execute_interactive(
            source, timeout=PATIENCE, output_hook=hear, allow_stdin=False
        )
        return outputs

    def begin(self, source: str) -> None:
        """Starts a cell and does not wait for it."""
        self.client.execute(source)

    def kill(self) -> None:
        """As the out-of-memory killer does it."""
        os.kill(self.pid, signal.SIGKILL)


@dataclass
class Stock:
    """A home folder with stock Jupyter at work in `work`."""

    home: Path
    work: Path
    python: Path
    """The interpreter of its kernels: one without Rewind."""
    flags: tuple[str, ...] = ()
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    kernels: list[Running] = field(default_factory=list)

    @property
    def environ(self) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}

    def start(self) -> None:
        """The server answers."""
        spec = self.home / ".local/share/jupyter/kernels/stock/kernel.json"
        spec.parent.mkdir(parents=True, exist_ok=True)
        argv = [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        told = {"argv": argv, "display_name": "Stock", "language": "python"}
        spec.write_text(json.dumps(told))
        self.port = free_port()
        log = self.home / "server.log"
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyter_server", "--allow-root", "--no-browser"),
                    f"--ServerApp.root_dir={self.work}", f"--port={self.port}",
                    f"--IdentityProvider.token={TOKEN}",
                    "--ServerApp.jpserver_extensions={'jupyter_rewind': False}",
                    "--FileContentsManager.always_delete_dir=True", *self.flags,
                ],
                env=self.environ, stdout=out, stderr=out,
            )  # fmt: skip
        wait_until("the server answers", self._answers)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.home / "server.log").read_text()
        try:
            self.ask("GET", "api/status")
        except OSError:
            return False
        return True

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """What the server answers, as JSON."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            raw = answer.read()
        return json.loads(raw) if raw else None

    def save(self, name: str, *cells: Cell) -> None:
        """The front end saves the notebook."""
        body = {"type": "notebook", "format": "json", "content": book(*cells)}
        self.ask("PUT", f"api/contents/{name}", body)

    def checkpoint(self, name: str) -> None:
        """The user presses Save: the front end makes Jupyter's one checkpoint."""
        self.ask("POST", f"api/contents/{name}/checkpoints")

    def delete(self, name: str) -> None:
        """The user deletes it in the file browser."""
        self.ask("DELETE", f"api/contents/{name}")

    def open(self, name: str) -> Running:
        """The front end opens the notebook: a kernel runs for it."""
        body = {
            "path": name, "name": name, "type": "notebook", "kernel": {"name": "stock"},
        }  # fmt: skip
        told = self.ask("POST", "api/sessions", body)
        runtime = self.home / ".local/share/jupyter/runtime"
        file = runtime / f"kernel-{told['kernel']['id']}.json"
        client = BlockingKernelClient(connection_file=str(file))
        client.load_connection_file()
        client.start_channels(hb=False)
        wait_until("the kernel answers", lambda: _is_ready(client))
        kernel = Running(client, file)
        self.kernels.append(kernel)
        kernel.pid = int(self._value(kernel, "__import__('os').getpid()"))
        return kernel

    @staticmethod
    def _value(kernel: Running, expression: str) -> str:
        """What an expression is in the kernel, asked without a line in the history."""
        ask = kernel.client.execute("", silent=True, user_expressions={"value": expression})
        while True:
            reply = kernel.client.get_shell_msg(timeout=PATIENCE)
            if reply["parent_header"].get("msg_id") == ask:
                return str(reply["content"]["user_expressions"]["value"]["data"]["text/plain"])

    @property
    def history(self) -> Path:
        return self.home / ".ipython/profile_default/history.sqlite"

    def wait_for_history(self, source: str) -> None:
        """Until IPython has written that cell to its history, as its thread does soon."""
        wait_until(f"{source!r} is in the history", lambda: source in self.recorded())

    def recorded(self) -> list[str]:
        """What the history holds now; of a copy, as nothing of it may be locked."""
        copy = self.home / "looked-at.sqlite"
        for suffix in ("", "-journal", "-wal"):
            # A journal goes when its commit is done.
            with suppress(FileNotFoundError):
                shutil.copy(f"{self.history}{suffix}", f"{copy}{suffix}")
        try:
            with closing(sqlite3.connect(copy)) as database:
                rows = database.execute("SELECT source_raw FROM history").fetchall()
        except sqlite3.DatabaseError:
            return []
        finally:
            for suffix in ("", "-journal", "-wal"):
                Path(f"{copy}{suffix}").unlink(missing_ok=True)
        return [row[0] for row in rows]

    def kill(self) -> None:
        """The server ends as by a power cut."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(PATIENCE)

    def stop(self) -> None:
        """The server and its kernels end."""
        while self.kernels:
            kernel = self.kernels.pop()
            kernel.client.stop_channels()
            _end(kernel.pid)
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)


def _is_ready(client: BlockingKernelClient) -> bool:
    client.kernel_info()
    try:
        client.get_shell_msg(timeout=1)
        # Until its outputs are heard too, the end of a cell could be missed.
        client.get_iopub_msg(timeout=1)
    except queue.Empty:
        return False
    return True


def _end(pid: int) -> None:
    if not pid:
        return
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
