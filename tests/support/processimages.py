"""Entries of process images in a store, made without a process."""

from __future__ import annotations

from jupyter_rewind import clock
from jupyter_rewind.kernels.images.records import IMAGE, decode_image, image_body, image_keys
from jupyter_rewind.model.image import ASKED, ImageId, ProcessImage
from jupyter_rewind.store.repository import Repository


def add_image(
    repository: Repository, kernel: str, path: str, *, reason: str = ASKED
) -> ProcessImage:
    """An image that this kernel of the notebook at `path` would have made now."""
    told = ProcessImage(
        id=ImageId(""), kernel=kernel, name="python3", path=path, time_ns=clock.now_ns(), order=0,
        pid=0, boot="", criu="4.2", reason=reason, size_bytes=1, new_bytes=1,
    )  # fmt: skip
    with repository.transaction() as tx:
        entry = tx.add(IMAGE, keys=image_keys(kernel, path), body=image_body(told))
    return decode_image(entry, ())
