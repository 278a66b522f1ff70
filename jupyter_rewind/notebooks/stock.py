"""The single checkpoint that stock Jupyter left in `.ipynb_checkpoints`: read once, left alone."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_rewind.errors import NotFound, RewindError, Storage
from jupyter_rewind.model.checkpoint import STOCK_FOLDER, Reason
from jupyter_rewind.notebooks.documents import document_path, identify, read_document
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.notebooks.moves import bring_history


def take_stock_checkpoint(
    histories: Histories, path: Path, *, folder: str = STOCK_FOLDER, max_bytes: int | None = None
) -> bool:
    """True when the one checkpoint that stock Jupyter left beside `path` began its history.

    Only at the first sight of a file that is there; a history that ended is none to begin with, nor
    is one that the file brings along from where it was before.
    """
    if histories.find(str(path)) or histories.bindings.last_of_path(str(path)):
        return False
    stock = _stock_place(path, folder)
    try:
        own = identify(path)
        if own is None or (max_bytes is not None and stock.stat().st_size > max_bytes):
            return False
        document = read_document(stock)
    except (OSError, RewindError):
        return False
    if not document.raw or bring_history(histories, path, max_bytes):
        return False
    histories.record(
        str(path),
        document.raw,
        reason=Reason.IMPORTED,
        time_ns=document.mtime_ns,
        identity=own,
        exists=os.path.lexists,
        note=f"from {folder}",
    )
    return True


def has_stock(path: str) -> bool:
    """Whether the file `path` is there, and beside it a checkpoint that stock Jupyter left."""
    place = document_path(path)
    return place.is_file() and _stock_place(place, STOCK_FOLDER).is_file()


@contextmanager
def with_stock(histories: Histories, path: str, max_bytes: int) -> Iterator[None]:
    """In the block, what stock Jupyter left of `path` is in its history; where `path` itself is
    gone, NotFound says that the copy is there. Raises Storage (the store takes nothing)."""
    place = document_path(path)
    stock = _stock_place(place, STOCK_FOLDER)
    try:
        take_stock_checkpoint(histories, place, max_bytes=max_bytes)
    except Storage as error:
        error.message = f"{stock} cannot be taken into the history of {path}: {error.message}"
        error.hint = "That copy and your notebook were not touched. Make the store writable."
        raise
    try:
        yield
    except NotFound as error:
        is_known = histories.bindings.last_of_path(str(place)) is not None
        if not is_known and not os.path.lexists(place) and stock.is_file():
            error.hint = (
                f"Jupyter left a copy of it: `cp {shlex.quote(str(stock))}"
                f" {shlex.quote(str(place))}` brings that back."
            )
        raise


def _stock_place(path: Path, folder: str) -> Path:
    return path.parent / folder / f"{path.stem}-checkpoint{path.suffix}"
