"""Files among the segments that are none, and segments that this user may not read.

Neither stops the store: own commits go on, what reads is read. What a shut segment holds is not
lost, and comes back when it may be read again; nothing that it may need is taken away meanwhile.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from jupyter_rewind.errors import Denied, NotFound, Storage
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.layout import Layout


def is_segment(name: str, status: os.stat_result) -> bool:
    """Whether this may be a segment: some file servers put folders of their own into each folder,
    and people copies of what they value."""
    return not name.startswith(".") and stat.S_ISREG(status.st_mode)


def may_be_shut(status: os.stat_result) -> bool:
    """Whether this may be a file that this user cannot read: of another user, or by its mode. What
    a look into the folder tells anyway spares it the opening of each."""
    if not hasattr(os, "geteuid"):
        return False
    return status.st_uid != os.geteuid() or not status.st_mode & stat.S_IRUSR


def say_shut(path: Path, error: Storage) -> str:
    """Why the segment cannot be read, and what opens it."""
    if isinstance(error, Denied):
        file = shlex.quote(str(path))
        return f"this user may not read it; `{_opening(path)} {file}` gives it back"
    return f"it cannot be opened: {error.message}"


def _opening(path: Path) -> str:
    """What opens the file: its mode is in the way of its owner, else somebody else owns it."""
    try:
        status = path.stat()
    except OSError:
        return "sudo chown $USER"
    is_own = hasattr(os, "geteuid") and status.st_uid == os.geteuid()
    return "chmod u+rw" if is_own and not status.st_mode & stat.S_IRUSR else "sudo chown $USER"


def say_opening(folder: Path) -> str:
    """What lets this user into a folder of the store."""
    try:
        is_own = hasattr(os, "geteuid") and folder.stat().st_uid == os.geteuid()
    except OSError:
        is_own = False
    own, anybodys = shlex.quote(str(folder)), shlex.quote(str(folder.parent))
    return f"`{f'chmod u+rwx {own}' if is_own else f'sudo chown -R $USER {anybodys}'}` opens it."


def find_shut(layout: Layout, files: Files, names: Iterable[str]) -> dict[str, str]:
    """Those of the segments that cannot be opened, and why: a look at each."""
    found = {}
    for name in names:
        path = layout.segments / name
        try:
            files.close(files.open(path))
        except NotFound:
            continue
        except Storage as error:
            found[name] = say_shut(path, error)
    return found


def require_open(shut: Mapping[str, str], doing: str) -> None:
    """Nothing, where every segment may be read. Raises Denied: nobody knows what the others hold,
    or what they need."""
    for name, why in shut.items():
        raise Denied(
            f"Could not {doing}: segment {name} does not read, for {why}.",
            hint="Nothing was removed. What that segment holds, and what it needs, is not known.",
        )
