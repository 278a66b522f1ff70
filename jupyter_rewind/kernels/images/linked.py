"""Files that a process has mapped under a name that is gone, while they have another one: so are
the semaphores of processes that work together, as joblib makes them.

CRIU gives each of them one name more, by which it finds them again, and leaves that lying where the
process stands still afterwards; the next image would stumble over it. So what they hold goes into
the image, and they are there again, as new files, when it comes back.
"""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_rewind.errors import RewindError
from jupyter_rewind.kernels.hosting.keeper import MEMORY
from jupyter_rewind.kernels.images.messages import entries, numbers
from jupyter_rewind.kernels.images.openfiles import LIST, REMAPPED, read_files
from jupyter_rewind.kernels.images.relocation import Moves, move
from jupyter_rewind.model.encoding import parse_json, to_json
from jupyter_rewind.store.durable import Files, read_text_or_empty

if TYPE_CHECKING:
    from jupyter_rewind.kernels.hosting.record import Place
    from jupyter_rewind.model.entry import Json

FORMAT = 1
BOOK = "linked-files.json"
"""Beside CRIU's files in an image; CRIU does not read it."""
_PREFIX = "link_remap."
_LINK, _KIND, _LINKED = 2, 3, 0
_MOST_BYTES = 1 << 20


def take_in(folder: Path) -> None:
    """What the linked files hold is in the image in `folder`, and the names that CRIU gave them are
    gone. Raises Integrity, Storage."""
    found: list[Json] = []
    for name in _links(folder):
        with suppress(OSError):
            status = os.lstat(name)
            if stat.S_ISREG(status.st_mode) and status.st_size <= _MOST_BYTES:
                data = base64.b64encode(Path(name).read_bytes()).decode()
                mode = stat.S_IMODE(status.st_mode)
                names: list[Json] = [*_names_of(status)]
                found.append({"name": name, "mode": mode, "data": data, "names": names})
    if found:
        Files().replace_file(folder / BOOK, to_json({"format": FORMAT, "files": found}), 0o600)
    for each in _links(folder):
        Files().remove(Path(each))


def put_out(folder: Path, *, is_second: bool) -> None:
    """The files are there for CRIU, as the image in `folder` has them, and under the names by which
    programs that the process starts look for them; those of a process that lives are its own, where
    this `is_second` to it. Raises Integrity, Storage."""
    names: dict[str, str] = {}
    for link, told in _told(folder):
        Files().remove(link)
        descriptor = Files().create(link, told["mode"])
        try:
            Files().write_at(descriptor, [base64.b64decode(told["data"])], 0, link)
        finally:
            Files().close(descriptor)
        names[told["name"]] = str(link)
        for name in told["names"]:
            if not (is_second and os.path.lexists(name)):
                with suppress(OSError, RewindError):
                    _name(link, Path(name))
    move(folder, Moves(names=names))


def take_away(folder: Path) -> None:
    """The names that `put_out` gave for CRIU are gone, where it did not use them. Never fails."""
    with suppress(RewindError):
        for link, _ in _told(folder):
            Files().remove(link)


def drop_left(place: Place) -> None:
    """Names that a CRIU which was killed gave to files of this very kernel are gone. Raises
    Integrity, Newer, Storage."""
    left = [Path(MEMORY, name) for name in _listed() if name.startswith(_PREFIX)]
    hosted = place.read() if left else None
    if hosted is None:
        return
    mapped = {number for pid in _below(hosted.process.pid) for number in _mapped(pid)}
    for path in left:
        with suppress(OSError):
            if os.lstat(path).st_ino in mapped:
                Files().remove(path)


def _links(folder: Path) -> Iterator[str]:
    """The names in memory that CRIU has given. Raises Integrity."""
    path = folder / REMAPPED
    if not path.exists():
        return
    told = [numbers(entry) for entry in entries(path.read_bytes())]
    wanted = {each.get(_LINK) for each in told if each.get(_KIND, _LINKED) == _LINKED}
    for file in read_files((folder / LIST).read_bytes()):
        if file.number in wanted and os.path.dirname(file.name) == MEMORY:
            yield file.name


def _told(folder: Path) -> Iterator[tuple[Path, Any]]:
    path = folder / BOOK
    if path.exists():
        for number, each in enumerate(parse_json(path.read_bytes())["files"]):
            yield Path(MEMORY, f"rewind-{folder.name}.{number}"), each


def _name(link: Path, name: Path) -> None:
    beside = link.with_name(f"{link.name}.name")
    Files().remove(beside)
    Files().link(link, beside)
    Files().rename(beside, name)


def _names_of(status: os.stat_result) -> Iterator[str]:
    """The other names in memory of the file."""
    for name in _listed():
        path = os.path.join(MEMORY, name)
        with suppress(OSError):
            if not name.startswith(_PREFIX) and os.path.samestat(os.lstat(path), status):
                yield path


def _listed() -> list[str]:
    with suppress(OSError):
        return os.listdir(MEMORY)
    return []


def _below(pid: int) -> list[int]:
    """The process, those that it has started, and those that they have."""
    found = [pid]
    for each in found:
        for children in Path("/proc", str(each), "task").glob("*/children"):
            found += map(int, read_text_or_empty(children).split())
    return found


def _mapped(pid: int) -> Iterator[int]:
    """The numbers of the files in memory that the process has mapped."""
    for line in read_text_or_empty(Path("/proc", str(pid), "maps")).splitlines():
        fields = line.split(None, 5)
        if len(fields) == 6 and fields[5].startswith(f"{MEMORY}/"):
            yield int(fields[4])
