"""A notebook written in place, where its folder takes no new names.

Nothing is atomic here: what the file held must be in the history before. Where the disk fails in
the middle, what it held is put back, or the words say that the file is damaged.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from jupyter_rewind.errors import Integrity, RewindError, Storage
from jupyter_rewind.notebooks.files import read_document
from jupyter_rewind.store.durable import Files


def overwrite_document(files: Files, path: Path, target: bytes, before: bytes) -> None:
    """`path` holds `target`, written in place; where that fails, `before` again, as far as the disk
    lets us. Raises Storage, Integrity; both tell what the file holds then."""
    problem: RewindError
    try:
        files.overwrite(path, target)
        if read_document(path).raw == target:
            return
        problem = Integrity(f"{path} does not hold what was written to it.")
    except Storage as error:
        problem = error
    with suppress(RewindError):
        if read_document(path).raw != before:
            files.overwrite(path, before)
    if _holds(path, before):
        problem.hint = "It holds what it held before. Mend this, and try again."
    else:
        problem.message = f"{path} is damaged, for it was being written: {problem.message}"
        problem.hint = (
            "What it held is in its history, and so is what it was to hold: restore it again when"
            " the disk takes it."
        )
    raise problem


def _holds(path: Path, raw: bytes) -> bool:
    try:
        return read_document(path).raw == raw
    except RewindError:
        return False
