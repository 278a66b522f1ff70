"""What Rewind in a kernel had open in its store when an image of it was made: that belongs to the
kernel's first life, which went on and wrote more.

A kernel that comes back finds other files in their places, which nobody reads, and by one of them
it knows that it came back (`clock.process`): from its first step on, it writes nothing where its
first life wrote. It is then asked to begin anew (`pulse`), with the states of before.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from jupyter_rewind import clock
from jupyter_rewind.errors import RewindError
from jupyter_rewind.kernels.hosting.process import FOLDER
from jupyter_rewind.kernels.hosting.record import LIFE, Place
from jupyter_rewind.kernels.images.openfiles import (
    LIST,
    REMAPPED,
    OpenFile,
    read_deleted,
    read_files,
)
from jupyter_rewind.kernels.images.relocation import Moves, move
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.layout import read_store_id

_PAST = "past-"


def leave_behind(folder: Path, store: Path, place: Place) -> None:
    """The image in `folder` has none of the first life's files any more, but new ones, as large, in
    the kernel's `place`. Raises Integrity, Storage."""
    remapped = folder / REMAPPED
    deleted = read_deleted(remapped.read_bytes()) if remapped.exists() else frozenset()
    files = Files()
    past = place.folder / f"{_PAST}{clock.new_id()}"
    names: dict[str, str] = {}
    for file in read_files((folder / LIST).read_bytes()):
        if file.name in names or file.number in deleted or not is_of_first_life(file, store):
            continue
        if not names:
            files.make_folder(past)
        target = past / (LIFE if Path(file.name).name == LIFE else str(len(names)))
        descriptor = files.create(target)
        try:
            files.truncate(descriptor, file.size or 0, target)
        finally:
            files.close(descriptor)
        names[file.name] = str(target)
    move(folder, Moves(names=names))


def is_of_first_life(file: OpenFile, store: Path) -> bool:
    """Whether Rewind had it open: in its store, which may be another one than the images', or for a
    life that has ended before."""
    path = Path(file.name)
    is_stored = path.is_relative_to(os.path.realpath(store)) or _is_in_a_store(path)
    if is_stored and not os.path.isdir(path):
        return True
    is_hosted = FOLDER in path.parts
    return is_hosted and (path.name == LIFE or path.parent.name.startswith(_PAST))


def _is_in_a_store(path: Path) -> bool:
    for folder in list(path.parents)[:2]:
        if (folder / "segments").is_dir():
            with suppress(RewindError):
                return bool(read_store_id(folder))
    return False


def drop_earlier(place: Place) -> None:
    """Of the lives of the kernel that runs there, all are gone but the one that has just begun."""
    found = [(each.stat().st_mtime_ns, each) for each in place.folder.glob(f"{_PAST}*")]
    for _, folder in sorted(found)[:-1]:
        shutil.rmtree(folder, ignore_errors=True)
