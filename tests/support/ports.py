"""Ports for servers that are started a moment after their port was chosen."""

from __future__ import annotations

import random
import socket

# Below what Linux, macOS and Windows give to whoever asks for any port, as kernels do: one of
# theirs cannot take the port before the server does.
_FIRST, _END = 20_000, 32_000


def free_port() -> int:
    """One that nobody listens at."""
    drawn = random.SystemRandom()
    while True:
        port = drawn.randrange(_FIRST, _END)
        if is_free(port):
            return port


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
