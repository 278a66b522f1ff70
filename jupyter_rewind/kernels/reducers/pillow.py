"""Images of Pillow: the pixels out of band; a file that was not read yet is not read now.

What draws on an image draws on it again.
"""

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
    registry.add_named("PIL.ImageDraw.ImageDraw", reduce_draw)


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


def reduce_draw(value: Any, context: Context) -> Reduction:
    state = dict(vars(value))
    image, memory = state.pop("_image", None), state.pop("im", None)
    state.pop("draw", None)
    if memory is None or getattr(image, "_im", None) is not memory:
        what = "what drew on pixels that no image has any more"
        return stand_in(value, context, what, "make it again for the image")
    is_of_image = state.get("palette") is image.palette
    if is_of_image:
        state.pop("palette", None)
    blends = value.mode != image.mode
    return rebuild_draw, (type(value), image, blends, is_of_image), state, None, None, set_drawing


def rebuild_draw(kind: Any, image: Any, blends: bool, is_of_image: bool) -> Any:
    if isinstance(image, Placeholder):
        return image
    made = object.__new__(kind)
    own = {"_image": image, "im": image.im, "draw": Image.core.draw(image.im, int(blends))}
    vars(made).update(own, **({"palette": image.palette} if is_of_image else {}))
    return made


def set_drawing(made: Any, state: dict[str, Any]) -> None:
    if not isinstance(made, Placeholder):
        vars(made).update(state)
