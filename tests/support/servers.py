"""`jupyter server` as a process of its own, and the requests that go to it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import nbformat

from tests.support.ports import free_port

TOKEN = "secret"
PATIENCE = 120.0
#: Installed as well, and asked for by no request here: a third of a server's start.
FRONT_ENDS = (
    "jupyterlab",
    "jupyter_lsp",
    "jupyterlab_jupytext",
    "nbdime",
    "notebook",
    "notebook_shim",
)
EXTENSIONS = {"jupyter_rewind": True, **dict.fromkeys(FRONT_ENDS, False)}
#: On a machine that is busy, what a user waits for is too short: a list would be answered without
#: what was saved just before, a save would not wait for one that another server is at, and at its
#: end a server would leave undone what it could do in a moment.
PATIENT = f"""
from jupyter_rewind.faces.server import catalogue, checkpoints, recorder, replicas, turns
from jupyter_rewind.faces.server.handlers import base

for module in (base, checkpoints, turns):
    module.PATIENCE_SECONDS = {PATIENCE}
for module in (catalogue, replicas):
    module.STOP_SECONDS = module._STOP_SECONDS = {PATIENCE / 2}
recorder.Recorder.stop.__defaults__ = ({PATIENCE / 2},)
"""


def make_patient(folder: Path, more: str = "") -> None:
    """Servers that have `folder` for JUPYTER_CONFIG_DIR wait for as long as it takes."""
    folder.mkdir(exist_ok=True)
    (folder / "jupyter_server_config.py").write_text(PATIENT + more)


class Server:
    """One `jupyter server` process and the requests that go to it."""

    def __init__(self, root: Path, environment: dict[str, str], *flags: str) -> None:
        self.port = free_port()
        self.root = root
        self.log = root.parent / f"server-{self.port}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-X", "faulthandler", "-m", "jupyter_server"),
                    *("--allow-root", "--no-browser"),
                    f"--ServerApp.root_dir={root}",
                    *(f"--port={self.port}", "--ServerApp.port_retries=0"),
                    f"--IdentityProvider.token={TOKEN}",
                    f"--ServerApp.jpserver_extensions={EXTENSIONS}",
                    *flags,
                ],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait(self, seconds: float = PATIENCE) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                self.ask("GET", "api/status")
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
            else:
                return
        raise AssertionError(self.log.read_text())

    def ask(self, method: str, path: str, body: object = None, agent: str = "tests") -> Any:
        """The JSON that comes back. Raises urllib.error.HTTPError for a refusal."""
        raw = self.fetch(method, path, body, agent)
        return json.loads(raw) if raw else None

    def fetch(self, method: str, path: str, body: object = None, agent: str = "tests") -> bytes:
        """The bytes that come back."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{urllib.parse.quote(path, safe='/?=&%')}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {TOKEN}", "User-Agent": agent},
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            return bytes(response.read())

    def put(self, path: str, source: str) -> None:
        nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source, id="c0")])
        body = {"type": "notebook", "format": "json", "content": nb}
        self.ask("PUT", f"api/contents/{path}", body)

    def checkpoint(self, path: str) -> str:
        return str(self.ask("POST", f"api/contents/{path}/checkpoints")["id"])

    def sources(self, path: str) -> dict[str, str]:
        """Source of the only cell by checkpoint id, oldest first."""
        found = self.ask("GET", f"api/contents/{path}/checkpoints")
        return {each["id"]: self.source(path, each["id"]) for each in found}

    def source(self, path: str, ref: str) -> str:
        query = urllib.parse.urlencode({"path": path, "ref": ref})
        cell = self.ask("GET", f"rewind/api/v1/content?{query}")["content"]["cells"][0]
        return "".join(cell["source"])

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            # Its log tells then where each of its threads was.
            self.process.send_signal(signal.SIGABRT)
            self.process.wait(PATIENCE)
            raise AssertionError(self.log.read_text()) from None
