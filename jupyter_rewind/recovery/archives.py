"""Notebooks in archives that a person names: zip, tar in any packing, and one file that is packed.

Nothing is unpacked onto the disk, no path in an archive is followed, and no more is read of a
notebook than one can be large: what a few bytes are packed from may have no end.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

from jupyter_rewind.errors import Format, NotFound
from jupyter_rewind.recovery.regular import open_file
from jupyter_rewind.recovery.walking import ZIPS

MOST_MEMBERS = 100_000
MOST_BYTES = 1 << 28
"""So much of one notebook is read."""
_OPENERS: Mapping[bytes, Callable[[BinaryIO], object]] = {
    b"\x1f\x8b": gzip.open,
    b"BZ": bz2.open,
    b"\xfd7": lzma.open,
}
# RuntimeError: the zip has a password, or a packing that Python does not know.
_FAULTS = (
    zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, EOFError, RuntimeError, ValueError,
    zlib.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive; `time_ns` is when it was written, as the archive says."""

    name: str
    size_bytes: int
    time_ns: int | None


def notebooks_in(archive: Path) -> Iterator[Member]:
    """The members that are called as notebooks are. Raises Format, OSError."""
    try:
        with open_file(archive) as file:
            found = _of_zip(file) if _is_zip(archive) else _of_tar(file)
            for number, each in enumerate(found):
                if number >= MOST_MEMBERS:
                    return
                base = os.path.basename(each.name)
                if ".ipynb" in base and not base.startswith("._"):  # macOS keeps attributes so
                    yield each
    except _FAULTS as error:
        raise Format(f"The archive is damaged: {error}.") from error


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


def _of_zip(file: BinaryIO) -> Iterator[Member]:
    for each in zipfile.ZipFile(file).infolist():
        try:
            time_ns = int(datetime(*each.date_time).timestamp()) * 1_000_000_000
        except (ValueError, OverflowError, OSError):
            time_ns = None
        if not each.is_dir():
            yield Member(each.filename, each.file_size, time_ns)


def _of_tar(file: BinaryIO) -> Iterator[Member]:
    with tarfile.open(fileobj=file, mode="r:*") as tar:
        for each in tar:
            if each.isfile():
                yield Member(each.name, each.size, int(each.mtime) * 1_000_000_000)
