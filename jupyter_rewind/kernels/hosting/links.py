"""Names that CRIU gives to files while it makes an image of a kernel: `link_remap.N`, for what is
open or mapped under a name that is gone, and has another one.

Whoever is killed meanwhile leaves them, and the kernels of others get the very same numbers. So it
is written down beforehand which files of a kernel may get such a name, and one of any other file is
never touched. Nor is one in a folder where somebody else makes an image now: whoever does so holds
a lock on that folder, which ends with him.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from jupyter_rewind import clock
from jupyter_rewind.errors import RewindError, Unavailable
from jupyter_rewind.model.encoding import parse_json, to_json
from jupyter_rewind.store.durable import Files, read_text_or_empty

FORMAT = 1
BOOK = "linked.json"
"""In the folder of a kernel: the files of it that may have got such names."""
_PREFIX, _DELETED = "link_remap.", " (deleted)"
_NOT_FILES = ("/memfd:", "/dev/zero", "/SYSV", "/anon_hugepage", "/[")
_PAUSE_SECONDS = 0.05

File = tuple[str, int]
"""The folder that its name was in, and its number there."""


def unnamed(pid: int) -> set[File]:
    """The files that the process, or what it has started, has mapped or open, whose names are gone,
    and which may have others."""
    return {file for each in _below(pid) for file in _unnamed(each)}


def note(folder: Path, files: Collection[File]) -> None:
    """These files of the kernel with this `folder` may get such names. Raises Storage."""
    if files:
        told = to_json({"format": FORMAT, "files": [[*each] for each in sorted(files)]})
        Files().replace_file(folder / BOOK, told, 0o600)


def forget(folder: Path) -> None:
    """None of its files has such a name. Never fails: what is told of too many does no harm."""
    with suppress(RewindError):
        Files().remove(folder / BOOK)


def noted(folder: Path) -> set[File]:
    """The files that were written down; none where that does not read: what nobody knows of is left
    alone."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = parse_json((folder / BOOK).read_bytes())
        if told["format"] == FORMAT:
            return {(str(name), int(number)) for name, number in told["files"]}
    return set()


def drop(files: Collection[File], held: Collection[str]) -> None:
    """Such names of these files are gone, in the folders that are `held`. Never fails."""
    for folder in {name for name, _ in files} & {*held}:
        numbers = {number for name, number in files if name == folder}
        above = standing(folder)
        with suppress(OSError):
            for name in os.listdir(above):
                if name.startswith(_PREFIX):
                    _drop(Path(above, name), numbers)


def drop_noted(folder: Path) -> None:
    """What was written down of a kernel that has ended has no such names any more, but where
    somebody makes an image at this moment. Never fails."""
    files = noted(folder)
    with suppress(RewindError), locked(files, 0) as held:
        drop(files, held)


@contextmanager
def locked(files: Collection[File], seconds: float) -> Iterator[frozenset[str]]:
    """Nobody else gives such names in the folders of these files; those that this holds of. Where
    there are no locks, everybody goes on. Raises Unavailable when others held one for so long."""
    names: dict[tuple[int, int], list[str]] = {}
    with ExitStack() as stack:
        opened: dict[tuple[int, int], int] = {}
        for name in {name for name, _ in files}:
            with suppress(OSError):
                descriptor = os.open(standing(name), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                stack.callback(os.close, descriptor)
                found = os.fstat(descriptor)
                opened[found.st_dev, found.st_ino] = descriptor
                names.setdefault((found.st_dev, found.st_ino), []).append(name)
        end = clock.monotonic() + seconds
        # All take them in the same order: nobody waits for one who waits for him.
        held = [each for each in sorted(opened) if _lock(opened[each], names[each], end)]
        yield frozenset(name for each in held for name in names[each])


def standing(folder: str) -> str:
    """Where CRIU puts the name: the folder, or the one above it that there is still."""
    while not os.path.isdir(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder


def _lock(descriptor: int, names: list[str], end: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError as error:
            if clock.monotonic() >= end:
                raise Unavailable(
                    "No image of the kernel was made: other ones are being made of kernels that"
                    f" also use files in {names[0]}.",
                    hint="The kernel goes on as before, and nothing was stored. Try again when"
                    " they are made.",
                    retryable=True,
                ) from error
            time.sleep(_PAUSE_SECONDS)
        except OSError:
            return False


def _drop(path: Path, numbers: Collection[int]) -> None:
    with suppress(OSError, RewindError):
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode) and status.st_ino in numbers:
            Files().remove(path)


def _below(pid: int) -> list[int]:
    """The process, those that it has started, and those that they have."""
    found = [pid]
    for each in found:
        for children in Path("/proc", str(each), "task").glob("*/children"):
            with suppress(RewindError):  # it has ended since
                found += map(int, read_text_or_empty(children).split())
    return found


def _unnamed(pid: int) -> Iterator[File]:
    process = Path("/proc", str(pid))
    with suppress(RewindError, OSError):
        for line in read_text_or_empty(process / "maps").splitlines():
            fields = line.split(None, 5)
            if len(fields) == 6 and _is_gone(fields[5]):
                first, last = (f"{int(each, 16):x}" for each in fields[0].split("-"))
                yield from _file(fields[5], process / "map_files" / f"{first}-{last}", fields[4])
        for each in (process / "fd").iterdir():
            with suppress(OSError):  # it was closed since
                name = os.readlink(each)
                if _is_gone(name):
                    yield from _file(name, each, "0")


def _is_gone(name: str) -> bool:
    is_file = name.startswith("/") and not name.startswith(_NOT_FILES)
    return is_file and name.endswith(_DELETED)


def _file(name: str, path: Path, number: str) -> Iterator[File]:
    """It, unless no other name of it is left: CRIU gives that none."""
    try:
        status = os.stat(path)
    except OSError:  # only root may look there
        yield os.path.dirname(name), int(number)
        return
    if status.st_nlink and stat.S_ISREG(status.st_mode):
        yield os.path.dirname(name), status.st_ino
