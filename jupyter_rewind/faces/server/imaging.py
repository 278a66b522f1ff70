"""Process images of this server's kernels, asked for over the network.

Freezing, storing and restoring take from a tenth of a second to minutes. They happen in threads of
their own, over a handle of the store of their own, so that no save and no look at a history waits
for them; and one at a time for each kernel, which whoever comes second is told at once.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_rewind.errors import Conflict, NotFound, RestoreRefused
from jupyter_rewind.faces.server.announcer import IMAGE_EVENTS, Announcer
from jupyter_rewind.faces.server.paths import Paths
from jupyter_rewind.kernels.images.telling import image_json

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

    from jupyter_rewind.kernels.hosting.record import Hosted
    from jupyter_rewind.kernels.images.imaging import ProcessImages, Returned
    from jupyter_rewind.model.image import ProcessImage
    from jupyter_rewind.settings import Rewind

T = TypeVar("T")
_THREADS = 2


class ImageDesk:
    """Takes requests for the process images of one server's kernels."""

    def __init__(
        self,
        server: ServerApp,
        settings: Rewind,
        paths: Paths,
        announcer: Announcer,
        take_over: Callable[[], Awaitable[None]],
    ) -> None:
        self._server = server
        self._settings = settings
        self._paths = paths
        self._announcer = announcer
        self._take_over = take_over
        self._threads: ThreadPoolExecutor | None = None
        self._doing: dict[str, str] = {}
        self._leaving: dict[str, asyncio.Event] = {}
        self.when_asleep: Callable[[str], object] = lambda _: None

    # --- looking ------------------------------------------------------------------------

    async def of_kernel(self, kernel: str) -> list[ProcessImage]:
        """The images of the kernel with this id, oldest first. Raises what the store raises."""
        return await self._work(lambda images: images.of_kernel(kernel))

    async def all(self) -> list[ProcessImage]:
        """The images of notebooks that this server serves, and of its kernels, oldest first."""
        found = await self._work(lambda images: images.all())
        return [each for each in found if self.is_ours(each.kernel, each.path)]

    async def of_notebook(self, file: str) -> list[ProcessImage]:
        """The images of the kernels of the notebook at this real path, also those that were made
        before it was renamed, oldest first."""
        return await self._work(lambda images: images.of_notebook(file))

    async def kernels(self) -> list[Hosted]:
        """The kernels of this server that images can be made of, now."""
        found = await self._work(lambda images: images.kernels())
        return [each for each in found if each.kernel in self._manager]

    async def problem(self) -> str:
        """Why no images are made on this server; empty where they are."""
        return await self._in_thread(self._find_problem)

    def is_ours(self, kernel: str, path: str) -> bool:
        """Whether a kernel is this server's, or its notebook lies in the folder that it serves."""
        return kernel in self._manager or self._paths.api_path(path) is not None

    def json(self, image: ProcessImage) -> dict[str, Any]:
        """An image as an answer tells it: with the API path of its notebook."""
        return {**image_json(image), "path": self._paths.api_path(image.path) or ""}

    def is_leaving(self, kernel: str) -> bool:
        """Whether another process is about to be this kernel, or none: what is asked of it now
        would reach nobody."""
        return kernel in self._leaving

    async def settle(self, kernel: str) -> None:
        """Returns when that is done."""
        leaving = self._leaving.get(kernel)
        if leaving is not None:
            await leaving.wait()

    # --- doing --------------------------------------------------------------------------

    async def create(
        self, kernel: str, *, label: str | None = None, stop: bool = False, reason: str = ""
    ) -> ProcessImage:
        """An image of a running kernel of this server, durable. Raises NotFound, Conflict, Denied,
        Unavailable, Storage; the kernel goes on then."""
        if kernel not in self._manager:
            raise NotFound(
                f"There is no running kernel {kernel} here.",
                hint="Its images, if there are some, can be restored all the same.",
            )
        more = {"reason": reason} if reason else {}

        def act(images: ProcessImages) -> ProcessImage:
            return images.create(self._require(images, kernel), label=label, stop=stop, **more)

        with self._one_at_a_time(kernel, "is being made"), self._another(kernel, is_so=stop):
            image = await self._work(act)
            if stop:
                self.when_asleep(kernel)
        self._announce("stopped" if stop else "created", image)
        return image

    async def restore(self, kernel: str, ref: str | None = None) -> Returned:
        """The kernel is what it was when the image was made: the running one, or, where it has
        ended, one with its old id, which is this server's. Without `ref`, a sleeping kernel wakes.
        Raises what `create` does, and RestoreRefused, Integrity; a running kernel is as it was
        then."""

        def act(images: ProcessImages) -> Returned:
            if ref is None:
                image = images.asleep_in(kernel)
            else:
                image = images.resolve(ref, images.of_kernel(kernel))
            hosted = _living(images, kernel)
            if hosted is None and kernel in self._manager:
                hosted = self._require(images, kernel)
            if hosted is None:
                return images.revive(image)
            if kernel not in self._manager and hosted.root != self._manager.root_dir:
                raise Conflict(
                    f"Kernel {kernel} belongs to another server that is running.",
                    hint="Nothing was changed. Ask that server for it.",
                )
            return images.restore(hosted, image)

        with self._one_at_a_time(kernel, "is being restored"), self._another(kernel):
            done = await self._work(act)
            await self._take_over()
        self._announce("restored", done.image)
        return done

    async def restore_beside(self, kernel: str, ref: str) -> tuple[ProcessImage, str]:
        """The image, and the id of a second kernel of this server that is what the first one was
        then; that one is not touched. Raises what `restore` does; there is no second one then."""

        def act(images: ProcessImages) -> tuple[ProcessImage, str]:
            image = images.resolve(ref, images.of_kernel(kernel))
            return image, images.restore_beside(image).kernel

        image, second = await self._work(act)
        await self._take_over()
        self._announce("restored", image, second)
        return image, second

    async def label(self, kernel: str, ref: str, label: str) -> ProcessImage:
        """The image has this name and does not expire. Raises NotFound, InvalidInput, Storage."""

        def act(images: ProcessImages) -> ProcessImage:
            found = images.resolve(ref, images.of_kernel(kernel))
            images.label(found, label)
            return images.resolve(found.id, images.of_kernel(kernel))

        image = await self._work(act)
        self._announce("labelled", image)
        return image

    async def delete(self, kernel: str, ref: str) -> None:
        """The image is gone. Raises NotFound, RestoreRefused, Storage."""

        def act(images: ProcessImages) -> ProcessImage:
            found = images.resolve(ref, images.of_kernel(kernel))
            images.delete(found)
            return found

        self._announce("deleted", await self._work(act))

    async def clear(self, kernel: str) -> tuple[list[ProcessImage], list[ProcessImage]]:
        """The images of a kernel that were deleted, and those that stay: with a name, or all there
        is of a sleeping kernel. Raises Storage."""

        def act(images: ProcessImages) -> tuple[list[ProcessImage], list[ProcessImage]]:
            deleted, kept = [], []
            for image in images.of_kernel(kernel):
                try:
                    if image.labels or image.pinned:
                        kept.append(image)
                        continue
                    images.delete(image)
                    deleted.append(image)
                except RestoreRefused:
                    kept.append(image)
            return deleted, kept

        with self._one_at_a_time(kernel, "is being deleted"):
            deleted, kept = await self._work(act)
        for image in deleted:
            self._announce("deleted", image)
        return deleted, kept

    async def stop(self) -> None:
        """What is under way is done: a kernel between two states must not be left there."""
        threads, self._threads = self._threads, None
        if threads is not None:
            await asyncio.to_thread(threads.shutdown, wait=True, cancel_futures=True)

    # --- inside -------------------------------------------------------------------------

    @property
    def _manager(self) -> Any:
        return self._server.kernel_manager

    @contextmanager
    def _one_at_a_time(self, kernel: str, what: str) -> Iterator[None]:
        if kernel in self._doing:
            raise _busy(kernel, self._doing[kernel])
        self._doing[kernel] = what
        try:
            yield
        finally:
            del self._doing[kernel]

    @contextmanager
    def _another(self, kernel: str, *, is_so: bool = True) -> Iterator[None]:
        if not is_so:
            yield
            return
        done = self._leaving[kernel] = asyncio.Event()
        try:
            yield
        finally:
            del self._leaving[kernel]
            done.set()

    def _require(self, images: ProcessImages, kernel: str) -> Hosted:
        hosted = _living(images, kernel)
        if hosted is None:
            problem = self._find_problem()
            why = f": {problem}" if problem else ", since it began without kernels.images"
            raise Conflict(
                f"No image of kernel {kernel} can be made{why}.",
                code="not_imageable",
                hint="The kernel goes on as before. `jupyter rewind doctor` says what is missing,"
                " and kernels that start afterwards can be imaged. States of variables need"
                " nothing of it.",
            )
        return hosted

    def _find_problem(self) -> str:
        from jupyter_rewind.kernels.images.criu import find_criu

        settings = self._settings
        if not (settings.kernels_host and settings.kernels_images):
            return "kernels.host and kernels.images are not both on"
        return find_criu(settings).problem

    async def _work(self, act: Callable[[ProcessImages], T]) -> T:
        return await self._in_thread(functools.partial(self._with_images, act))

    def _with_images(self, act: Callable[[ProcessImages], T]) -> T:
        from jupyter_rewind.kernels.images.imaging import ProcessImages
        from jupyter_rewind.lineage import images_of_notebook, place_of_notebook
        from jupyter_rewind.workspace import Workspace

        with Workspace.open(self._settings) as workspace:
            repository = workspace.repository
            repository.refresh()
            runtime = Path(self._server.runtime_dir)
            of_notebook = functools.partial(images_of_notebook, repository)
            place_now = functools.partial(place_of_notebook, repository)
            return act(ProcessImages(repository, self._settings, runtime, of_notebook, place_now))

    async def _in_thread(self, act: Callable[[], T]) -> T:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="rewind-images")
        # Not `to_thread`: with this task's context, a client would take the server's loop for its.
        return await asyncio.get_running_loop().run_in_executor(self._threads, act)

    def _announce(self, action: str, image: ProcessImage, kernel: str = "") -> None:
        told = self.json(image)
        self._announcer.announce(
            IMAGE_EVENTS,
            {
                "action": action,
                "kernel": kernel or image.kernel,
                "path": told["path"],
                "image": image.id,
                "reason": image.reason,
            },
        )


def _busy(kernel: str, what: str) -> Conflict:
    return Conflict(
        f"An image of kernel {kernel} {what} just now.",
        code="busy",
        hint="Nothing was changed. Try again when that is done.",
        retryable=True,
    )


def _living(images: ProcessImages, kernel: str) -> Hosted | None:
    return next((each for each in images.kernels() if each.kernel == kernel), None)
