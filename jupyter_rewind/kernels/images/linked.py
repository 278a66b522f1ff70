"""Files that a process has open or mapped under a name that is gone, while they have another one:
semaphores of processes that work together, as joblib makes them, and libraries that were replaced,
where whoever installed them keeps them under a second name, as uv and conda do.

CRIU gives each of them one name more, by which it finds them again, and leaves that lying where the
process stands still afterwards; the next image would stumble over it. So what they hold goes into
the image, and they are there again, as new files, when it comes back.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_rewind.errors import RewindError, Unavailable
from jupyter_rewind.kernels.hosting import links
from jupyter_rewind.kernels.hosting.keeper import MEMORY, TURN
from jupyter_rewind.kernels.hosting.record import Place, places
from jupyter_rewind.kernels.images.messages import entries, numbers
from jupyter_rewind.kernels.images.openfiles import LIST, REMAPPED, read_deleted, read_files
from jupyter_rewind.kernels.images.relocation import Moves, move
from jupyter_rewind.model.encoding import parse_json, to_json
from jupyter_rewind.store.durable import Files, translate
from jupyter_rewind.store.locks import FileLock

if TYPE_CHECKING:
    from jupyter_rewind.model.entry import Json

FORMAT = 1
BOOK, _PART = "linked-files.json", "linked-{}.bin"
"""Beside CRIU's files in an image; CRIU does not read them."""
_SEMAPHORE = "sem."
_WAIT_SECONDS = 120.0
_ORIGINAL, _LINK, _KIND, _LINKED = 1, 2, 3, 0


def take_in(folder: Path, most_bytes: int) -> None:
    """What the linked files hold is in the image in `folder`, and the names that CRIU gave them are
    gone. Raises Unavailable where one is larger than that, Integrity, Storage."""
    given = _links(folder)
    try:
        told: list[Json] = [
            _keep(folder, number, original, name, most_bytes)
            for number, (original, name) in enumerate(given.items())
        ]
        if told:
            Files().replace_file(folder / BOOK, to_json({"format": FORMAT, "files": told}), 0o600)
    finally:
        for name in given.values():
            Files().remove(Path(name))


def taken_in(folder: Path) -> frozenset[int]:
    """The numbers of the files whose content is in the image, whatever has their names by now:
    here, and those that CRIU takes in, which nobody could open any more. Raises Integrity."""
    remapped = folder / REMAPPED
    deleted = read_deleted(remapped.read_bytes()) if remapped.exists() else frozenset()
    return deleted.union(int(each["number"]) for _, each in _told(folder))


def has_semaphores(folder: Path) -> bool:
    """Whether programs that the process starts look for such files by their names."""
    return any(told["names"] for _, told in _told(folder))


def put_out(folder: Path) -> None:
    """The files are there for CRIU, as the image in `folder` has them; semaphores also under the
    names by which programs that the process starts look for them. Raises Integrity, Storage."""
    names: dict[str, str] = {}
    for number, (link, told) in enumerate(_told(folder)):
        Files().remove(link)
        descriptor = Files().create(link, told["mode"])
        try:
            data = (folder / _PART.format(number)).read_bytes()
            Files().write_at(descriptor, [data], 0, link)
        finally:
            Files().close(descriptor)
        names[told["name"]] = str(link)
        for name in told["names"]:
            with suppress(OSError, RewindError):
                _name(link, Path(name))
    move(folder, Moves(names=names))


def take_away(folder: Path) -> None:
    """The names that `put_out` gave for CRIU are gone, where it did not use them. Never fails."""
    with suppress(RewindError):
        for link, _ in _told(folder):
            Files().remove(link)


@contextmanager
def alone(place: Place) -> Iterator[None]:
    """No other kernel gets names for CRIU in the block where this one may, and none of images that
    failed are in its way; where the block fails, none of this one's are left. Raises Unavailable,
    Integrity, Newer, Storage."""
    hosted = place.read()
    pid = hosted.process.pid if hosted is not None else 0
    files = links.unnamed(pid) | links.noted(place.folder)
    with links.locked(files, _WAIT_SECONDS) as held:
        for other in places(place.folder.parent.parent):
            if other.kernel != place.kernel and links.noted(other.folder):
                _drop_of_nobody(other, held)
        links.drop(files, held)
        links.note(place.folder, files)
        try:
            yield
        except BaseException:
            # What was written down stays: CRIU may not have ended yet, for it is the keeper's.
            links.drop(files | links.unnamed(pid), held)
            raise
        links.forget(place.folder)


def _drop_of_nobody(place: Place, held: Collection[str]) -> None:
    """What somebody has left who is not there any more; whoever is there takes care of his own."""
    turn = FileLock(place.folder / TURN)
    with suppress(RewindError):
        if turn.try_acquire(exclusive=True):
            try:
                links.drop(links.noted(place.folder), held)
            finally:
                turn.release()


def _keep(folder: Path, number: int, original: int, name: str, most_bytes: int) -> Json:
    try:
        status = os.lstat(name)
        if status.st_size > most_bytes:
            raise Unavailable(
                "No image of the kernel was made: a deleted file that it still has open is larger"
                " than kernels.ghost_limit_mb allows.",
                hint="The kernel goes on as before, and nothing was stored.",
            )
        data = Path(name).read_bytes()
    except OSError as error:
        raise translate(error, "read", name) from error
    Files().replace_file(folder / _PART.format(number), data, 0o600)
    names: list[Json] = [*_semaphores(status)] if os.path.dirname(name) == MEMORY else []
    mode = stat.S_IMODE(status.st_mode)
    return {"number": original, "name": name, "mode": mode, "names": names}


def _links(folder: Path) -> dict[int, str]:
    """The names that CRIU has given, each after the number of its file. Raises Integrity."""
    path = folder / REMAPPED
    if not path.exists():
        return {}
    told = [numbers(entry) for entry in entries(path.read_bytes())]
    wanted = {
        each.get(_LINK): each.get(_ORIGINAL, 0)
        for each in told
        if each.get(_KIND, _LINKED) == _LINKED
    }
    files = read_files((folder / LIST).read_bytes())
    return {wanted[file.number]: file.name for file in files if file.number in wanted}


def _told(folder: Path) -> Iterator[tuple[Path, Any]]:
    path = folder / BOOK
    if path.exists():
        for number, each in enumerate(parse_json(path.read_bytes())["files"]):
            # As CRIU does where a package is gone with its folder: in the next one above it.
            beside = links.standing(os.path.dirname(each["name"]))
            yield Path(beside, f".rewind-{folder.name}.{number}"), each


def _name(link: Path, name: Path) -> None:
    beside = link.with_name(f"{link.name}.name")
    Files().remove(beside)
    Files().link(link, beside)
    Files().rename(beside, name)


def _semaphores(status: os.stat_result) -> Iterator[str]:
    """The names by which other processes find it."""
    for name in _listed(MEMORY):
        path = os.path.join(MEMORY, name)
        with suppress(OSError):
            if name.startswith(_SEMAPHORE) and os.path.samestat(os.lstat(path), status):
                yield path


def _listed(folder: str) -> list[str]:
    with suppress(OSError):
        return os.listdir(folder)
    return []
