"""Jupyter servers whose store has replicas: real processes, and object servers that fail."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.faces.server.announcer import Announcer
from jupyter_rewind.faces.server.replicas import Replicas
from jupyter_rewind.settings import Rewind
from tests.faces.server.test_rest import check
from tests.support import object_servers
from tests.support.fault_proxy import PASS, fault_proxy
from tests.support.servers import Server, make_patient

pytestmark = pytest.mark.slow
DEADLINE_SECONDS = 180
COMMAND = [sys.executable, "-m", "jupyter_rewind.faces.cli.app"]


class Home:
    """A user's home with a store, the servers in it and the commands."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.root.mkdir(parents=True)
        self.environment = {
            **os.environ,
            "HOME": str(folder / "home"),
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "JUPYTER_REWIND_STORE_PATH": str(folder / "store"),
            "JUPYTER_REWIND_STORE_KEY_FOLDER": str(folder / "keys"),
            "JUPYTER_REWIND_REPLICA_URL": url,
            "JUPYTER_REWIND_REPLICA_INTERVAL_SECONDS": "1",
        }
        self.servers: list[Server] = []

    def serve(self) -> Server:
        server = Server(self.root, self.environment)
        self.servers.append(server)
        server.wait()
        return server

    def run(self, *words: str) -> dict[str, Any]:
        """The data of a command's answer."""
        ended = subprocess.run(
            [*COMMAND, *words, "--json"], env=self.environment, cwd=self.root,
            capture_output=True, timeout=DEADLINE_SECONDS, check=False,
        )  # fmt: skip
        assert ended.stdout, ended.stderr.decode()
        return dict(json.loads(ended.stdout)["data"])

    def next_home(self, folder: Path) -> Home:
        """A fresh machine with the key and the address, and nothing else."""
        new = Home(folder, self.environment["JUPYTER_REWIND_REPLICA_URL"])
        shutil.copytree(self.folder / "keys", new.folder / "keys")
        return new


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Callable[[str], Home]]:
    made: list[Home] = []

    def make(url: str) -> Home:
        made.append(Home(tmp_path / f"home-{len(made)}", url))
        return made[-1]

    yield make
    for each in made:
        for server in each.servers:
            if server.process.poll() is None:
                server.process.kill()
                server.process.wait()


def health(server: Server) -> dict[str, Any]:
    """What the server says of itself, in the form that is described."""
    answer = server.ask("GET", "rewind/api/v1/health")
    check("GET", "health", 200, answer)
    return dict(answer)


def replica(server: Server) -> dict[str, Any]:
    [row] = health(server)["replicas"] or [{"state": "none"}]
    return dict(row)


def until(is_so: Callable[[], bool], told: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        assert time.monotonic() < end, told()
        time.sleep(0.1)


def until_state(server: Server, state: str) -> dict[str, Any]:
    until(lambda: replica(server)["state"] == state, lambda: replica(server))
    return replica(server)


def test_saves_travel_by_themselves(
    tmp_path: Path, home: Callable[[str], Home], seaweed: object_servers.Server,
    keys: dict[str, str],
) -> None:  # fmt: skip
    """Nobody pushes: a fresh machine has what was saved, what was saved just before the server
    ended included; health and stats tell how far behind the replica is."""
    first = home(seaweed.url(f"served-{os.getpid()}"))
    make_patient(first.folder / "config")
    server = first.serve()
    for number in range(3):
        server.put("a.ipynb", f"x = {number}")
        server.checkpoint("a.ipynb")
    until(lambda: (row := replica(server))["state"] == "current" and bool(row["pushed"]),
          lambda: replica(server))  # fmt: skip
    row = replica(server)
    assert row["behind_bytes"] == row["behind_records"] == row["behind_seconds"] == 0
    stats = server.ask("GET", "rewind/api/v1/stats")
    check("GET", "stats", 200, stats)
    assert [each["url"] for each in stats["replicas"]] == [row["url"]]
    server.put("a.ipynb", "x = 'last'")
    server.checkpoint("a.ipynb")
    server.stop()
    second = first.next_home(tmp_path / "second")
    assert second.run("replica", "pull")["replicas"][0]["made_store"]
    told = second.run("history", str(first.root / "a.ipynb"))
    assert len(told["checkpoints"]) >= 4


def test_a_server_on_a_new_machine_brings_it_by_itself(
    tmp_path: Path, home: Callable[[str], Home], keys: dict[str, str]
) -> None:
    """With the setting and the key in their places nobody pulls: what was saved elsewhere is
    there, and what is saved here goes on in the same history's store."""
    (tmp_path / "mount").mkdir()
    first = home((tmp_path / "mount").as_uri())
    make_patient(first.folder / "config")
    server = first.serve()
    server.put("a.ipynb", "x = 1")
    server.checkpoint("a.ipynb")
    server.stop()
    second = first.next_home(tmp_path / "second")
    try:
        server = second.serve()
        server.put("b.ipynb", "y = 1")
        server.checkpoint("b.ipynb")
        row = until_state(server, "current")
        assert row["error"] is None
    finally:
        for each in second.servers:
            each.stop()
    for place in (first, second):
        place.run("replica", "pull")
        for base, name in ((first, "a.ipynb"), (second, "b.ipynb")):
            assert place.run("history", str(base.root / name))["checkpoints"]


@pytest.mark.long
def test_a_server_that_refuses_costs_no_save_and_no_commit(
    tmp_path: Path, home: Callable[[str], Home], seaweed: object_servers.Server,
    keys: dict[str, str],
) -> None:  # fmt: skip
    """The server refuses for a while: each save is acknowledged, doctor says what is wrong and
    what helps, and in the end everything is there once."""
    with fault_proxy(seaweed.endpoint) as proxy:
        url = f"s3://rewind/refused-{os.getpid()}?endpoint={proxy.endpoint}&region=us-east-1"
        first = home(url)
        server = first.serve()
        server.put("a.ipynb", "x = 1")
        server.checkpoint("a.ipynb")
        until_state(server, "current")
        proxy.rule = lambda method, path: "403"
        server.put("a.ipynb", "x = 'while it refuses'")
        made = server.checkpoint("a.ipynb")
        row = until_state(server, "failing")
        assert row["behind_records"] >= 1 and row["error"]["code"] == "denied"
        assert health(server)["state"] == "limited"
        findings = first.run("doctor")["findings"]
        [found] = [each for each in findings if each["name"] == "replicas"]
        assert found["state"] == "problem" and "refuses" in found["text"] and found["mend"]
        [asked] = [each for each in findings if each["name"] == "running servers"]
        assert asked["mend"] == row["mend"] and "does not get" in asked["text"]
        proxy.rule = lambda method, path: PASS
        until_state(server, "current")
        assert made in server.sources("a.ipynb")
        server.stop()
        second = first.next_home(tmp_path / "second")
        second.run("replica", "pull")
        told = second.run("history", str(first.root / "a.ipynb"))["checkpoints"]
        assert len({each["id"] for each in told}) == len(told) == len(made_ids(first))
        assert second.run("replica", "verify", "--read-data")["replicas"][0]["ok"]


def made_ids(home: Home) -> set[str]:
    told = home.run("history", str(home.root / "a.ipynb"))["checkpoints"]
    return {each["id"] for each in told}


@pytest.mark.long
def test_two_servers_and_a_command_take_turns(
    tmp_path: Path, home: Callable[[str], Home], seaweed: object_servers.Server,
    keys: dict[str, str],
) -> None:  # fmt: skip
    """All push one store to one replica at once; nothing is lost, nothing doubles."""
    first = home(seaweed.url(f"turns-{os.getpid()}"))
    one, two = first.serve(), first.serve()
    for number in range(4):
        for name, server in (("a", one), ("b", two)):
            server.put(f"{name}.ipynb", f"x = {number}")
            server.checkpoint(f"{name}.ipynb")
        if number % 2:
            subprocess.run(
                [*COMMAND, "replica", "push"], env=first.environment, capture_output=True,
                timeout=DEADLINE_SECONDS, check=False,
            )  # fmt: skip
    one.stop()
    two.stop()
    second = first.next_home(tmp_path / "second")
    second.run("replica", "pull")
    for name in "ab":
        path = str(first.root / f"{name}.ipynb")
        here = [each["id"] for each in first.run("history", path)["checkpoints"]]
        assert [each["id"] for each in second.run("history", path)["checkpoints"]] == here
    report = second.run("replica", "verify", "--read-data")["replicas"][0]
    assert report["ok"], report


def test_a_replica_that_is_gone_keeps_no_server_from_ending(
    home: Callable[[str], Home], keys: dict[str, str]
) -> None:
    """Nobody listens at its address: saves are kept, and the server ends by itself."""
    port = object_servers.free_port()
    first = home(f"s3://rewind/gone?endpoint=http://127.0.0.1:{port}&region=us-east-1")
    server = first.serve()
    server.put("a.ipynb", "x = 1")
    server.checkpoint("a.ipynb")
    row = until_state(server, "failing")
    assert row["error"]["retryable"] and row["behind_bytes"] > 0
    server.stop()
    assert server.process.returncode in {0, -15}, server.log.read_text()
    assert "fatal" not in server.log.read_text().lower()
    assert len(made_ids(first)) >= 1


def test_without_a_replica_there_is_no_thread() -> None:
    """Who sets none pays for none."""
    for settings in (Rewind(), Rewind(replica_url="file:///x", replica_interval_seconds=0)):
        before = set(threading.enumerate())
        log = logging.getLogger("test")
        replicas = Replicas(settings, Announcer(None, log), log, lambda: 0.0)
        replicas.start()
        assert set(threading.enumerate()) <= before and replicas.rows() == []
        assert replicas.stop() and replicas.notices() == []


def test_an_address_that_is_none_is_told() -> None:
    """The server goes on; health says that nothing is pushed, and why."""
    log = logging.getLogger("test")
    replicas = Replicas(Rewind(replica_url="ftp://x/y"), Announcer(None, log), log, lambda: 0.0)
    replicas.start()
    assert replicas.stop()
    [notice] = replicas.notices()
    assert "Nothing is pushed" in notice and "ftp" in notice
