"""What a restore that was killed leaves beside a notebook: the new bytes under a hidden name.

The file that they were meant for was not touched and the store holds what they are made of, so they
may go after a day, when no restore can still be at it; before that nobody can tell whether one is.
It refuses to touch any other file.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind import clock
from jupyter_rewind.errors import RewindError
from jupyter_rewind.store.durable import Files

_NAME = re.compile(r"\..+\.[0-9a-f]{16}\.rewind-tmp\Z", re.DOTALL)
_DAY_NS = 86_400 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file under a name that only restores give, and whether no restore can be writing it."""

    path: Path
    is_stale: bool


def find_leftovers(folder: Path) -> list[Leftover]:
    """The left-overs in `folder`, by name; none where it cannot be read."""
    try:
        found = sorted(folder / name for name in os.listdir(folder) if _NAME.match(name))
    except OSError:
        return []
    return [Leftover(path, _is_stale(path)) for path in found]


def _is_stale(path: Path) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and clock.now_ns() - status.st_mtime_ns > _DAY_NS


def remove_leftovers(files: Files, folder: Path) -> None:
    """Left-overs in `folder` that are a day old are gone. One that stays is tried again later."""
    for each in find_leftovers(folder):
        if each.is_stale:
            with suppress(RewindError, OSError):
                files.remove(each.path)
