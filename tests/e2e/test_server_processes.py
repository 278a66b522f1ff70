"""Real server processes on one store: side by side, stopped, and killed in the middle of saves."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

pytestmark = pytest.mark.slow

TOKEN = "secret"


class Server:
    """One `jupyter server` process and the requests that go to it."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.root = root
        self.log = root.parent / f"server-{self.port}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyter_server", "--allow-root", "--no-browser"),
                    f"--ServerApp.root_dir={root}",
                    f"--port={self.port}",
                    f"--IdentityProvider.token={TOKEN}",
                    "--ServerApp.jpserver_extensions={'jupyter_rewind': True}",
                ],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait(self, seconds: float = 120) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                self.ask("GET", "api/status")
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(self.log.read_text())

    def ask(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {TOKEN}", "User-Agent": "tests"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            raw = response.read()
        return json.loads(raw) if raw else None

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
        self.process.wait(30)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "HOME": str(tmp_path / "home"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "JUPYTER_REWIND_STORE_PATH": str(tmp_path / "store"),
        "JUPYTER_REWIND_STORE_KEY_FOLDER": str(tmp_path / "keys"),
    }


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Iterator[Any]:
    servers: list[Server] = []
    root = tmp_path / "root"
    root.mkdir()

    def begin(count: int = 1) -> list[Server]:
        started = [Server(root, environment) for _ in range(count)]
        servers.extend(started)
        for server in started:
            server.wait()
        return started

    yield begin
    for server in servers:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


def test_two_servers_on_one_store_see_each_others_checkpoints(start: Any) -> None:
    """Saves through either server stand in one history, in the order they happened."""
    one, two = start(2)
    for number in range(6):
        server = (one, two)[number % 2]
        server.put("a.ipynb", f"x = {number}")
        server.checkpoint("a.ipynb")
    expected = [f"x = {number}" for number in range(6)]
    assert list(one.sources("a.ipynb").values()) == expected
    assert list(two.sources("a.ipynb").values()) == expected


@pytest.mark.crash
def test_no_acknowledged_checkpoint_is_lost_when_the_server_is_killed(start: Any) -> None:
    """kill -9 between two saves: every checkpoint the server answered for is there afterwards."""
    (server,) = start()
    acknowledged = {}
    for number in range(20):
        server.put("a.ipynb", f"x = {number}")
        acknowledged[server.checkpoint("a.ipynb")] = f"x = {number}"
    server.put("a.ipynb", "not acknowledged")
    server.stop(signal.SIGKILL)
    (server,) = start()
    found = server.sources("a.ipynb")
    assert {key: found.get(key) for key in acknowledged} == acknowledged


def test_a_stopped_server_has_kept_every_save(start: Any) -> None:
    """SIGTERM right after the last of thirty saves: all of them are kept."""
    (server,) = start()
    for number in range(30):
        server.put("a.ipynb", f"x = {number}")
    server.stop()
    (server,) = start()
    assert list(server.sources("a.ipynb").values()) == [f"x = {number}" for number in range(30)]
