"""Processes of this user under `/proc`: what they have open, and their memory, only ever read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind import clock

PROC = Path("/proc")
_DELETED = " (deleted)"
_NOT_READ = ("[vvar", "[vdso", "[vsyscall")
_SMALLEST = 1 << 12


@dataclass(frozen=True, slots=True)
class Process:
    """One running program: its number and how it was started."""

    pid: int
    command: tuple[str, ...]

    @property
    def words(self) -> str:
        """Its name for a person."""
        name = os.path.basename(self.command[0]) if self.command else "?"
        more = [os.path.basename(one) for one in self.command[1:3] if not one.startswith("-")]
        return " ".join([name, *more])[:80]


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A deleted file that a process still has open; `place` reads its bytes."""

    place: Path
    name: Path
    process: Process
    size: int
    time_ns: int
    key: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Region:
    """A piece of a process's address space that can be read."""

    start: int
    end: int


def own_processes() -> Iterator[Process]:
    """The processes of this user, but not this one."""
    if not PROC.is_dir():
        return
    user, own = os.getuid(), clock.pid()
    for name in sorted(os.listdir(PROC)):
        if not name.isdigit() or int(name) == own:
            continue
        try:
            if (PROC / name).stat().st_uid != user:
                continue
            raw = (PROC / name / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended meanwhile
        if raw:
            yield Process(int(name), _command(raw))


def this_process() -> Iterator[Process]:
    """The program that asks, where its command line can be read."""
    try:
        raw = (PROC / str(clock.pid()) / "cmdline").read_bytes()
    except OSError:
        return
    yield Process(clock.pid(), _command(raw))


def _command(raw: bytes) -> tuple[str, ...]:
    """The words of a command line; the processes of a browser's tabs write theirs as one text."""
    words = raw.rstrip(b"\0 ").decode("utf-8", "replace").split("\0")
    if len(words) == 1 and " --" in words[0]:
        program, *options = words[0].split(" --")
        return program, *(f"--{each}" for each in options)
    return tuple(words)


def deleted_files(process: Process) -> Iterator[OpenFile]:
    """Files that the process has open and nobody finds by name any more. Raises OSError."""
    folder = PROC / str(process.pid) / "fd"
    for number in sorted(os.listdir(folder), key=int):
        place = folder / number
        try:
            target = os.readlink(place)
            if not target.endswith(_DELETED) or not target.startswith("/"):
                continue
            status = place.stat()
        except OSError:
            continue  # closed meanwhile
        name = Path(target.removesuffix(_DELETED))
        key = (status.st_dev, status.st_ino)
        yield OpenFile(place, name, process, status.st_size, status.st_mtime_ns, key)


def regions(process: Process) -> list[Region]:
    """The readable private memory of a process, files that it only maps left out.

    Raises OSError.
    """
    found: list[Region] = []
    for line in (PROC / str(process.pid) / "maps").read_text("utf-8", "replace").splitlines():
        parts = line.split(maxsplit=5)
        name = parts[5] if len(parts) == 6 else ""
        if not parts[1].startswith("r") or name.startswith(_NOT_READ):
            continue
        if name.startswith("/") and not name.startswith(("/memfd:", "/dev/shm/", "/dev/zero")):
            continue
        start, _, end = parts[0].partition("-")
        region = Region(int(start, 16), int(end, 16))
        if region.end - region.start >= _SMALLEST:
            found.append(region)
    return found


def open_memory(process: Process) -> int:
    """A descriptor to read the process's memory by address. Raises OSError."""
    return os.open(PROC / str(process.pid) / "mem", os.O_RDONLY)


def read_memory(descriptor: int, at: int, size: int) -> bytes:
    """The bytes at an address; fewer, or none, where they cannot be read."""
    try:
        return os.pread(descriptor, size, at)
    except OSError:
        return b""
