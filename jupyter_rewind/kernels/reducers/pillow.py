"""Images of Pillow: the pixels out of band; a file that was not read yet is not read now."""

from __future__ import annotations

import os
import pickle
from typing import Any

from PIL import Image

from jupyter_rewind.kernels.placeholders import Placeholder
from jupyter_rewind.kernels.reducers.contract import Context, Reduction, name_of, stand_in
from jupyter_rewind.kernels.reducers.registry import Registry
from jupyter_rewind.model.snapshot import Fidelity


def register(registry: Registry) -> None:
    registry.add(Image.Image, reduce_image, subclasses=True, always=True)


def reduce_image(value: Any, context: Context) -> Reduction:
    if getattr(value, "_im", None) is None:
        return _reduce_unread(value, context)
    if type(value) is not Image.Image:
        kind = name_of(type(value))
        context.note(Fidelity.REBUILT, f"the pixels of a {kind}, without its file")
    palette = value.getpalette() if value.mode in ("L", "P", "LA", "PA") else None
    memory = pickle.PickleBuffer(value.tobytes())
    info = dict(value.info)
    return rebuild_image, (value.mode, value.size, palette, memory), info, None, None, set_info


def _reduce_unread(value: Any, context: Context) -> Reduction:
    path = getattr(value, "filename", None)
    if not isinstance(path, str | bytes) or not path:
        return stand_in(value, context, "an image that was not read yet", "open it again")
    path = os.path.abspath(path)
    context.note(Fidelity.REFERENCE, f"an image that was not read yet, of the file {path!r}")
    return reopen_image, (path,)


def reopen_image(path: Any) -> Any:
    try:
        return Image.open(path)
    except (OSError, ValueError) as error:
        what = f"an image of the file {path!r} ({error})"
        return Placeholder("PIL.Image.Image", what, "put the file back and open it again")


def rebuild_image(mode: str, size: tuple[int, int], palette: Any, source: Any) -> Any:
    made = Image.Image.__new__(Image.Image)
    made.__setstate__([{}, mode, size, palette, bytes(source)])
    return made


def set_info(image: Any, info: dict[Any, Any]) -> None:
    image.info.update(info)
