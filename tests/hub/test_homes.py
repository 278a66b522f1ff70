"""Homes as hubs give them: one that cannot be written to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from shutil import which
from typing import Any

import nbformat
import pytest

from tests.support.ports import free_port
from tests.support.processes import anybodys_folder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not hasattr(os, "getuid") or (os.getuid() == 0 and not which("setpriv")),
        reason="needs permissions that hold: not root, or setpriv to give up root's rights",
    ),
]
DEADLINE_SECONDS = 120
TOKEN = "for-the-tests"


class Server:
    """A server of a user whose home cannot be written to."""

    def __init__(self, folder: Path, **settings: str) -> None:
        (folder / "home").mkdir(exist_ok=True)
        (folder / "home").chmod(0o555)
        work = folder / "work"
        work.mkdir(exist_ok=True)
        work.chmod(0o777)
        self.port = free_port()
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "XDG"))},
            "HOME": str(folder / "home"),
            # Jupyter itself saves nothing where it cannot write to this one.
            "JUPYTER_DATA_DIR": str(work / "data"),
            "JUPYTER_TOKEN": TOKEN,
            **settings,
        }
        # Root whom the permissions of files stop.
        lesser = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]
        command = [
            *(lesser if os.getuid() == 0 else []),
            sys.executable, "-m", "jupyter_server", f"--ServerApp.root_dir={work}",
            f"--port={self.port}", "--allow-root",
            "--ServerApp.jpserver_extensions={'jupyter_rewind': True}",
        ]  # fmt: skip
        self.log = (work / "log").open("wb")
        self.process = subprocess.Popen(
            command, env=environment, cwd=work, stdout=self.log, stderr=self.log
        )  # fmt: skip
        end = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                self.ask("GET", "api/status")
                return
            except OSError:
                assert time.monotonic() < end, (work / "log").read_text()
                time.sleep(0.2)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {TOKEN}"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def save(self, source: str) -> None:
        nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source, id="c0")])
        body = {"type": "notebook", "format": "json", "content": nb}
        self.ask("PUT", "api/contents/a.ipynb", body)

    def health(self, state: str) -> Any:
        """What it says of itself, once it says this."""
        end = time.monotonic() + DEADLINE_SECONDS
        while (found := self.ask("GET", "rewind/api/v1/health"))["state"] != state:
            assert time.monotonic() < end, found
            time.sleep(0.2)
        return found

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(DEADLINE_SECONDS)
        self.log.close()


def test_a_home_that_cannot_be_written_to_costs_no_save() -> None:
    """Where the key cannot be made nothing is kept: the save succeeds, and health says what is
    wrong and where. With one setting everything is kept elsewhere."""
    with anybodys_folder() as folder:
        server = Server(folder)
        try:
            server.save("x = 1")
            found = server.health("failing")
            assert not found["keeps"] and str(folder / "home") in json.dumps(found["store"])
        finally:
            server.stop()
        scratch = folder / "scratch"
        scratch.mkdir()
        scratch.chmod(0o777)
        server = Server(folder, JUPYTER_REWIND_STORE_KEY_FOLDER=str(scratch / "keys"))
        try:
            server.save("x = 2")
            server.ask("POST", "api/contents/a.ipynb/checkpoints")
            assert server.health("ok")["keeps"]
            assert server.ask("GET", "api/contents/a.ipynb/checkpoints")
        finally:
            server.stop()
        assert list((folder / "home").iterdir()) == []
