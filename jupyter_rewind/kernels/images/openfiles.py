"""The files that a process image needs: whether they are as they were, and what to do if not.

A restored process goes on at its old places in the files it had open. Where that would write over
something, or read something else, the restore is refused before the living kernel is touched.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_rewind.kernels.images.libraries import build_id
from jupyter_rewind.kernels.images.messages import (
    BYTES,
    MAGIC_BYTES,
    VARINT,
    Field,
    damaged,
    entries,
    fields,
    numbers,
    pack_entries,
    pack_fields,
)

if TYPE_CHECKING:
    from jupyter_rewind.model.entry import Json

_REGULAR = 3
_ID, _FLAGS, _POSITION, _NAME, _SIZE, _BUILD_ID = 1, 2, 3, 6, 8, 11
_ORIGINAL, _KIND, _DELETED = 1, 3, 1
_DATABASE = b"SQLite format 3\0"
_NOT_FILES, _SHARED = ("/proc/", "/dev/"), "/dev/shm/"
LIST, REMAPPED = "files.img", "remap-fpath.img"
_DESCRIPTORS, _LOCKS = "fdinfo-*.img", "filelocks.img"
_DESCRIPTOR, _HELD = 4, 4
"""The number that the process has for a file, in the list of those and in that of locks."""


@dataclass(frozen=True, slots=True)
class OpenFile:
    """One file that the process had open, or mapped, when the image was made. `build_id` is the
    name that a library has of its content, where CRIU has found one."""

    number: int
    name: str
    flags: int
    position: int
    size: int | None
    build_id: bytes = b""

    @property
    def is_written(self) -> bool:
        """True where the process may write to it."""
        return self.flags & os.O_ACCMODE != os.O_RDONLY

    @property
    def is_appended(self) -> bool:
        """True where whatever it writes goes to the end."""
        return bool(self.flags & os.O_APPEND)


@dataclass(frozen=True, slots=True)
class FileCheck:
    """`problems` are reasons not to restore; `sizes` are the present sizes of databases, which
    a process finds its way in by itself, and of files that are only appended to."""

    problems: tuple[str, ...]
    sizes: dict[str, int]


def read_files(image: bytes) -> list[OpenFile]:
    """The regular files of a list of files. Raises Integrity."""
    return [
        _read(value)
        for entry in entries(image)
        for number, kind, value in fields(entry)
        if number == _REGULAR and kind == BYTES and isinstance(value, bytes)
    ]


def read_deleted(image: bytes) -> frozenset[int]:
    """The numbers of files that nobody could open any more: they are in the image themselves.

    Raises Integrity.
    """
    told = [numbers(entry) for entry in entries(image)]
    return frozenset(each.get(_ORIGINAL, 0) for each in told if each.get(_KIND) == _DELETED)


def with_sizes(image: bytes, sizes: dict[str, int]) -> bytes:
    """The same list, which expects the named files to have these sizes. Raises Integrity."""
    return pack_entries(
        image[:MAGIC_BYTES],
        [pack_fields(_resized_entry(field, sizes) for field in fields(e)) for e in entries(image)],
    )


def describe_written(folder: Path) -> dict[str, Json]:
    """When the files were changed last that the process in `folder`, which stands still, has open
    to write into them. Memory of several is not among them, nor is a database, but where it is
    locked: what SQLite remembers of its pages counts for as long. Raises Integrity."""
    held = {each.get(_HELD) for each in _messages(folder, _LOCKS)}
    opened = _messages(folder, _DESCRIPTORS)
    numbered = {each.get(_ID): each.get(_DESCRIPTOR) in held for each in opened}
    found: dict[str, Json] = {}
    for file in read_files((folder / LIST).read_bytes()):
        is_locked = numbered.get(file.number)
        if is_locked is None or not _is_overwritten(file):
            continue
        if is_locked or not is_database(file.name):
            with suppress(OSError):
                found[file.name] = os.stat(file.name).st_mtime_ns
    return found


def check_files(
    files: Sequence[OpenFile],
    deleted: Collection[int] = (),
    written: Mapping[str, Json] | None = None,
) -> FileCheck:
    """What stands in the way of a process that had these files open, besides those that lie in
    its image; `written` is what `describe_written` said of it then. Changes nothing."""
    problems: dict[str, None] = {}
    sizes: dict[str, int] = {}
    for file in files:
        if file.size is None or file.number in deleted or not is_on_disk(file.name):
            continue
        try:
            status = os.stat(file.name)
        except OSError:
            problems[f"{file.name} is gone"] = None
            continue
        size = status.st_size
        then = (written or {}).get(file.name) if file.is_written else None
        if os.path.isdir(file.name):
            continue
        is_stale = then not in (None, status.st_mtime_ns)
        if size == file.size and not is_stale and _has_its_name(file):
            continue
        if file.is_appended or (is_database(file.name) and not is_stale):
            sizes[file.name] = size
        elif file.is_written:
            problems[f"{file.name} has changed since: the process would write over it"] = None
        else:
            problems[f"{file.name} has been replaced by another version"] = None
    return FileCheck(tuple(problems), sizes)


def _messages(folder: Path, pattern: str) -> Iterator[dict[int, int]]:
    for path in folder.glob(pattern):
        yield from map(numbers, entries(path.read_bytes()))


def _is_overwritten(file: OpenFile) -> bool:
    is_file = file.size is not None and not file.name.startswith(_NOT_FILES)
    return is_file and file.is_written and not file.is_appended


def is_on_disk(name: str) -> bool:
    """Whether it is a file, or memory that processes share by its name: both may be gone."""
    return name.startswith(_SHARED) or not name.startswith(_NOT_FILES)


def is_database(name: str) -> bool:
    """Whether this is a file of SQLite, whose users find their way in it however it grew."""
    try:
        if not stat.S_ISREG(os.stat(name).st_mode):
            return False  # to read a terminal or a pipe would be to wait for it
        with open(name, "rb") as file:
            return file.read(len(_DATABASE)) == _DATABASE
    except OSError:
        return False


def _has_its_name(file: OpenFile) -> bool:
    """CRIU asks so as well, but after the living kernel has been ended."""
    found = build_id(file.name) if file.build_id else None
    return found is None or found == file.build_id


def _read(message: bytes) -> OpenFile:
    words = [
        value
        for number, kind, value in fields(message)
        if number == _BUILD_ID and kind == VARINT and isinstance(value, int)
    ]
    known = {number: value for number, _, value in fields(message)}
    name, flags, position = known.get(_NAME), known.get(_FLAGS, 0), known.get(_POSITION, 0)
    size, id_ = known.get(_SIZE), known.get(_ID, 0)
    if not isinstance(name, bytes) or not isinstance(flags, int) or not isinstance(position, int):
        raise damaged()
    return OpenFile(
        number=id_ if isinstance(id_, int) else 0,
        name="/" + os.fsdecode(name).lstrip("/"),
        flags=flags,
        position=position,
        size=size if isinstance(size, int) else None,
        build_id=b"".join(struct.pack("<I", word & 0xFFFFFFFF) for word in words),
    )


def _resized_entry(field: Field, sizes: dict[str, int]) -> Field:
    number, kind, value = field
    if number != _REGULAR or not isinstance(value, bytes):
        return field
    size = sizes.get(_read(value).name)
    if size is None:
        return field
    inner = ((n, k, size if n == _SIZE else v) for n, k, v in fields(value))
    return number, kind, pack_fields(inner)
