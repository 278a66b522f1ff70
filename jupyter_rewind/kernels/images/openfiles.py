"""The files that a process image needs: whether they are as they were, and what to do if not.

A restored process goes on at its old places in the files it had open. Where that would write over
something, or read something else, the restore is refused before the living kernel is touched.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass

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

_REGULAR = 3
_ID, _FLAGS, _POSITION, _NAME, _SIZE, _BUILD_ID = 1, 2, 3, 6, 8, 11
_ORIGINAL, _KIND, _DELETED = 1, 3, 1
_DATABASE = b"SQLite format 3\0"
_NOT_FILES = ("/proc/", "/dev/")


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


def check_files(files: Sequence[OpenFile], deleted: frozenset[int] = frozenset()) -> FileCheck:
    """What stands in the way of a process that had these files open, besides those that lie in
    its image. Changes nothing."""
    problems: dict[str, None] = {}
    sizes: dict[str, int] = {}
    for file in files:
        if file.size is None or file.number in deleted or file.name.startswith(_NOT_FILES):
            continue
        try:
            size = os.stat(file.name).st_size
        except OSError:
            problems[f"{file.name} is gone"] = None
            continue
        if os.path.isdir(file.name) or (size == file.size and _has_its_name(file)):
            continue
        if file.is_appended or is_database(file.name):
            sizes[file.name] = size
        elif file.is_written:
            problems[f"{file.name} has changed since: the process would write over it"] = None
        else:
            problems[f"{file.name} has been replaced by another version"] = None
    return FileCheck(tuple(problems), sizes)


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
