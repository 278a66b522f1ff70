"""Whether a store's key lies apart from it: else each copy of the store carries what opens it."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_rewind.errors import InvalidInput


def is_apart(key_folder: Path, folder: Path) -> bool:
    """Whether the keys lie outside the store."""
    return not Path(os.path.realpath(key_folder)).is_relative_to(os.path.realpath(folder))


def require_apart(key_folder: Path, folder: Path) -> None:
    """Raises InvalidInput where the key of a new store would lie in it."""
    if not is_apart(key_folder, folder):
        raise InvalidInput(
            f"{key_folder} is inside the store {folder}, which would carry its own key along.",
            hint="Nothing was made. Name another folder: `jupyter rewind config set"
            " store.key_folder /another/folder`.",
        )


def without_key(encrypted: bool) -> str:
    """The end of a sentence that asks for the key of a store: what can be done without."""
    if encrypted:
        return " (`jupyter rewind key import`): nothing of an encrypted store reads without it"
    return (
        ", or take what can be read into a new store with `jupyter rewind salvage --trust-foreign"
        " --into FOLDER`"
    )
