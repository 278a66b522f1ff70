"""Places for replicas: a memory, a folder, moto, SeaweedFS; each test has a prefix of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from jupyter_rewind.model.ids import StoreId
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.replica.address import open_objects, parse_address
from jupyter_rewind.store.replica.cloud import CloudObjects
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.sealing import SealedObjects
from tests.support import object_servers
from tests.support.ceph import PLACE
from tests.support.ceph import ceph as begin_ceph
from tests.support.object_servers import KEYS, Server
from tests.support.replicas import Line, lead_through

_COUNT = itertools.count()
KINDS = ["memory", "folder", "moto", "seaweed", "azurite", "sealed", *(["ceph"] if PLACE else [])]
"""Ceph is begun where it was asked for."""


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with object_servers.moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with object_servers.seaweed(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with object_servers.azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.fixture(scope="session")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with begin_ceph(tmp_path_factory.mktemp("ceph")) as server:
        yield server


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The servers' credentials stand in the environment, and no others do."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (*KEYS.items(), *object_servers.AZURE_KEYS.items()):
        monkeypatch.setenv(name, value)
    return KEYS


@pytest.fixture
def place(
    request: pytest.FixtureRequest, tmp_path: Path, keys: dict[str, str]
) -> Callable[[str], str]:
    """Makes the address of a fresh, empty place of the kind that is asked for."""

    def make(kind: str) -> str:
        if kind == "folder":
            folder = tmp_path / f"replica-{next(_COUNT)}"
            folder.mkdir()
            return folder.as_uri()
        server: Server = request.getfixturevalue(kind)
        return server.url(f"prefix-{next(_COUNT)}")

    return make


@pytest.fixture(params=KINDS)
def objects(request: pytest.FixtureRequest, place: Callable[[str], str]) -> Objects:
    """An empty place of each kind."""
    if request.param == "memory":
        return CloudObjects(MemoryStore(), "memory")
    if request.param == "sealed":
        layout = Layout(Path("nowhere"), StoreId("5" * 32), bytes(range(32)))
        return SealedObjects(CloudObjects(MemoryStore(), "memory"), layout, "0" * 16)
    return open_objects(parse_address(place(request.param)))


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    """The way to an empty memory, for whoever opens a replica by its address, too."""
    line = Line(CloudObjects(MemoryStore(), "memory"))
    lead_through(line, monkeypatch, asks_at_once=True)
    return line
