"""The runs of a notebook and the images of its kernels, also those under its earlier names.

Between the rooms: a history knows where its notebook lay, a run at which path it worked. Light, as
a kernel that has just begun looks here for the one before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from jupyter_rewind.kernels.archive import Archive
from jupyter_rewind.kernels.images.records import images_at
from jupyter_rewind.model.execution import Run
from jupyter_rewind.model.image import ProcessImage
from jupyter_rewind.notebooks.bindings import Bindings
from jupyter_rewind.store.repository import Repository

T = TypeVar("T")


def runs_of_notebook(archive: Archive, path: str, bindings: Bindings | None = None) -> list[Run]:
    """The runs of the notebook at `path` (real), oldest first; none of another notebook that lay
    there and was renamed. The caller has refreshed the repository."""
    runs = _of_notebook(
        path,
        bindings or Bindings(archive.repository),
        lambda place: archive.runs.of_paths([place]),
        lambda run: run.started_ns,
    )
    found = {run.id: run for run in runs}
    return sorted(found.values(), key=lambda run: (run.started_ns, run.id))


def images_of_notebook(repository: Repository, path: str) -> list[ProcessImage]:
    """The process images of all kernels of the notebook at `path` (real), oldest first; none of
    another notebook that lay there and was renamed. The caller has refreshed the repository.

    Raises Newer, Integrity.
    """
    images = _of_notebook(
        path,
        Bindings(repository),
        lambda place: images_at(repository, place),
        lambda image: image.order,
    )
    found = {image.id: image for image in images}
    return sorted(found.values(), key=lambda image: (image.order, image.id))


def place_of_notebook(repository: Repository, path: str, order: int) -> str:
    """Where the notebook lies now that lay at `path` (real) then, in the order of entries. The
    caller has refreshed the repository."""
    return Bindings(repository).place_now(path, order)


def _of_notebook(
    path: str, bindings: Bindings, at: Callable[[str], Iterable[T]], when: Callable[[T], int]
) -> Iterator[T]:
    """What `at` finds where the notebook lies and lay, of the times `when` it lay there."""
    others = bindings.stays_of_others(path)
    for each in at(path):
        if not any(stay.since <= when(each) < stay.until for stay in others):
            yield each
    history = bindings.current(path)
    for place in () if history is None else bindings.stays(history):
        for each in at(place.path):
            if place.since <= when(each) < place.until:
                yield each
