"""Whether an open file is still the one that others find under its name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

Identity: TypeAlias = tuple[int, int]


def identify(descriptor: int) -> Identity:
    """Which file the descriptor stands for."""
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def is_named(identity: Identity, path: str | Path) -> bool:
    """True while `path` is that very file. Asked with every commit: a text costs less."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == identity
