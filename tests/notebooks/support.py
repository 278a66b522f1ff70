"""Small notebooks, and the store of a test opened once more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jupyter_rewind.model.checkpoint import Checkpoint, Reason
from jupyter_rewind.notebooks.documents import checkpoint_document
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.repository import Repository


def make_cell(name: str, source: str, *, outputs: list[Any] | None = None, **metadata: Any) -> Any:
    """A code cell of nbformat 4.5."""
    return {
        "id": name,
        "cell_type": "code",
        "execution_count": None,
        "metadata": metadata,
        "outputs": outputs or [],
        "source": source,
    }


def make_notebook(*cells: Any, **metadata: Any) -> bytes:
    """The bytes that Jupyter writes for these cells; a text is a cell named `c<number>`."""
    full = [
        make_cell(f"c{number}", one) if isinstance(one, str) else one
        for number, one in enumerate(cells)
    ]
    book = {"cells": full, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return (json.dumps(book, indent=1, ensure_ascii=False) + "\n").encode()


def open_store(folder: Path) -> Repository:
    """The store of a test, opened as one more process would open it."""
    return Repository.open(folder / "store", key_folder=folder / "keys", durability="process")


def save(histories: Histories, path: Path, raw: bytes) -> Checkpoint:
    """The file holds `raw`, and that is kept."""
    path.write_bytes(raw)
    return checkpoint_document(histories, path, reason=Reason.SAVE).checkpoint
