"""The last room of a disk, which what comes from a replica leaves to what is saved here.

Contents that do not come are still in the replica; a save has no other place. How much is left is
asked of the file system: a quota that it does not tell of is not known.
"""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_rewind.errors import Full

_LARGEST = 64 << 20
_SHARE = 20
"""Of a small disk, this part is left."""


def require_room(folder: Path, size: int) -> None:
    """Nothing, where `size` bytes more leave the last room free, or where the system does not tell.
    Raises Full."""
    try:
        status = os.statvfs(folder)
    except (OSError, AttributeError):
        return
    free = status.f_bavail * status.f_frsize
    left = min(_LARGEST, status.f_blocks * status.f_frsize // _SHARE)
    if free - size < left:
        raise Full(
            f"There is no room on the disk of {folder} for what is in the replica:"
            f" {free:,} bytes are free, and the last {left:,} are left to what is saved here.",
            hint="Nothing is lost: the replica has it. Free some space, and try again.",
        )
