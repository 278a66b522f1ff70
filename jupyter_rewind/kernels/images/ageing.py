"""Process images that may go where room is short: never the newest of a notebook, or of a kernel
that may still be asked for, nor one with a name."""

from __future__ import annotations

from collections.abc import Collection

from jupyter_rewind.kernels.images.records import IMAGE, IMAGE_MARK, decode_image, mark_key
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.model.image import ImageId, ProcessImage
from jupyter_rewind.store.repository import Repository


def list_expendable_images(
    repository: Repository, awaited: Collection[str] = ()
) -> list[ProcessImage]:
    """Oldest first; `awaited` are the kernels that keep their newest one, whatever their notebook
    has. Raises Newer, Integrity."""
    newest: dict[str, ProcessImage] = {}
    found: list[ProcessImage] = []
    for entry in repository.entries(kind=IMAGE):
        marks = repository.entries(kind=IMAGE_MARK, key=mark_key(ImageId(entry.id)))
        image = decode_image(entry, marks)
        found.append(image)
        newest[image.path] = image
        if image.kernel in awaited:
            newest[f"kernel:{image.kernel}"] = image
    needed = {one.id for one in newest.values()}
    return [one for one in found if one.id not in needed and not (one.labels or one.pinned)]


def expire_images(
    repository: Repository, wanted: Collection[ImageId], awaited: Collection[str] = ()
) -> list[ImageId]:
    """Those of `wanted` that may still go have expired."""
    repository.refresh()
    with repository.transaction(exclusive=True) as tx:
        gone = [one.id for one in list_expendable_images(repository, awaited) if one.id in wanted]
        for name in gone:
            marks = repository.entries(kind=IMAGE_MARK, key=mark_key(name))
            tx.expire([EntryId(name), *(mark.id for mark in marks)])
    return gone
