"""What a restore that was killed leaves beside a notebook: the new bytes under a hidden name.

They hold what the store holds, so after a day, when no restore can still be at it, they may go. It
refuses to touch any other file.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from jupyter_rewind import clock
from jupyter_rewind.errors import RewindError
from jupyter_rewind.store.durable import Files

_NAME = re.compile(r"\..+\.[0-9a-f]{16}\.rewind-tmp\Z", re.DOTALL)
_DAY_NS = 86_400 * 1_000_000_000


def find_leftovers(folder: Path) -> list[Path]:
    """The left-overs in `folder`, by name; none where it cannot be read."""
    try:
        return sorted(folder / name for name in os.listdir(folder) if _NAME.match(name))
    except OSError:
        return []


def remove_leftovers(files: Files, folder: Path) -> None:
    """Left-overs in `folder` that are a day old are gone. One that stays is tried again later."""
    for path in find_leftovers(folder):
        try:
            status = os.lstat(path)
            if stat.S_ISREG(status.st_mode) and clock.now_ns() - status.st_mtime_ns > _DAY_NS:
                files.remove(path)
        except (RewindError, OSError):
            continue
