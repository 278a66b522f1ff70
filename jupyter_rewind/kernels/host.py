"""Kernels from outside: found, told, started, asked. Runs in the server and in commands."""

from __future__ import annotations

from pathlib import Path


def notice_path(connection_file: Path) -> Path:
    """Where a server leaves word for a running kernel that its notebook has been renamed."""
    return connection_file.with_suffix(".rewind")
