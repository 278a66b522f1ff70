"""A replica in the very folder where a disk or a share is mounted, which is there without it.

That something was mounted is noted in a file of its own, by the replica's address: it is known
before anything was pushed, and before there is a store here, and when all else that was noted of
the replica is read afresh.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jupyter_rewind.errors import RewindError, Unavailable
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.replica.folder import FolderObjects
from jupyter_rewind.store.replica.ledger import go_so_far
from jupyter_rewind.store.replica.notes import mount_path, read_notes
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.opening import read_identity
from jupyter_rewind.store.repository import Repository

log = logging.getLogger(__name__)


def note_mount(folder: Path, url: str, objects: Objects, files: Files) -> None:
    """Whether something is mounted there now is known from now on, by the store at `folder` or the
    one that is still to be made there. Never fails."""
    path = mount_path(folder, url)
    try:
        is_mount = _is_mount(objects)
        if path.exists() == is_mount:
            return
        if is_mount:
            files.make_folder(folder)  # as a store is made: for its user alone
            files.make_folder(path.parent)
            files.replace_file(path, b"")
        else:
            files.remove(path)
    except (RewindError, OSError) as error:
        log.info("whether the replica lies on a disk of its own was not noted: %s", error)


def require_disk(objects: Objects, folder: Path, url: str) -> None:
    """Raises Unavailable where the replica lay on a disk or a share that was mounted at its folder
    and is not, as far as the store at `folder` or the place for it knows."""
    if _is_away(objects, folder, url):
        raise _not_mounted(objects)


def require_mounted(objects: Objects, layout: Layout, url: str) -> None:
    """As `require_disk`, unless what lies in the folder is the replica itself: what is pushed would
    lie on this machine's own disk, below the place for it."""
    if _is_away(objects, layout.folder, url) and not _was_moved(objects, layout, url):
        raise _not_mounted(objects)


@contextmanager
def keeping_mounted(repository: Repository, url: str, objects: Objects) -> Iterator[None]:
    """What is mounted at the beginning is noted before anything is written there. Raises
    Unavailable as `require_mounted` does, and where it is away at the end: nobody knows what of
    it all has come there."""
    require_mounted(objects, repository.layout, url)
    note_mount(repository.folder, url, objects, repository.files)
    was_mount = _is_mount(objects)
    try:
        yield
    except RewindError as error:
        is_there = True
        with suppress(RewindError):
            is_there = _is_mount(objects)
        if was_mount and not is_there:
            raise _not_mounted(objects) from error
        raise
    if was_mount and not _is_mount(objects):
        raise _not_mounted(objects)


def _is_away(objects: Objects, folder: Path, url: str) -> bool:
    return mount_path(folder, url).exists() and not _is_mount(objects)


def _was_moved(objects: Objects, layout: Layout, url: str) -> bool:
    """Whether the folder has all that was seen of the replica; an old copy of it may lie there,
    too."""
    notes = read_notes(layout, url)
    with suppress(RewindError):
        is_same = bool(notes.numbers) and read_identity(objects).replica == notes.replica
        return is_same and go_so_far(notes.numbers, objects)
    return False


def _is_mount(objects: Objects) -> bool:
    return isinstance(objects, FolderObjects) and objects.is_mount


def _not_mounted(objects: Objects) -> Unavailable:
    return Unavailable(
        f"Nothing is mounted at {objects.place}, where the replica lay.",
        hint="Nothing was changed in the store. Mount the replica's disk or share, and try again."
        " If the replica is to lie in that folder itself from now on, take it out of the settings"
        " with `jupyter rewind replica remove`, or where else it is set, and add it again.",
        retryable=True,
    )
