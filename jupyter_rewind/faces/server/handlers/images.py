"""The process images of kernels: listed, made, named, deleted, brought back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_rewind.errors import InvalidInput, Unavailable
from jupyter_rewind.faces.server.desk import wait_for
from jupyter_rewind.faces.server.handlers.base import RewindHandler, text_of
from jupyter_rewind.faces.server.imaging import ImageDesk


class ImagesHandlerBase(RewindHandler):
    """What the handlers of process images have in common."""

    auth_resource = "kernels"

    @property
    def images(self) -> ImageDesk:
        """Raises what kept the extension from starting."""
        found = self.extension.images
        if found is None:
            raise self.extension.refusal or Unavailable("Jupyter Rewind is off on this server.")
        return found


class AllImagesHandler(ImagesHandlerBase):
    """GET the process images of a notebook's kernels, or of all that this server serves."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        if self.get_query_argument("path", ""):
            path, file = await self.query_file()
            # A notebook that was renamed just now has its history under its new name then.
            await wait_for(self.service.desk.settle(file))
            found = await self.images.of_notebook(file)
            rows = [{**self.images.json(each), "path": path} for each in found]
        else:
            rows = [self.images.json(each) for each in await self.images.all()]
        problem = await self.images.problem()
        self.answer({"images": rows, "problem": problem or None})


class ImagesHandler(ImagesHandlerBase):
    """GET the process images of a kernel, POST one of the present, DELETE those without a name."""

    @web.authenticated
    @authorized
    async def get(self, kernel: str) -> None:
        found = await self.images.of_kernel(kernel)
        problem = await self.images.problem()
        rows = [self.images.json(each) for each in found]
        self.answer({"kernel": kernel, "images": rows, "problem": problem or None})

    @web.authenticated
    @authorized
    async def post(self, kernel: str) -> None:
        body = self.body()
        stop = flag_of(body, "stop")
        label = text_of(body, "label", "") or None
        made = await self.images.create(kernel, label=label, stop=stop)
        self.answer({"image": self.images.json(made)}, 201)

    @web.authenticated
    @authorized
    async def delete(self, kernel: str) -> None:
        deleted, kept = await self.images.clear(kernel)
        self.answer(
            {
                "deleted": [self.images.json(each) for each in deleted],
                "kept": [self.images.json(each) for each in kept],
            }
        )


class ImageHandler(ImagesHandlerBase):
    """DELETE a process image."""

    @web.authenticated
    @authorized
    async def delete(self, kernel: str, ref: str) -> None:
        await self.images.delete(kernel, ref)
        self.set_status(204)
        self.finish()


class ImageLabelsHandler(ImagesHandlerBase):
    """POST: the image has a name, and does not expire."""

    @web.authenticated
    @authorized
    async def post(self, kernel: str, ref: str) -> None:
        label = text_of(self.body(), "label")
        image = await self.images.label(kernel, ref, label)
        self.answer({"image": self.images.json(image)}, 201)


class ImageRestoreHandler(ImagesHandlerBase):
    """POST: the kernel is what it was when the image was made; its present is kept first. Or,
    with `beside`, a second kernel is."""

    @web.authenticated
    @authorized
    async def post(self, kernel: str, ref: str) -> None:
        if flag_of(self.body(), "beside"):
            image, second = await self.images.restore_beside(kernel, ref)
            self.answer({"image": self.images.json(image), "kept": None, "kernel": second})
            return
        done = await self.images.restore(kernel, ref)
        kept = None if done.kept is None else self.images.json(done.kept)
        self.answer({"image": self.images.json(done.image), "kept": kept, "kernel": kernel})


def flag_of(body: Mapping[str, Any], name: str) -> bool:
    """Whether a body says so; false without a word. Raises InvalidInput for anything else."""
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise InvalidInput(f"{name} must be true or false.")
    return value
