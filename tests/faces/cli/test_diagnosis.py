"""doctor and the servers it asks."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.faces.cli.conftest import Rewind

FAILING = {
    "state": "failing",
    "store": {
        "path": "/s",
        "open": True,
        "error": {"message": "It is full.", "hint": "Free some."},
    },
    "last_failure": "Could not keep a checkpoint of a.ipynb: it is full.",
    "notices": [],
}


class _Answer(BaseHTTPRequestHandler):
    asked: list[tuple[str, str | None]]
    redirects = False

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Authorization")))
        if self.redirects and self.path != "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(FAILING).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(home: Path) -> Iterator[type[_Answer]]:
    """A server of the user's, by its runtime file, that answers with `FAILING`."""
    kind = type("Answer", (_Answer,), {"asked": []})
    served = HTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    (home / "runtime").mkdir()
    url = f"http://127.0.0.1:{served.server_port}/"
    facts = {"url": url, "pid": os.getpid(), "token": "secret"}
    (home / "runtime" / "jpserver-1.json").write_text(json.dumps(facts))
    yield kind
    served.shutdown()
    thread.join()
    served.server_close()


def _told(rewind: Rewind) -> dict[str, Any]:
    findings = rewind("doctor", "--json").data["findings"]
    found: dict[str, Any] = next(each for each in findings if each["name"] == "running servers")
    return found


def test_doctor_tells_of_a_server_whose_checkpoints_fail(
    server: type[_Answer], rewind: Rewind
) -> None:
    """A server that cannot store what is saved is a problem, with its reason and what helps."""
    found = _told(rewind)
    assert found["state"] == "problem"
    assert "It is full." in found["text"]
    assert found["mend"] == "Free some."


def test_doctor_gives_the_token_to_nobody_else(server: type[_Answer], rewind: Rewind) -> None:
    """Where a server answers with a redirect, the token does not go there."""
    server.redirects = True
    found = _told(rewind)
    assert [path for path, _ in server.asked] == ["/rewind/api/v1/health"]
    assert found["state"] == "note"


@pytest.mark.parametrize("hurt", ["key", "config", "segments"])
def test_a_store_that_no_command_can_open_is_a_problem(
    hurt: str, home: Path, rewind: Rewind
) -> None:
    """What every other command says of it, doctor says too."""
    Path("a.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    assert rewind("checkpoint", "a.ipynb").status == 0
    store = home / "data" / "rewind"
    if hurt == "key":
        [key] = (home / "config" / "rewind-keys").iterdir()
        key.write_bytes(bytes(32))
    elif hurt == "config":
        (store / "config").unlink()
    else:
        shutil.rmtree(store / "segments")
    told = rewind("history", "a.ipynb")
    assert told.status in (5, 6)
    found = rewind("doctor", "--json").data["findings"]
    [problem] = [each for each in found if each["name"] == "store"]
    assert problem["state"] == "problem"
    assert problem["text"] in told.err


def test_doctor_names_what_a_killed_restore_left(work: Path, rewind: Rewind) -> None:
    """With the command that removes what is stopped for sure; what may be in use is left alone."""
    assert "left-overs" not in rewind("doctor").out
    name = ".a b.ipynb.0123456789abcdef.rewind-tmp"
    fresh = ".c.ipynb.0123456789abcdef.rewind-tmp"
    for each in (name, fresh):
        (work / each).write_bytes(b"bytes")
    days_ago = time.time() - 2 * 86_400
    os.utime(work / name, (days_ago, days_ago))
    findings = rewind("doctor", "--json").data["findings"]
    stopped, running = [each for each in findings if each["name"] == "left-overs"]
    assert name in stopped["text"] and fresh not in stopped["text"]
    assert stopped["mend"] == f"rm -- '{name}'"
    assert fresh in running["text"] and "may be running now" in running["text"]
    assert not running["mend"]
