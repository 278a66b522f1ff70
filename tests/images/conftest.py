"""Kernels whose images are made by the real CRIU."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_rewind.kernels.hosting.record import places
from tests.support.criu import require_criu
from tests.support.imaged import Imaged
from tests.support.kernels import Home
from tests.support.servers import Server


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    found = Home(tmp_path)
    yield found
    for place in places(tmp_path / "runtime"):
        hosted = place.read()
        if hosted is not None and hosted.is_alive:
            os.kill(hosted.process.pid, signal.SIGKILL)


@pytest.fixture
def start(home: Home) -> Iterator[Callable[..., Imaged]]:
    criu = require_criu()
    running: list[Server] = []

    def started(kernel: str = "python3", *flags: str, criu: str = criu.path, **more: str) -> Imaged:
        """`criu` is the program's path, or a version that it says it has and that is too old."""
        if "/" not in criu:
            fake = home.folder / "criu"
            fake.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "Version: {criu}"\n')
            fake.chmod(0o755)
            criu = str(fake)
        environment = {
            **home.environment,
            "JUPYTER_REWIND_KERNELS_HOST": "true",
            "JUPYTER_REWIND_KERNELS_IMAGES": "true",
            "JUPYTER_REWIND_KERNELS_CRIU": criu,
            **more,
        }
        server = Server(home.notebook.parent, environment, *flags)
        running.append(server)
        server.wait()
        return Imaged(home, server, environment, kernel)

    yield started
    for server in running:
        server.stop()


@pytest.fixture
def imaged(start: Callable[..., Imaged]) -> Imaged:
    return start()


@pytest.fixture
def fake(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """The setting that makes this script the program criu; `$CRIU` in it is the real one."""

    def write(script: str) -> dict[str, str]:
        path = tmp_path / "criu"
        path.write_text(f"#!/bin/sh\nCRIU={require_criu().path}\n{script}\n")
        path.chmod(0o755)
        return {"JUPYTER_REWIND_KERNELS_CRIU": str(path)}

    return write
