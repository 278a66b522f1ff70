"""Process images as JSON: one form for commands and REST."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_rewind.model.entry import Json
    from jupyter_rewind.model.image import ProcessImage


def image_json(image: ProcessImage) -> dict[str, Json]:
    """What programs are told of an image."""
    return {
        "id": image.id, "kernel": image.kernel, "kernel_name": image.name, "path": image.path,
        "time_ns": image.time_ns, "reason": image.reason, "criu": image.criu,
        "size_bytes": image.size_bytes, "new_bytes": image.new_bytes,
        "labels": [*image.labels],
    }  # fmt: skip
