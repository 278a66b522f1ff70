"""Private copies of databases that other programs may be using: nobody's file is opened in place.

A copy has what SQLite would recover from (journal, WAL) beside it. It is taken again while the
original changes under it, and a file system that can (btrfs, XFS) shares the bytes at once.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind import clock
from jupyter_rewind.errors import Full, NotFound
from jupyter_rewind.recovery.pages import SIZES, header_page_size
from jupyter_rewind.recovery.regular import is_regular, open_file, read_file
from jupyter_rewind.store.durable import Files, free_bytes, translate

TRIES = 4
COMPANIONS = ("-journal", "-wal")
_BLOCK = 1 << 24
_RESERVE = 64 << 20
"""So much room is left to others, or half of what there is where that is less."""
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")


@dataclass(frozen=True, slots=True)
class DatabaseCopy:
    """A copy of one database. `path` has its journal or WAL beside it, so SQLite recovers it.

    `bare` is the main file alone, where there is a journal: on the pages `changed` (and on those
    that recovery cuts off) it may hold rows that recovery takes back. `steady` is False where the
    original changed during every try.
    """

    path: Path
    bare: Path | None
    changed: frozenset[int]
    steady: bool

    def taken_back(self) -> frozenset[int]:
        """The pages of `bare` that differ from `path`, once SQLite has recovered that one."""
        if self.bare is None:
            return frozenset()
        size = header_page_size(_head(self.bare)) or header_page_size(_head(self.path)) or 4096
        kept, all_pages = (os.stat(one).st_size // size for one in (self.path, self.bare))
        return self.changed | frozenset(range(kept + 1, all_pages + 1))


def copy_database(source: Path, scratch: Path) -> DatabaseCopy:
    """A copy of the database and its companions in a new folder of `scratch`.

    Raises NotFound, Denied, Full (also when the copy would fill the disk), Unavailable.
    """
    folder = scratch / clock.new_id()
    Files().make_folder(folder)
    target = folder / "copy.sqlite"
    steady = False
    for _ in range(TRIES):
        before = _stamps(source)
        _copy_all(source, target)
        steady = _stamps(source) == before
        if steady:
            break
    _drop_wild_journal(target)
    changed = frozenset(journal_pages(Path(f"{target}-journal")))
    bare = None
    if changed:
        bare = folder / "bare.sqlite"
        copy_file(target, bare)
    return DatabaseCopy(target, bare, changed, steady)


def _drop_wild_journal(target: Path) -> None:
    """A journal whose head is garbage is no journal: SQLite would blow the file up to its size."""
    journal = Path(f"{target}-journal")
    if not os.path.exists(journal):
        return
    head = _head(journal)
    if len(head) < 28:
        return
    pages, _, size = struct.unpack_from(">3I", head, 16)
    most = target.stat().st_size + journal.stat().st_size + (1 << 16)
    if pages * size > most or size not in SIZES:
        Files().remove(journal)


def _head(path: Path) -> bytes:
    with open_file(path) as file:
        return file.read(100)


def _copy_all(source: Path, target: Path) -> None:
    copy_file(source, target)
    for suffix in COMPANIONS:
        companion, copy = Path(f"{source}{suffix}"), Path(f"{target}{suffix}")
        Files().remove(copy)
        # A journal may go at any moment, when its owner commits: then all is copied once more.
        with suppress(FileNotFoundError, NotFound):
            if is_regular(companion) and companion.stat().st_size:
                copy_file(companion, copy)


def copy_file(source: Path, target: Path) -> int:
    """`target` holds the bytes of `source`; returns how many. Only for our own scratch folder.

    Raises NotFound, Denied, Full, Unavailable.
    """
    try:
        with open_file(source) as reader:
            size = os.fstat(reader.fileno()).st_size
            room = free_bytes(target.parent)
            if room is not None and size > max(room - _RESERVE, room // 2):
                raise Full(
                    f"Could not copy {source} to read it: its {size} bytes do not fit beside the"
                    f" {room} bytes free in {target.parent}. The file is as it was.",
                    hint="Free some space, or name a larger temporary folder with TMPDIR.",
                )
            with target.open("wb") as writer:
                return _pour(reader.fileno(), writer.fileno())
    except OSError as error:
        if isinstance(error, Full):
            raise
        raise translate(error, "copy", source) from error


def _pour(reader: int, writer: int) -> int:
    total = 0
    direct = hasattr(os, "copy_file_range")
    while True:
        if direct:
            try:
                count = os.copy_file_range(reader, writer, _BLOCK)
            except OSError:
                # Between file systems, or from /proc: bytes through our hands then.
                direct = False
                os.lseek(reader, total, os.SEEK_SET)
                os.lseek(writer, total, os.SEEK_SET)
                continue
        else:
            count = _write_all(writer, os.read(reader, _BLOCK))
        if count == 0:
            return total
        total += count


def _write_all(writer: int, data: bytes) -> int:
    view = memoryview(data)
    while view:
        view = view[os.write(writer, view) :]
    return len(data)


def _stamps(source: Path) -> tuple[tuple[int, int] | None, ...]:
    found: list[tuple[int, int] | None] = []
    for suffix in ("", *COMPANIONS):
        try:
            status = os.stat(f"{source}{suffix}")
            found.append((status.st_size, status.st_mtime_ns))
        except OSError:
            found.append(None)
    return tuple(found)


def journal_pages(path: Path) -> Mapping[int, bytes]:
    """The pages that a rollback journal holds: what the database was before the last change.

    Empty where there is no journal, or one without a valid head: SQLite takes it as none too.
    """
    try:
        data = read_file(path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise translate(error, "read", path) from error
    return dict(_journal_records(data))


def _journal_records(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    seen: set[int] = set()
    while data[at : at + 8] == _JOURNAL_MAGIC and at + 28 <= len(data):
        count, nonce, _, sector, size = struct.unpack_from(">5I", data, at + 8)
        if not 512 <= size <= 65536 or not 32 <= sector <= 65536:
            return
        at += sector
        step = size + 8
        if count == 0xFFFFFFFF:
            count = (len(data) - at) // step
        for _ in range(count):
            if at + step > len(data):
                return
            (number,) = struct.unpack_from(">I", data, at)
            page = data[at + 4 : at + 4 + size]
            (told,) = struct.unpack_from(">I", data, at + 4 + size)
            if number == 0 or told != _checksum(page, nonce):
                return
            if number not in seen:
                seen.add(number)
                yield number, page
            at += step
        at = -(-at // sector) * sector


def _checksum(page: bytes, nonce: int) -> int:
    return (nonce + sum(page[len(page) - 200 : 0 : -200])) & 0xFFFFFFFF
