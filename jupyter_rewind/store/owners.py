"""Whose a new file is, where root makes it in a folder of somebody else's."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def hand_over(descriptor: int, path: Path) -> int:
    """The descriptor of a file that was just made. What root makes in a folder of a user's, with
    sudo, say, is that user's, who could not read it otherwise."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        with contextlib.suppress(OSError):
            folder = path.parent.stat()
            if folder.st_uid:
                os.fchown(descriptor, folder.st_uid, folder.st_gid)
    return descriptor
