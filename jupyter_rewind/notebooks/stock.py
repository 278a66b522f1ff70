"""The single checkpoint that stock Jupyter left in `.ipynb_checkpoints`: read once, left alone."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind.errors import NotFound, RewindError, Storage
from jupyter_rewind.model.checkpoint import STOCK_FOLDER, FileIdentity, Reason
from jupyter_rewind.notebooks.files import Document, document_path, identify, read_document
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.notebooks.moves import bring_history

_MARK = "-checkpoint"


@dataclass(frozen=True, slots=True)
class Stock:
    """What stock Jupyter left of the file `path` in `folder`, read while `path` was there."""

    path: str
    folder: str
    own: FileIdentity
    document: Document


def take_stock_checkpoint(
    histories: Histories, path: Path, *, folder: str = STOCK_FOLDER, max_bytes: int | None = None
) -> bool:
    """True when the one checkpoint that stock Jupyter left beside `path` began its history.

    Only at the first sight of a file that is there; a history that ended is none to begin with, nor
    is one that the file brings along from where it was before.
    """
    stock = read_stock(path, folder, max_bytes, histories)
    if stock is None or bring_history(histories, path, max_bytes):
        return False
    keep_stock(histories, stock)
    return True


def _is_first_sight(histories: Histories, path: str) -> bool:
    """Whether nothing of `path` was ever kept."""
    return histories.find(path) is None and histories.bindings.last_of_path(path) is None


def read_stock(
    path: Path, folder: str, max_bytes: int | None, histories: Histories | None
) -> Stock | None:
    """What stock Jupyter left of `path`; None where that is not there, or too large, or nothing can
    be read of it, or `histories` know the file already."""
    if histories is not None and not _is_first_sight(histories, str(path)):
        return None
    place = _stock_place(path, folder)
    try:
        if max_bytes is not None and place.stat().st_size > max_bytes:
            return None
        own = identify(path)
        document = read_document(place) if own is not None else None
    except (OSError, RewindError):
        return None
    if own is None or document is None or not document.raw:
        return None
    return Stock(str(path), folder, own, document)


def keep_stock(histories: Histories, stock: Stock, *, is_first: bool = True) -> None:
    """It stands in the history of its file, where its time puts it. Where it was not known to be of
    a file that `is_first` seen, that is asked now. Raises Storage."""
    if not is_first and not _is_first_sight(histories, stock.path):
        return
    histories.record(
        stock.path,
        stock.document.raw,
        reason=Reason.IMPORTED,
        time_ns=stock.document.mtime_ns,
        identity=stock.own,
        exists=os.path.lexists,
        note=f"from {stock.folder}",
    )


def find_stocked(folder: str, stock_folder: str) -> Iterator[str]:
    """The files in `folder` of which stock Jupyter left a checkpoint."""
    try:
        names = os.listdir(os.path.join(folder, stock_folder))
    except OSError:
        return
    for name in names:
        stem, ending = os.path.splitext(name)
        file = os.path.join(folder, stem.removesuffix(_MARK) + ending)
        if stem.endswith(_MARK) and os.path.isfile(file):
            yield file


def has_stock(path: str) -> bool:
    """Whether the file `path` is there, and beside it a checkpoint that stock Jupyter left."""
    place = document_path(path)
    return os.path.isfile(place) and os.path.isfile(_stock_place(place, STOCK_FOLDER))


@contextmanager
def with_stock(histories: Histories, path: str, max_bytes: int) -> Iterator[None]:
    """In the block, what stock Jupyter left of `path` is in its history; where `path` itself is
    gone, NotFound says that the copy is there. Raises Storage (the store takes nothing)."""
    place = document_path(path)
    stock = _stock_place(place, STOCK_FOLDER)
    try:
        take_stock_checkpoint(histories, place, max_bytes=max_bytes)
    except Storage as error:
        if not os.path.isfile(stock):
            raise  # the store cannot even be read
        error.message = f"{stock} cannot be taken into the history of {path}: {error.message}"
        error.hint = "That copy and your notebook were not touched. Make the store writable."
        raise
    try:
        yield
    except NotFound as error:
        is_known = histories.bindings.last_of_path(str(place)) is not None
        if not is_known and not os.path.lexists(place) and os.path.isfile(stock):
            error.hint = (
                f"Jupyter left a copy of it: `cp {shlex.quote(str(stock))}"
                f" {shlex.quote(str(place))}` brings that back."
            )
        raise


def _stock_place(path: Path, folder: str) -> Path:
    return path.parent / folder / f"{path.stem}{_MARK}{path.suffix}"
