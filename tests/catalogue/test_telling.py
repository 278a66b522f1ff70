"""Servers that tell a hub's catalogue, and the command of its administrator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faces.cli.test_schema import check
from tests.support.kernels import eventually
from tests.support.postgres import Postgres
from tests.support.servers import Server, make_patient

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("postgres")]
COMMAND = [sys.executable, "-m", "jupyter_rewind.faces.cli.app"]


class Hub:
    """One user's home, and the administrator's command."""

    def __init__(self, folder: Path, database: Postgres) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.root.mkdir()
        (folder / "mount").mkdir()
        make_patient(folder / "config")
        self.database = database
        self.environment = {
            **os.environ,
            "HOME": str(folder),
            "JUPYTERHUB_USER": "ada",
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "JUPYTER_REWIND_CATALOGUE_URL": database.url("ada"),
            "JUPYTER_REWIND_CATALOGUE_INTERVAL_SECONDS": "1",
            "JUPYTER_REWIND_REPLICA_URL": (folder / "mount").as_uri(),
            "JUPYTER_REWIND_REPLICA_INTERVAL_SECONDS": "1",
            "JUPYTER_REWIND_STORE_QUOTA": "1 GB",
        }

    def run(self, *words: str, login: str = "admin", status: int = 0) -> str:
        """What the command puts out, or says of its failure."""
        more = {"JUPYTER_REWIND_CATALOGUE_URL": self.database.url(login)}
        ended = subprocess.run(
            [*COMMAND, *words], env={**self.environment, **more}, cwd=self.root, text=True,
            capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        assert ended.returncode == status, ended.stderr
        return ended.stderr if status else ended.stdout

    def users(self) -> list[dict[str, Any]]:
        """The rows, for programs."""
        return list(check(self.run("catalogue", "--json"))["data"]["users"])


@pytest.fixture
def hub(tmp_path: Path, database: Postgres) -> Hub:
    return Hub(tmp_path, database)


def test_an_administrator_sees_who_keeps_how_much_and_never_what(hub: Hub) -> None:
    """A server writes its row by itself while it runs, and as it ends; no name of a notebook and
    nothing of what is in one goes there."""
    made = check(hub.run("catalogue", "create", "scientists", "--json"))["data"]
    assert made == {"action": "create", "role": "scientists", "shared": False}
    assert hub.users() == []
    server = Server(hub.root, hub.environment)
    try:
        server.wait()
        for number in range(3):
            server.put("salaries.ipynb", f"secret = {number}")
        eventually(
            lambda: any(each["checkpoints"] for each in hub.users()), "the row has been written"
        )
        assert server.ask("GET", "rewind/api/v1/health")["notices"] == []
        server.put("salaries.ipynb", "secret = 'the last'")
    finally:
        server.stop()
    [row] = hub.users()
    history = json.loads(hub.run("history", "salaries.ipynb", "--json"))["data"]["checkpoints"]
    assert row["user"] == "ada" and row["histories"] == 1
    assert row["checkpoints"] == len(history)
    assert row["used_bytes"] > 0 and row["quota_bytes"] == 10**9
    [replica] = row["replicas"]
    assert replica["url"] == (hub.folder / "mount").as_uri()
    assert replica["behind_bytes"] == 0
    lines = hub.run("catalogue").splitlines()
    assert len(lines) == 2 and lines[1].startswith("ada\t") and lines[1].endswith("\tno")
    words = str(hub.database.sql("SELECT t::text FROM jupyter_rewind_users_1 t"))
    assert "ada" in words
    assert "salaries" not in words and "secret" not in words
    assert "ada stands there" in hub.run("doctor", login="ada")
    assert hub.run("catalogue", "forget", "ada") and hub.users() == []


def test_without_the_database_all_is_kept_as_ever(hub: Hub) -> None:
    """The server says what is wrong, once, and tells the catalogue again when it is there."""
    server = Server(hub.root, hub.environment)
    try:
        server.wait()

        def notices() -> str:
            return " ".join(server.ask("GET", "rewind/api/v1/health")["notices"])

        eventually(lambda: "catalogue create ROLE" in notices(), "the missing table is told")
        server.put("a.ipynb", "x = 1")
        assert len(server.sources("a.ipynb")) >= 1
        hub.run("catalogue", "create", "scientists")
        eventually(lambda: "catalogue" not in notices(), "it is written")
        [row] = hub.users()
        assert row["checkpoints"] >= 1
        assert server.log.read_text().count("The catalogue is not told") == 1
    finally:
        server.stop()


def test_the_command_says_what_it_wants(hub: Hub) -> None:
    """Wrong use, a missing table, a login that may not."""
    assert "name of a role" in hub.run("catalogue", "create", status=2)
    assert "shows all users" in hub.run("catalogue", "list", "ada", status=2)
    assert "--shared goes with create" in hub.run(
        "catalogue", "forget", "ada", "--shared", status=2
    )
    assert "catalogue create ROLE" in hub.run("catalogue", status=3)
    assert "catalogue create ROLE" in hub.run("doctor")
    hub.run("catalogue", "create", "scientists")
    assert "does not take that from this login" in hub.run("catalogue", login="eve", status=6)
    assert "nothing of bob" in hub.run("catalogue", "forget", "bob", status=3)
