"""Kernels that keep templates, each in a home folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.kernels import Home
from tests.support.templates import Templated


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def start(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Templated]]:
    """Starts a kernel, and ends it with all that is left of it."""
    running: list[Templated] = []

    def started(most: int = 3, **environment: str) -> Templated:
        names = {"JUPYTER_REWIND_KERNELS_TEMPLATES": str(most), **environment}
        for name, value in names.items():
            monkeypatch.setenv(name, value)
        kernel = Templated(home, **names)
        running.append(kernel)
        return kernel

    yield started
    for kernel in running:
        kernel.client.stop_channels()
        kernel.manager.shutdown_kernel(now=True)
        kernel.manager.cleanup_resources()
