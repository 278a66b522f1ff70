"""Process images that the store tells of, without a process."""

from __future__ import annotations

from pathlib import Path

from jupyter_rewind.kernels.images.records import IMAGE, image_body, image_keys
from jupyter_rewind.model.image import ImageId, ProcessImage
from jupyter_rewind.store.repository import Repository


def tell_of_image(store: Path, keys: Path, notebook: Path, time_ns: int) -> str:
    """The id of an image, made then, of a kernel of the notebook."""
    image = ProcessImage(
        ImageId(""), "k", "python3", str(notebook), time_ns, 0, 1, "boot", "4.2", "asked", 7, 5,
    )  # fmt: skip
    with Repository.open(store, key_folder=keys) as repository, repository.transaction() as tx:
        found = tx.add(IMAGE, keys=image_keys("k", image.path), body=image_body(image))
    return str(found.id)
