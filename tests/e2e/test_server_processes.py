"""Real server processes on one store: side by side, stopped, and killed in the middle of saves."""

from __future__ import annotations

import os
import signal
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import Server

pytestmark = pytest.mark.slow


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


def test_two_servers_that_save_one_notebook_at_the_same_time_lose_no_save(start: Any) -> None:
    """Each overwrites what the other has just written: every save that was answered is kept."""
    one, two = start(2)
    one.put("a.ipynb", "x = 0")
    answered: set[str] = set()

    def save_on(server: Any, name: str) -> None:
        for number in range(60):
            source = f"{name} = {number}"
            try:
                server.put("a.ipynb", source)
            except urllib.error.HTTPError:
                continue  # Jupyter's own two writers were in each other's way, and it says so
            answered.add(source)

    with ThreadPoolExecutor(2) as threads:
        for saving in [threads.submit(save_on, one, "one"), threads.submit(save_on, two, "two")]:
            saving.result()
    assert len(answered) > 60
    one.checkpoint("a.ipynb")
    two.checkpoint("a.ipynb")
    assert answered <= set(one.sources("a.ipynb").values())


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
