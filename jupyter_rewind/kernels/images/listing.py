"""Which process images a store has, and which kernels they can be made of; nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_rewind import clock
from jupyter_rewind.errors import Conflict, NotFound
from jupyter_rewind.kernels.hosting.record import Hosted, Place, places
from jupyter_rewind.kernels.images.records import IMAGE, IMAGE_MARK, decode_image
from jupyter_rewind.model.execution import kernel_key
from jupyter_rewind.model.image import ProcessImage
from jupyter_rewind.model.reference import resolve_ref

if TYPE_CHECKING:
    from jupyter_rewind.settings import Rewind
    from jupyter_rewind.store.repository import Repository


class Listing:
    """The process images of one store, and the kernels of `runtime` that they are made of."""

    def __init__(self, repository: Repository, settings: Rewind, runtime: Path) -> None:
        self._repository = repository
        self._settings = settings
        self._runtime = runtime

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
        file = str(Path(what).absolute())
        found = [e for e in self.all() if e.path == file or (what and e.kernel.startswith(what))]
        if not found:
            raise NotFound(
                f"There is no process image of {what}.",
                hint="`jupyter rewind image list` shows all of them.",
            )
        return found

    def resolve(self, ref: str, images: Sequence[ProcessImage]) -> ProcessImage:
        """The one of them that `ref` names. Raises NotFound, Conflict, InvalidInput."""
        return resolve_ref(ref, images, clock.now_ns(), noun="process image")

    def kernels(self) -> list[Hosted]:
        """The kernels that images can be made of, now."""
        found = (each.read() for each in places(self._runtime))
        return [each for each in found if each is not None and each.has_room and each.is_alive]

    def find_kernel(self, what: str) -> Hosted:
        """The hosted kernel of a notebook, or whose id begins so. Raises NotFound, Conflict."""
        file = str(Path(what).absolute())
        found = [
            each
            for each in self.kernels()
            if each.kernel.startswith(what) or notebook(each) == file
        ]
        if not found:
            raise NotFound(
                f"There is no running kernel of {what} that images can be made of.",
                hint="They are made of kernels that were started with kernels.host and"
                " kernels.images on; `jupyter rewind doctor` says what this machine allows.",
            )
        if len(found) > 1:
            names = ", ".join(each.kernel for each in found)
            raise Conflict(f"{what} means several kernels: {names}.", hint="Name one by its id.")
        return found[0]

    def _place(self, hosted: Hosted) -> Place:
        return Place(self._runtime / "kernel.json", hosted.kernel)


def notebook(hosted: Hosted) -> str:
    """The absolute path of the kernel's notebook; empty where none is known."""
    session = hosted.session
    return str(Path(hosted.root, session.path)) if session is not None and session.path else ""
