"""Ports for servers and kernels that are started a moment after their ports were chosen."""

from __future__ import annotations

import os
import random
import socket
from itertools import count

from jupyter_client.manager import KernelManager

# Below what Linux, macOS and Windows give to whoever asks for any port, as kernels do: one of
# theirs cannot take the port before the server does.
_FIRST, _END = 20_000, 32_000
# Kernels bind five each, and many start at once: each process that runs tests has its own share.
_KERNELS_FIRST, _KERNELS_SHARE, _SHARES = 5_000, 500, 12
_counted = count(random.SystemRandom().randrange(_KERNELS_SHARE))


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


def set_ports(manager: KernelManager) -> None:
    """The manager's kernel listens where nobody else of these tests does, nor whoever asks for any
    port. The ports that Jupyter chooses are free when they are chosen, and may be somebody's
    outgoing connection a moment later, when the kernel binds them: it then ends at once."""
    manager.cache_ports = False
    for name in ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"):
        setattr(manager, name, _kernel_port())


def _kernel_port() -> int:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _SHARES
    first = _KERNELS_FIRST + worker * _KERNELS_SHARE
    return next(port for each in _counted if is_free(port := first + each % _KERNELS_SHARE))
