"""One database server for all tests of the catalogue; each has a database of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support.postgres import PASSWORD, Postgres, postgres


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """A server with a group of users, `scientists`: ada and bob; and somebody else, eve."""
    with postgres() as found:
        found.sql(
            "CREATE ROLE scientists",
            *(f"CREATE ROLE {one} LOGIN PASSWORD '{PASSWORD}'" for one in ("ada", "bob", "eve")),
            "GRANT scientists TO ada, bob",
        )
        yield found


@pytest.fixture
def database(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> Postgres:
    """An empty database; the password stands where libpq's programs look for it."""
    for name in list(os.environ):
        if name.startswith(("PG", "JUPYTERHUB")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    server.sql("DROP DATABASE hub WITH (FORCE)", "CREATE DATABASE hub", database="postgres")
    return server
