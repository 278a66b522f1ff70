"""Notebooks in archives that a person names: zip, tar in any packing, and one file that is packed.

No path in an archive is followed, and no more is read of a notebook than one can be large: what a
few bytes are packed from may have no end. What is packed as one stream is unpacked once: the
notebooks that are met go into a folder for copies, as far as there is room.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from jupyter_rewind import clock
from jupyter_rewind.errors import Format, NotFound
from jupyter_rewind.recovery.regular import open_file
from jupyter_rewind.recovery.walking import ZIPS
from jupyter_rewind.store.durable import Files, free_bytes

MOST_MEMBERS = 100_000
MOST_BYTES = 1 << 28
"""So much of one notebook is read."""
KEPT_BYTES = 1 << 29
"""So much of what is met in archives is kept, or a quarter of the room where that is less."""
_OPENERS: Mapping[bytes, Callable[[BinaryIO], object]] = {
    b"\x1f\x8b": gzip.open,
    b"BZ": bz2.open,
    b"\xfd7": lzma.open,
}
# RuntimeError: the zip has a password, or a packing that Python does not know.
_FAULTS = (
    zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, EOFError, RuntimeError, ValueError,
    zlib.error, IndexError, OverflowError, struct.error,
)  # fmt: skip
_Opener = Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive; `time_ns` is when it was written, as the archive says. `copy` has what
    it holds, where it was kept."""

    name: str
    size_bytes: int
    time_ns: int | None
    copy: Path | None = None


def notebooks_in(archive: Path, copies: Copies | None = None) -> Iterator[Member]:
    """The members that are called as notebooks are, copied where there is room. Raises Format,
    OSError."""
    try:
        with open_file(archive) as file:
            found = _of_zip(file) if _is_zip(archive) else _of_tar(file)
            for number, (each, opened) in enumerate(found):
                if number >= MOST_MEMBERS:
                    return
                base = os.path.basename(each.name)
                if ".ipynb" in base and not base.startswith("._"):  # macOS keeps attributes so
                    kept = copies.keep(each, opened) if copies is not None else None
                    yield replace(each, copy=kept)
    except _FAULTS as error:
        raise Format(f"The archive is damaged: {error}.") from error


class Copies:
    """Copies of members, made while archives are gone through, in a folder of our own."""

    def __init__(self, folder: Path) -> None:
        room = free_bytes(folder)
        self._folder = folder
        self._left = KEPT_BYTES if room is None else min(KEPT_BYTES, room // 4)

    def keep(self, member: Member, opened: _Opener) -> Path | None:
        """Where the copy is; None where there is no room, or the member does not read: who wants it
        is told why."""
        if member.size_bytes > self._left:
            return None
        place = self._folder / clock.new_id()
        try:
            raw = _read(opened())
            place.write_bytes(raw)
        except (*_FAULTS, Format, OSError):
            Files().remove(place)
            return None
        self._left -= len(raw)
        return place


def read_member(archive: Path, name: str) -> bytes:
    """What a member holds; with no name, what the file itself is packed from.

    Raises NotFound, Format, OSError.
    """
    try:
        with ExitStack() as held:
            file = held.enter_context(open_file(archive))
            return _read(held.enter_context(_opened(file, archive, name)))
    except KeyError as error:
        raise NotFound(f"{name} is not in {archive} any more.") from error
    except _FAULTS as error:
        raise Format(
            f"{name or archive.name} cannot be unpacked here: {error}. Where another program can,"
            " name what it gives with --scan."
        ) from error


def is_packed(path: Path) -> bool:
    """Whether the file begins as one that is packed. Raises OSError."""
    with open_file(path) as file:
        return file.read(2) in _OPENERS


def _opened(file: BinaryIO, archive: Path, name: str) -> BinaryIO:
    if not name:
        return _unpacked(file)
    if _is_zip(archive):
        return cast("BinaryIO", zipfile.ZipFile(file).open(name))
    with tarfile.open(fileobj=file, mode="r:*") as tar:
        # Not by its list: what lies before a damage can be read.
        for each in tar:
            inner = tar.extractfile(each) if each.name == name and each.isfile() else None
            if inner is not None:
                return io.BytesIO(inner.read(MOST_BYTES + 1))
    raise KeyError(name)


def _read(file: BinaryIO) -> bytes:
    raw = file.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise Format(f"It is larger than {MOST_BYTES >> 20} MB: unpack it, and name the file.")
    return raw


def _unpacked(file: BinaryIO) -> BinaryIO:
    head = file.read(2)
    file.seek(0)
    if head not in _OPENERS:
        raise ValueError("it is not packed as its name says")
    return cast("BinaryIO", _OPENERS[head](file))


def _is_zip(archive: Path) -> bool:
    return archive.name.lower().endswith(ZIPS)


def _of_zip(file: BinaryIO) -> Iterator[tuple[Member, _Opener]]:
    archive = zipfile.ZipFile(file)
    for each in archive.infolist():
        try:
            time_ns = int(datetime(*each.date_time).timestamp()) * 1_000_000_000
        except (ValueError, OverflowError, OSError):
            time_ns = None
        if each.filename and not each.filename.endswith("/"):  # damage leaves some without a name
            opened = partial(archive.open, each)
            yield Member(each.filename, each.file_size, time_ns), cast("_Opener", opened)


def _of_tar(file: BinaryIO) -> Iterator[tuple[Member, _Opener]]:
    with tarfile.open(fileobj=file, mode="r:*") as tar:
        for each in tar:
            if each.isfile():
                opened = partial(tar.extractfile, each)
                member = Member(each.name, each.size, int(each.mtime) * 1_000_000_000)
                yield member, cast("_Opener", opened)
