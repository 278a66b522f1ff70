"""Real server processes on one store: side by side, stopped, and killed in the middle of saves."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import Server, make_patient

pytestmark = pytest.mark.slow


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    make_patient(tmp_path / "config")
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


def save_at_full_speed(server: Server, name: str, count: int) -> set[str]:
    """The sources of the saves that were answered."""
    answered = set()
    for number in range(count):
        source = f"{name} = {number:03}"
        # Jupyter's own two writers may be in each other's way, and it says so.
        with contextlib.suppress(urllib.error.HTTPError):
            server.put("a.ipynb", source)
            answered.add(source)
    return answered


def settled(server: Server, answered: set[str]) -> list[str]:
    """What the history holds, once all that was answered is in it or the time is up."""
    until = time.monotonic() + 90
    known: dict[str, str] = {}
    while True:
        listed = [one["id"] for one in server.ask("GET", "api/contents/a.ipynb/checkpoints")]
        for ref in listed:
            known[ref] = known.get(ref) or server.source("a.ipynb", ref)
        found = [known[ref] for ref in listed]
        if answered <= set(found) or time.monotonic() > until:
            return found
        time.sleep(0.2)


def test_two_servers_that_save_one_notebook_at_the_same_time_keep_each_save_once(
    start: Any,
) -> None:
    """Each overwrites what the other has just written: every save that was answered is kept, and
    none of them a second time as a change from outside."""
    one, two = start(2)
    with ThreadPoolExecutor(2) as threads:
        saving = [
            threads.submit(save_at_full_speed, one, "one", 60),
            threads.submit(save_at_full_speed, two, "two", 60),
        ]
        answered = saving[0].result() | saving[1].result()
    assert len(answered) > 60
    settled(two, answered)
    found = settled(one, answered)
    assert answered <= set(found)
    assert [source for source, times in Counter(found).items() if times > 1] == []


HOOK = """
import time

def tidy(os_path, model, **_):
    if model["type"] == "notebook":
        with open(os_path, encoding="utf-8") as file:
            text = file.read()
        time.sleep(0.003)
        with open(os_path, "w", encoding="utf-8") as file:
            file.write(text.replace("secret", "******"))

c = get_config()
c.FileContentsManager.post_save_hook = tidy
c.AsyncFileContentsManager.post_save_hook = tidy
"""


def test_two_servers_with_a_hook_that_writes_the_file_anew_keep_each_save(
    start: Any, tmp_path: Path
) -> None:
    """Many format or strip a notebook after each save: what that leaves is kept, and not what the
    other server has written since. The lengths differ, so a mixture of two would not read."""
    make_patient(tmp_path / "config", HOOK)
    one, two = start(2)
    one.put("a.ipynb", "first = secret")
    two.put("a.ipynb", "second = secret")
    with ThreadPoolExecutor(2) as threads:
        saving = [
            threads.submit(save_at_full_speed, one, "secret of one", 40),
            threads.submit(save_at_full_speed, two, "secret of the other", 40),
        ]
        answered = saving[0].result() | saving[1].result()
    assert len(answered) == 80
    expected = {source.replace("secret", "******") for source in answered}
    settled(two, expected)
    found = settled(one, expected)
    assert expected <= set(found)
    assert [source for source, times in Counter(found).items() if times > 1] == []
    assert not any("secret" in source for source in found)


def test_a_watcher_beside_a_server_tells_no_save_a_second_time(
    start: Any, environment: dict[str, str]
) -> None:
    """`jupyter rewind watch` sees the file that the server has just written; it is one save."""
    (server,) = start()
    command = [
        sys.executable,
        "-u",
        "-m",
        "jupyter_rewind.faces.cli.app",
        "watch",
        str(server.root),
    ]
    watcher = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    try:
        assert watcher.stdout is not None
        assert b"Watching" in watcher.stdout.readline()
        answered = set()
        for number in range(6):
            answered |= save_at_full_speed(server, f"r{number}", 12)
            time.sleep(0.1 * number)  # the watcher reads a file that has come to rest
        found = settled(server, answered)
    finally:
        watcher.terminate()
        watcher.communicate(timeout=60)
    assert answered <= set(found)
    assert [source for source, times in Counter(found).items() if times > 1] == []


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
