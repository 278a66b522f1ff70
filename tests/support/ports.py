"""Ports for servers and kernels that are started a moment after their ports were chosen."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from itertools import count

from jupyter_client.manager import KernelManager

# Below what Linux, macOS and Windows give to whoever asks for any port, as kernels do: one of
# theirs cannot take the port before the server does. Each process that runs tests has its own
# share, and gives none of it away twice before it has given away all: what was chosen is free yet
# when its server listens, and stays nobody's where no server shall.
_SHARES = 12
_FIRST, _SHARE = 20_000, 1_000
_KERNELS_FIRST, _KERNELS_SHARE = 5_000, 500
_PAIRS_FIRST, _PAIRS_SHARE, _APART = 19_000, 80, 10_000
_counted = count(random.SystemRandom().randrange(_SHARE))
_counted_for_pairs = count(random.SystemRandom().randrange(_PAIRS_SHARE))
_counted_for_kernels = count(random.SystemRandom().randrange(_KERNELS_SHARE))


def free_port() -> int:
    """One that nobody listens at."""
    return _next_free(_FIRST, _SHARE, _counted)


def free_pair() -> int:
    """One that nobody listens at, nor at the port ten thousand above."""
    while not is_free((low := _next_free(_PAIRS_FIRST, _PAIRS_SHARE, _counted_for_pairs)) + _APART):
        pass
    return low


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
        setattr(manager, name, _next_free(_KERNELS_FIRST, _KERNELS_SHARE, _counted_for_kernels))


def _next_free(first: int, share: int, counted: Iterator[int]) -> int:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _SHARES
    first += worker * share
    return next(port for each in counted if is_free(port := first + each % share))
