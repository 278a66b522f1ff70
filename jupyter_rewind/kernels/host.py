"""Kernels from outside: found, told, started, asked. Runs in the server and in commands."""

from __future__ import annotations

from pathlib import Path

from jupyter_rewind.model.encoding import to_json
from jupyter_rewind.store.durable import Files


def notice_path(connection_file: Path) -> Path:
    """Where a server leaves word for a running kernel that its notebook has been renamed."""
    return connection_file.with_suffix(".rewind")


def leave_notice(connection_file: Path, path: str) -> None:
    """The kernel learns before its next cell that its notebook lies at `path`. Raises Storage."""
    Files().replace_file(notice_path(connection_file), to_json({"path": path}))


def drop_stale_notices(runtime: Path) -> None:
    """Notes for kernels that are gone are gone as well. Raises Storage."""
    for notice in runtime.glob("kernel-*.rewind"):
        if not notice.with_suffix(".json").exists():
            Files().remove(notice)
