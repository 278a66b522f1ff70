"""How a process image stands in the store: an entry, and entries that mark it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jupyter_rewind.errors import Integrity, Newer
from jupyter_rewind.model.entry import Entry, Json
from jupyter_rewind.model.execution import kernel_key, path_key
from jupyter_rewind.model.image import ImageId, ProcessImage

if TYPE_CHECKING:
    from jupyter_rewind.store.repository import Repository

IMAGE, IMAGE_MARK = "image", "image_mark"
FORMAT = 1


def mark_key(image: ImageId) -> str:
    """What the marks of an image are looked up by."""
    return f"image:{image}"


def mark_of(image: ProcessImage, said: dict[str, Json]) -> dict[str, Any]:
    """The keys and the body of an entry that says this of the image."""
    keys = [mark_key(image.id), kernel_key(image.kernel)]
    return {"keys": keys, "body": {"image": image.id, **said}}


def image_keys(kernel: str, path: str) -> list[str]:
    """What an image is looked up by."""
    return [kernel_key(kernel), *([path_key(path)] if path else [])]


def image_body(image: ProcessImage) -> dict[str, Json]:
    """What the entry says; its id and its place in the order are the entry's own."""
    return {
        "format": FORMAT,
        "kernel": image.kernel,
        "name": image.name,
        "path": image.path,
        "time": image.time_ns,
        "boot": image.boot,
        "criu": image.criu,
        "reason": image.reason,
        "size": image.size_bytes,
        "new": image.new_bytes,
        "pid": image.pid,
    }


def decode_image(entry: Entry, marks: Sequence[Entry]) -> ProcessImage:
    """The image that the entry tells of. Raises Newer, Integrity."""
    body = entry.body
    if body.get("format") != FORMAT:
        raise Newer(
            f"The process image {entry.id} was written by another version of Jupyter Rewind.",
            hint="Upgrade with `pip install -U jupyter-rewind`.",
        )
    name = ImageId(entry.id)
    labels: dict[str, None] = {}
    pinned = False
    for mark in marks:
        if mark.body.get("image") != name:
            continue
        if label := mark.body.get("label"):
            labels[str(label)] = None
        if label := mark.body.get("unlabel"):
            labels.pop(str(label), None)
        pinned = bool(mark.body.get("pin", pinned))
    try:
        return ProcessImage(
            id=name, kernel=str(body["kernel"]), name=str(body["name"]), path=str(body["path"]),
            time_ns=_number(body["time"]), order=entry.order, pid=_number(body["pid"]),
            boot=str(body["boot"]), criu=str(body["criu"]), reason=str(body["reason"]),
            size_bytes=_number(body["size"]), new_bytes=_number(body["new"]),
            labels=tuple(labels), pinned=pinned,
        )  # fmt: skip
    except (KeyError, TypeError) as error:
        raise Integrity(f"The entry of the process image {entry.id} does not read.") from error


def images_at(repository: Repository, file: str) -> list[ProcessImage]:
    """Those that were made of kernels whose notebook lay at this path then, oldest first. Raises
    Newer, Integrity."""
    found = repository.entries(kind=IMAGE, key=path_key(file))
    return [
        decode_image(each, repository.entries(kind=IMAGE_MARK, key=mark_key(ImageId(each.id))))
        for each in found
    ]


def _number(value: Json) -> int:
    if not isinstance(value, int):
        raise TypeError(value)
    return value
