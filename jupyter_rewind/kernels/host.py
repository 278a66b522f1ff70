"""Kernels from outside: found, told, started, asked. Runs in the server and in commands."""

from __future__ import annotations

from pathlib import Path

from jupyter_rewind.model.encoding import to_json


def notice_path(connection_file: Path) -> Path:
    """Where a server leaves word for a running kernel that its notebook has been renamed."""
    return connection_file.with_suffix(".rewind")


def leave_notice(connection_file: Path, path: str) -> None:
    """The kernel learns before its next cell that its notebook lies at `path`. Raises Storage."""
    from jupyter_rewind.store.durable import Files

    Files().replace_file(notice_path(connection_file), to_json({"path": path}))
