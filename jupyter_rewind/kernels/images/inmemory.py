"""Folders in memory, for an image's files that are to be on no disk in the clear.

Files that take the memory which the kernel needs itself might end it. So there must be room for
twice as much as they take: for them, and for the process that comes back out of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from jupyter_rewind.kernels.hosting.keeper import MEMORY
from jupyter_rewind.store.durable import translate

_SPARE_BYTES = 256 << 20
_PREFIX = "rewind-"
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_V2 = ("memory.max", "memory.current", "inactive_file")


def has_room(size: int, root: Path = Path("/")) -> bool:
    """Whether that many bytes can lie in memory with nobody short of it. `root` is where the
    system's own files are looked for."""
    needed = 2 * size + _SPARE_BYTES
    try:
        if not _is_in_memory(root):
            return False
        there = os.statvfs(root / MEMORY[1:])
        if there.f_bavail * there.f_frsize < needed:
            return False
        return min(_free_bytes(root)) >= needed
    except (OSError, ValueError):
        return False


def make_folder(link: Path) -> Path:
    """A new folder in memory, for its owner only, which `link` leads to. Raises Storage."""
    folder = Path(MEMORY, f"{_PREFIX}{link.name}")
    try:
        # First the link: whoever sweeps finds by it what somebody left who was killed.
        link.symlink_to(folder)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise translate(error, "use", folder) from error
    return folder


def _is_in_memory(root: Path) -> bool:
    mounts = (root / "proc/self/mounts").read_text(errors="replace").splitlines()
    kinds = [line.split()[2] for line in mounts if line.split()[1] == MEMORY]
    return kinds[-1:] == ["tmpfs"]


def _free_bytes(root: Path) -> Iterator[int]:
    """Of the machine, and below each limit that this process is under."""
    for line in (root / "proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) << 10
    for line in (root / "proc/self/cgroup").read_text().splitlines():
        _, kinds, path = line.split(":", 2)
        if kinds == "":
            yield from _below_limits(root / "sys/fs/cgroup", path, *_V2)
        elif "memory" in kinds.split(","):
            yield from _below_limits(root / "sys/fs/cgroup/memory", path, *_V1)


def _below_limits(base: Path, path: str, most: str, taken: str, cached: str) -> Iterator[int]:
    inner = PurePosixPath(path.lstrip("/"))
    for each in (inner, *inner.parents):
        # Not every folder has the files: the outermost one has no limit, or is not shown here.
        with suppress(FileNotFoundError):
            limit = (base / each / most).read_text().strip()
            if limit == "max":
                continue
            stats = (base / each / "memory.stat").read_text().splitlines()
            spare = sum(int(line.split()[1]) for line in stats if line.startswith(f"{cached} "))
            yield int(limit) - int((base / each / taken).read_text()) + spare
