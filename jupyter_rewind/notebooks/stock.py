"""The single checkpoint that stock Jupyter left in `.ipynb_checkpoints`: read once, left alone."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_rewind.errors import RewindError
from jupyter_rewind.model.checkpoint import STOCK_FOLDER, Reason
from jupyter_rewind.notebooks.documents import identify, read_document
from jupyter_rewind.notebooks.history import Histories


def take_stock_checkpoint(
    histories: Histories, path: Path, *, folder: str = STOCK_FOLDER, max_bytes: int | None = None
) -> bool:
    """True when the one checkpoint that stock Jupyter left beside `path` began its history.

    Only at the first sight of a file that is there; a history that ended is none to begin with.
    """
    if histories.find(str(path)) or histories.bindings.last_of_path(str(path)):
        return False
    stock = path.parent / folder / f"{path.stem}-checkpoint{path.suffix}"
    try:
        own = identify(path)
        if own is None or (max_bytes is not None and stock.stat().st_size > max_bytes):
            return False
        document = read_document(stock)
    except (OSError, RewindError):
        return False
    if not document.raw:
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
