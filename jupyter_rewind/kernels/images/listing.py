"""Which process images a store has, and which kernels they can be made of; nothing is changed."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_rewind import clock
from jupyter_rewind.errors import Conflict, NotFound, RewindError, Unavailable
from jupyter_rewind.kernels.hosting.record import Hosted, Place, places
from jupyter_rewind.kernels.images.freezer import is_awake
from jupyter_rewind.kernels.images.records import IMAGE, IMAGE_MARK, decode_image, images_at
from jupyter_rewind.model.execution import kernel_key
from jupyter_rewind.model.image import IMPORTED, ProcessImage
from jupyter_rewind.model.reference import resolve_ref

if TYPE_CHECKING:
    from jupyter_rewind.settings import Rewind
    from jupyter_rewind.store.repository import Repository

log = logging.getLogger(__name__)


class Listing:
    """The process images of one store, and the kernels of `runtime` that they are made of.

    `of_notebook` knows where a notebook lay before, which nothing of kernels does: the images of
    the one at a path (real), oldest first. `place_now` knows where the one lies now that lay at a
    path then, in the order of entries.
    """

    def __init__(
        self,
        repository: Repository,
        settings: Rewind,
        runtime: Path,
        of_notebook: Callable[[str], list[ProcessImage]] | None = None,
        place_now: Callable[[str, int], str] | None = None,
    ) -> None:
        self._repository = repository
        self._settings = settings
        self._runtime = runtime
        self.of_notebook = of_notebook or partial(images_at, repository)
        self._place_now = place_now or (lambda path, order: path)

    def all(self) -> list[ProcessImage]:
        """Every image, oldest first. Raises Newer, Integrity."""
        marks = self._repository.entries(kind=IMAGE_MARK)
        return [decode_image(each, marks) for each in self._repository.entries(kind=IMAGE)]

    def of_kernel(self, kernel: str) -> list[ProcessImage]:
        """Those of the kernel with this id, oldest first."""
        marks = self._repository.entries(kind=IMAGE_MARK, key=kernel_key(kernel))
        found = self._repository.entries(kind=IMAGE, key=kernel_key(kernel))
        return [decode_image(each, marks) for each in found]

    def of(self, what: str) -> list[ProcessImage]:
        """Those of a notebook (a path) or of a kernel (the beginning of an id), oldest first.

        Raises NotFound.
        """
        its_own = {each.id for each in self.of_notebook(_real(what))}
        found = [
            each
            for each in self.all()
            if each.id in its_own or (what and each.kernel.startswith(what))
        ]
        if not found:
            raise NotFound(
                f"There is no process image of {what}.",
                hint="`jupyter rewind image list` shows all of them.",
            )
        return found

    def asleep_in(self, kernel: str) -> ProcessImage:
        """The one that this kernel sleeps in, if it sleeps: its newest that was made here. Raises
        NotFound."""
        found = [each for each in self.of_kernel(kernel) if each.reason != IMPORTED]
        if not found:
            raise NotFound(f"There is no process image of kernel {kernel} that was made here.")
        return found[-1]

    def resolve(self, ref: str, images: Sequence[ProcessImage]) -> ProcessImage:
        """The one of them that `ref` names. Raises NotFound, Conflict, InvalidInput."""
        return resolve_ref(ref, images, clock.now_ns(), noun="process image")

    def kernels(self) -> list[Hosted]:
        """The kernels that images can be made of, now. One whose record does not read is none of
        them: the log says so."""
        found = []
        for place in places(self._runtime):
            try:
                hosted = place.read()
            except RewindError as error:
                log.warning("No process image of kernel %s can be made: %s", place.kernel, error)
                continue
            if hosted is not None and hosted.has_room and hosted.is_alive:
                found.append(hosted)
        return found

    def asleep(self, among: Collection[str]) -> frozenset[str]:
        """The ids of these kernels that sleep in an image now, as far as their keepers answer."""
        found = set()
        for hosted in [each for each in self.kernels() if each.kernel in among]:
            with suppress(Unavailable):
                if not is_awake(self._place(hosted)):
                    found.add(hosted.kernel)
        return frozenset(found)

    def unreadable(self) -> Iterator[tuple[str, RewindError]]:
        """The ids of kernels whose records do not read, and why: such a kernel may live, or sleep
        in an image."""
        for place in places(self._runtime):
            try:
                place.read()
            except RewindError as error:
                yield place.kernel, error

    def find_kernel(self, what: str) -> Hosted:
        """The hosted kernel of a notebook, or whose id begins so. Raises NotFound, Conflict, and
        what stands in the way where the record of the kernel does not read."""
        file = _real(what)
        found = [
            each
            for each in self.kernels()
            if each.kernel.startswith(what) or notebook(each) == file
        ]
        if not found:
            for kernel, error in self.unreadable():
                if kernel.startswith(what):
                    raise error
            raise NotFound(
                f"There is no running kernel of {what} that images can be made of.",
                hint="They are made of kernels that a server has started which began with"
                " kernels.host and kernels.images on; `jupyter rewind doctor` says what this"
                " machine allows.",
            )
        if len(found) > 1:
            names = ", ".join(each.kernel for each in found)
            raise Conflict(f"{what} means several kernels: {names}.", hint="Name one by its id.")
        return found[0]

    def _place(self, hosted: Hosted) -> Place:
        return Place(self._runtime / "kernel.json", hosted.kernel)


def notebook(hosted: Hosted) -> str:
    """The real path of the kernel's notebook; empty where none is known."""
    session = hosted.session
    return _real(Path(hosted.root, session.path)) if session is not None and session.path else ""


def _real(path: str | Path) -> str:
    """The one spelling of a file's path, as a history has it."""
    return os.path.realpath(os.path.expanduser(path))
