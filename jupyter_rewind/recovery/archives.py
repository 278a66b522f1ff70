"""Notebooks in archives that a person names: zip, tar in any packing, and one file that is packed.

No path in an archive is followed, and no more is read of a notebook than one can be large: what a
few bytes are packed from may have no end. What is packed as one stream is unpacked once: the
notebooks that are met go into a folder for copies, as far as there is room. Of zips, and of tars
that are not packed, each is read where it lies.
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
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from copy import copy as copied
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Lock
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
_MOST_LISTED = 250_000
"""Lists of zips are held as long as they have so many members together: some 100 MB."""
_PIECE = 1 << 20
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
    """A file of an archive; `time_ns` is when it was written, as the archive says: any number, or
    none. `at` is where it begins, where one can go there. `copy` has what it holds, where it was
    kept."""

    name: str
    size_bytes: int
    time_ns: int | None
    at: int = 0
    copy: Path | None = None


def notebooks_in(archive: Path, copies: Copies | None = None) -> Iterator[Member]:
    """The members that are called as notebooks are; those that can be reached only by unpacking all
    before them are copied, where there is room. Raises Format, OSError."""
    try:
        with open_file(archive) as file:
            found = _of_zip(file, archive) if _is_zip(archive) else _of_tar(file)
            for number, (each, opened) in enumerate(found):
                if number >= MOST_MEMBERS:
                    return
                base = base_of(each.name)
                if ".ipynb" in base and not base.startswith("._"):  # macOS keeps attributes so
                    if copies is not None and opened is not None:
                        each = replace(each, copy=copies.keep(each, opened))
                    yield each
    except _FAULTS as error:
        raise Format(f"The archive is damaged: {error}.") from error


def base_of(name: str) -> str:
    """The name of a member without its folders, also where those are parted as on Windows."""
    return os.path.basename(name.replace("\\", "/"))


class Copies:
    """Copies of members, made while archives are gone through, in a folder of our own."""

    def __init__(self, folder: Path) -> None:
        room = free_bytes(folder)
        self._folder = folder
        self._left = KEPT_BYTES if room is None else min(KEPT_BYTES, room // 4)

    def keep(self, member: Member, opened: _Opener) -> Path | None:
        """Where the copy is; None where there is no room, or the member does not read: who wants it
        is told why."""
        if member.size_bytes > min(self._left, MOST_BYTES):
            return None
        self._left -= max(0, member.size_bytes)  # also where it fails: nobody tries without end
        place = self._folder / clock.new_id()
        try:
            with place.open("wb") as copy:
                _pour(opened(), copy)
        except (*_FAULTS, Format, OSError):
            Files().remove(place)
            return None
        return place


def read_member(archive: Path, name: str, at: int = 0) -> bytes:
    """What a member holds, the one that begins `at` if there is one of the name; with no name, what
    the file itself is packed from.

    Raises NotFound, Format, OSError.
    """
    try:
        with ExitStack() as held:
            file = held.enter_context(open_file(archive))
            whole = io.BytesIO()
            _pour(held.enter_context(_opened(file, archive, name, at)), whole)
            return whole.getvalue()
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


def _opened(file: BinaryIO, archive: Path, name: str, at: int) -> BinaryIO:
    if not name:
        return _unpacked(file)
    if not _is_zip(archive):
        return _opened_of_tar(file, name, at)
    held = _zip(file, archive)
    same = (each for each in held.infolist() if (each.header_offset, each.filename) == (at, name))
    member = next(same, None) or held.getinfo(name)
    _check_size(member.file_size)
    return cast("BinaryIO", held.open(member))


def _opened_of_tar(file: BinaryIO, name: str, at: int) -> BinaryIO:
    for start in dict.fromkeys((at, 0)):
        file.seek(start)
        with tarfile.open(fileobj=file, mode="r:*") as tar:
            # Not by its list: what lies before a damage can be read.
            for each in tar:
                if each.name == name and each.isfile():
                    _check_size(each.size)
                    whole = io.BytesIO()
                    _pour(cast("BinaryIO", tar.extractfile(each)), whole)
                    whole.seek(0)
                    return whole
                if start:
                    break
    raise KeyError(name)


def _pour(file: BinaryIO, into: BinaryIO) -> None:
    """In pieces: nothing is held twice."""
    size = 0
    while piece := file.read(_PIECE):
        size += len(piece)
        _check_size(size)
        into.write(piece)


def _check_size(size: int) -> None:
    if size > MOST_BYTES:
        raise Format(f"It is larger than {MOST_BYTES >> 20} MB: unpack it, and name the file.")


def _unpacked(file: BinaryIO) -> BinaryIO:
    head = file.read(2)
    file.seek(0)
    if head not in _OPENERS:
        raise ValueError("it is not packed as its name says")
    return cast("BinaryIO", _OPENERS[head](file))


def _is_zip(archive: Path) -> bool:
    return archive.name.lower().endswith(ZIPS)


def _zip(file: BinaryIO, archive: Path) -> zipfile.ZipFile:
    """The zip that `file` is: its list, which may be long, is read once for all notebooks in it. No
    file is held open for that: each asker brings its own."""
    state = os.fstat(file.fileno())
    held = copied(_listed(archive, (state.st_ino, state.st_size, state.st_mtime_ns)))
    held.fp = file
    return held


_HELD: OrderedDict[tuple[Path, tuple[int, ...]], zipfile.ZipFile] = OrderedDict()
_HELD_LOCK = Lock()


def _listed(archive: Path, state: tuple[int, ...]) -> zipfile.ZipFile:
    with _HELD_LOCK:
        held = _HELD.pop((archive, state), None)
    if held is None:
        with open_file(archive) as file:
            held = zipfile.ZipFile(file)
        held.fp = None
    with _HELD_LOCK:
        _HELD[archive, state] = held
        while len(_HELD) > 1 and sum(len(each.filelist) for each in _HELD.values()) > _MOST_LISTED:
            _HELD.popitem(last=False)
    return held


def _of_zip(file: BinaryIO, archive: Path) -> Iterator[tuple[Member, None]]:
    for each in _zip(file, archive).infolist():
        try:
            time_ns = _nanoseconds(datetime(*each.date_time).timestamp())
        except (ValueError, OverflowError, OSError):
            time_ns = None
        if each.filename and not each.filename.endswith("/"):  # damage leaves some without a name
            yield Member(each.filename, each.file_size, time_ns, each.header_offset), None


def _of_tar(file: BinaryIO) -> Iterator[tuple[Member, _Opener | None]]:
    with tarfile.open(fileobj=file, mode="r:*") as tar:
        is_packed = tar.fileobj is not file
        for each in tar:
            if each.isfile():
                opened = cast("_Opener", partial(tar.extractfile, each)) if is_packed else None
                at = 0 if is_packed else each.offset
                yield Member(each.name, each.size, _nanoseconds(each.mtime), at), opened


def _nanoseconds(seconds: float) -> int | None:
    try:
        return int(seconds) * 1_000_000_000
    except (ValueError, OverflowError):
        return None  # a tar may say that it is infinite, or no number
