"""A replica in the very folder where a disk or a share is mounted, which is there without it.

That something was mounted is noted in a file of its own, by the replica's address: it is known
before anything was pushed, and when all else that was noted of the replica is read afresh.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from jupyter_rewind.errors import RewindError, Unavailable
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.replica.folder import FolderObjects
from jupyter_rewind.store.replica.notes import mount_path, read_notes
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.opening import read_identity
from jupyter_rewind.store.repository import Repository

log = logging.getLogger(__name__)


def note_mount(repository: Repository, url: str, objects: Objects) -> None:
    """Whether something is mounted there now is known from now on. Never fails."""
    path, is_mount = mount_path(repository.layout, url), _is_mount(objects)
    if path.exists() == is_mount:
        return
    try:
        if is_mount:
            repository.files.make_folder(path.parent)
            repository.files.replace_file(path, b"")
        else:
            repository.files.remove(path)
    except RewindError as error:
        log.info("whether the replica lies on a disk of its own was not noted: %s", error)


def require_mounted(objects: Objects, layout: Layout, url: str) -> None:
    """Raises Unavailable where the replica lay on a disk or a share that was mounted at its folder
    and is not: what is pushed would lie on this machine's own disk, below the place for it."""
    if not mount_path(layout, url).exists() or _is_mount(objects):
        return
    with suppress(RewindError):
        if read_identity(objects).replica == read_notes(layout, url).replica:
            return  # it was moved
    raise _not_mounted(objects)


@contextmanager
def keeping_mounted(repository: Repository, url: str, objects: Objects) -> Iterator[None]:
    """What is mounted at the beginning is noted before anything is written there. Raises
    Unavailable as `require_mounted` does, and where it is away at the end: nobody knows what of
    it all has come there."""
    require_mounted(objects, repository.layout, url)
    note_mount(repository, url, objects)
    was_mount = _is_mount(objects)
    try:
        yield
    except RewindError as error:
        if was_mount and not _is_mount(objects):
            raise _not_mounted(objects) from error
        raise
    if was_mount and not _is_mount(objects):
        raise _not_mounted(objects)


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
