"""A file layer that does its work and keeps a log of every step that could be torn by a crash.

`Disk` (tests/support/disk.py) reads the log and tells what a power cut may have left.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_rewind.store.durable import Files


@dataclass(frozen=True, slots=True)
class Step:
    """One thing done to the disk, or a mark: something the user was told at this moment."""

    kind: str
    path: str = ""
    number: int = -1
    offset: int = 0
    data: bytes = b""
    target: str = ""
    mark: Any = None


@dataclass
class RecordingFiles(Files):
    """The real file layer; what happens under `root` is logged in `steps`."""

    root: Path
    steps: list[Step] = field(default_factory=list)
    before_sync: Callable[[Path], None] | None = None
    _numbers: dict[tuple[int, int], int] = field(default_factory=dict)
    _open: dict[int, int] = field(default_factory=dict)
    _next: int = 0

    def mark(self, what: Any) -> None:
        """The user is told `what` here."""
        self.steps.append(Step("mark", mark=what))

    # --- the steps ----------------------------------------------------------------------

    def add_folder(self, path: Path, mode: int) -> None:
        super().add_folder(path, mode)
        self._log("mkdir", path)

    def create(self, path: Path, mode: int = 0o600) -> int:
        descriptor = super().create(path, mode)
        self._next += 1
        status = os.fstat(descriptor)
        self._numbers[status.st_dev, status.st_ino] = self._next
        self._open[descriptor] = self._next
        self._log("create", path, number=self._next)
        return descriptor

    def open(self, path: Path) -> int:
        descriptor = super().open(path)
        self._open[descriptor] = self._number(descriptor)
        return descriptor

    def close(self, descriptor: int) -> None:
        self._open.pop(descriptor, None)
        super().close(descriptor)

    def write_at(
        self, descriptor: int, parts: list[bytes | memoryview], offset: int, path: Path
    ) -> int:
        data = b"".join(parts)
        written = super().write_at(descriptor, parts, offset, path)
        self._log("write", path, number=self._number(descriptor), offset=offset, data=data)
        return written

    def reserve(self, descriptor: int, offset: int, size: int, path: Path) -> None:
        super().reserve(descriptor, offset, size, path)
        self._log("grow", path, number=self._number(descriptor), offset=offset + size)

    def truncate(self, descriptor: int, size: int, path: Path) -> None:
        super().truncate(descriptor, size, path)
        self._log("truncate", path, number=self._number(descriptor), offset=size)

    def sync_data(self, descriptor: int, path: Path) -> None:
        hook, self.before_sync = self.before_sync, None
        if hook is not None:
            hook(path)
        super().sync_data(descriptor, path)
        self._log("sync", path, number=self._number(descriptor))

    def sync_folder(self, path: Path) -> None:
        super().sync_folder(path)
        self._log("syncdir", path)

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        self._log("rename", source, target=target)

    def link(self, source: Path, target: Path) -> None:
        super().link(source, target)
        self._log("link", source, target=target)

    def remove(self, path: Path) -> None:
        existed = path.exists()
        super().remove(path)
        if existed:
            self._log("unlink", path)

    # --- inside -------------------------------------------------------------------------

    def _number(self, descriptor: int) -> int:
        known = self._open.get(descriptor)
        if known is not None:
            return known
        status = os.fstat(descriptor)
        return self._numbers.get((status.st_dev, status.st_ino), -1)

    def _log(self, kind: str, path: Path, target: Path | None = None, **more: Any) -> None:
        place = self._inside(path)
        other = self._inside(target) if target is not None else ""
        if place is not None and other is not None:
            self.steps.append(Step(kind, place, target=other, **more))

    def _inside(self, path: Path) -> str | None:
        try:
            return path.relative_to(self.root).as_posix()
        except ValueError:
            return None
