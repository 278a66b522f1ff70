"""Where each desktop keeps what was thrown away, and how it notes where that came from.

Three notes are read: freedesktop's `.trashinfo` (Linux), Windows' `$I` files of both versions, and
none at all (macOS, where only the name is left).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote_to_bytes

from jupyter_rewind.recovery.evidence import Problem, Scope
from jupyter_rewind.recovery.regular import open_file

_WINDOWS_EPOCH = 116_444_736_000_000_000
_LARGEST_NOTE = 64 << 10


@dataclass(frozen=True, slots=True)
class Thrown:
    """Something in a trash can; `origin` is None where only its name is known."""

    place: Path
    origin: Path | None
    time_ns: int | None


def thrown_away(scope: Scope) -> Iterator[Thrown | Problem]:
    """Everything in the trash cans of this user that the scope's platform has."""
    if scope.platform == "win32":
        for top in _drives(scope):
            yield from _recycled(top)
    elif scope.platform == "darwin":
        yield from _finders_trash(scope)
    else:
        for can, base in _freedesktop_cans(scope):
            yield from _freedesktop(can, base)


def _freedesktop_cans(scope: Scope) -> Iterator[tuple[Path, Path | None]]:
    """Each can, and what its relative paths are relative to."""
    data = scope.environ.get("XDG_DATA_HOME") or str(scope.home / ".local/share")
    yield Path(data) / "Trash", None
    uid = os.getuid() if hasattr(os, "getuid") else 0
    at = scope.notebook.parent if scope.notebook else scope.folder
    for top in (at, *at.parents):
        yield top / ".Trash" / str(uid), top
        yield top / f".Trash-{uid}", top


def _freedesktop(can: Path, base: Path | None) -> Iterator[Thrown | Problem]:
    files = can / "files"
    try:
        names = sorted(os.listdir(files))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        yield Problem(str(files), f"This trash can cannot be looked into: {error.strerror}.")
        return
    for name in names:
        origin, time_ns = _trashinfo(can / "info" / f"{name}.trashinfo", base)
        yield Thrown(files / name, origin, time_ns)


def _trashinfo(note: Path, base: Path | None) -> tuple[Path | None, int | None]:
    """Where the file came from and when it was thrown away, as far as the note says it."""
    try:
        with open_file(note) as file:
            lines = file.read(_LARGEST_NOTE).splitlines()
    except OSError:
        return None, None
    told = dict(line.split(b"=", 1) for line in lines if b"=" in line)
    origin = None
    if b"Path" in told:
        path = Path(os.fsdecode(unquote_to_bytes(told[b"Path"].strip())))
        origin = path if path.is_absolute() or base is None else base / path
    return origin, _local_time(told.get(b"DeletionDate", b""))


def _local_time(text: bytes) -> int | None:
    try:
        moment = datetime.fromisoformat(text.strip().decode("ascii"))
        return int(moment.timestamp() * 1_000_000_000)
    except (ValueError, OverflowError, OSError):
        return None


def _finders_trash(scope: Scope) -> Iterator[Thrown | Problem]:
    uid = os.getuid() if hasattr(os, "getuid") else 0
    volumes = Path("/Volumes")
    cans = [scope.home / ".Trash", *volumes.glob(f"*/.Trashes/{uid}")]
    for can in cans:
        try:
            names = sorted(os.listdir(can))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            words = (
                f"The trash cannot be looked into ({error.strerror}): open it in the Finder, or"
                " allow the terminal full disk access."
            )
            yield Problem(str(can), words)
            continue
        yield from (Thrown(can / name, None, _changed(can / name)) for name in names)


def _drives(scope: Scope) -> Iterator[Path]:
    at = scope.notebook or scope.folder
    drives = {at.anchor, scope.home.anchor, scope.environ.get("SystemDrive", "C:") + "\\"}
    yield from (Path(each) for each in sorted(drives) if each)


def _recycled(top: Path) -> Iterator[Thrown | Problem]:
    for note in sorted(top.glob("$Recycle.Bin/*/$I*")):
        place = note.with_name("$R" + note.name[2:])
        if not os.path.exists(place):
            continue
        try:
            with open_file(note) as file:
                told = parse_recycle_note(file.read(_LARGEST_NOTE))
        except OSError:
            told = None
        if told is None:
            yield Thrown(place, None, _changed(place))
        else:
            yield Thrown(place, Path(told[0]), told[1])


def parse_recycle_note(raw: bytes) -> tuple[str, int] | None:
    """The path and the time (ns) in a `$I` file of Windows; None where it is not one.

    Version 1 (up to Windows 8) has 260 characters of UTF-16, version 2 a count before them.
    """
    if len(raw) < 28:
        return None
    version, _, ticks = struct.unpack_from("<qqQ", raw)
    if version == 1:
        text = raw[24 : 24 + 520]
    elif version == 2:
        text = raw[28 : 28 + 2 * struct.unpack_from("<I", raw, 24)[0]]
    else:
        return None
    path = text.decode("utf-16-le", "replace").partition("\0")[0]
    return (path, (ticks - _WINDOWS_EPOCH) * 100) if path else None


def _changed(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
