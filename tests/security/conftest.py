"""A server that speaks S3, shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import object_servers


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object_servers.Server]:
    with object_servers.moto(tmp_path_factory.mktemp("moto")) as server:
        yield server
