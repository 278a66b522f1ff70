"""A real PostgreSQL server on 127.0.0.1, started by the tests and ended by its id."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.ports import free_port

PASSWORD = "not-for-anybody-1749"
_DEADLINE_SECONDS = 120


@dataclass(frozen=True)
class Postgres:
    """A server at work. Every login has the same password; `admin` owns the database `hub`."""

    port: int
    process: subprocess.Popen[bytes]

    def url(self, login: str, database: str = "hub") -> str:
        return f"postgresql://{login}@127.0.0.1:{self.port}/{database}"

    def sql(self, *statements: str, database: str = "hub") -> list[tuple[Any, ...]]:
        """The rows of the last statement, done by the administrator."""
        with psycopg.connect(
            self.url("admin", database), password=PASSWORD, autocommit=True
        ) as open_:
            for statement in statements:
                found = open_.execute(statement.encode())
            return found.fetchall() if found.description else []


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """An empty database `hub` on a server of its own."""
    initdb, server = _find("initdb"), _find("postgres")
    someone = _someone()
    # Not in pytest's folder, which only root may enter where root runs the tests.
    with tempfile.TemporaryDirectory(prefix="rewind-postgres-") as folder:
        data = Path(folder, "data")
        words = Path(folder, "password")
        words.write_text(PASSWORD)
        for each in (Path(folder), words):
            if "user" in someone:
                os.chown(each, someone["user"], someone["group"])
        made = subprocess.run(
            [
                initdb, "-D", data, "-U", "admin", "--auth=scram-sha-256", f"--pwfile={words}",
                "--encoding=UTF8", "--locale=C", "--no-sync",
            ],
            capture_output=True, check=False, cwd=folder, **someone,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr.decode()
        port = free_port()
        with open(Path(folder, "log"), "wb") as log:
            process = subprocess.Popen(
                [
                    server, "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1",
                    "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=20",
                ],
                stdout=log, stderr=log, cwd=folder, **someone,
            )  # fmt: skip
        found = Postgres(port, process)
        try:
            _wait(found, Path(folder, "log"))
            found.sql("CREATE DATABASE hub", database="postgres")
            yield found
        finally:
            process.send_signal(signal.SIGINT)  # fast: whoever is connected is not waited for
            process.wait(_DEADLINE_SECONDS)


def _wait(server: Postgres, log: Path) -> None:
    until = time.monotonic() + _DEADLINE_SECONDS
    while True:
        try:
            server.sql("SELECT 1", database="postgres")
            return
        except psycopg.OperationalError as error:
            if server.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{error}\n{log.read_text(errors='replace')[-2000:]}") from error
            time.sleep(0.05)


def _someone() -> dict[str, Any]:
    """PostgreSQL refuses to work for root."""
    if os.getuid():
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    pytest.skip("PostgreSQL does not work for root, and there is nobody else here")


def _find(program: str) -> str:
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), reverse=True)
    found = str(places[0]) if places else shutil.which(program)
    if not found:
        pytest.skip("PostgreSQL is not installed (./test does it where apt-get is there)")
    return found
