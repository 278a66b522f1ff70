"""Servers that host their kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.support.kernels import Home
from tests.support.servers import Server


@contextmanager
def hosting_servers(home: Home) -> Iterator[Callable[..., Server]]:
    """Starts them over the home folder; they are stopped at the end."""
    running: list[Server] = []

    def started(*flags: str, host: str = "True") -> Server:
        root = home.notebook.parent
        server = Server(root, home.environment, f"--Rewind.kernels_host={host}", *flags)
        running.append(server)
        server.wait()
        return server

    yield started
    for server in running:
        server.stop()
