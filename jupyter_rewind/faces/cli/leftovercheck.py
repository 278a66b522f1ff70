"""What `doctor` says of files that a killed restore left in the folder it is asked in. It offers to
remove only what no restore can still be writing."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_rewind.faces.cli import wording
from jupyter_rewind.faces.cli.findings import Finding, State

if TYPE_CHECKING:
    from jupyter_rewind.settings import Rewind


def check_leftovers(_: Rewind) -> Iterator[Finding]:
    """What lies in the working folder, with the command that removes it."""
    from jupyter_rewind.workspace import find_leftovers

    try:
        folder = Path(os.getcwd())
    except FileNotFoundError:
        text = "the folder that you are in was removed, and nothing is left over in it"
        yield Finding("left-overs", State.NOTE, text, "cd")
        return
    found = find_leftovers(folder)
    stale = [each.path.name for each in found if each.is_stale]
    fresh = [each.path.name for each in found if not each.is_stale]
    if stale:
        text = (
            f"{wording.count(len(stale), 'file')} of a restore that was stopped in {folder}:"
            f" {', '.join(stale)}. No notebook needs what they hold; the next restore in the folder"
            " removes them"
        )
        yield Finding("left-overs", State.NOTE, text, shlex.join(["rm", "--", *stale]))
    if fresh:
        text = (
            f"{wording.count(len(fresh), 'file')} of a restore in {folder}: {', '.join(fresh)}. It"
            " may be running now, so leave them alone; the first restore in the folder that begins"
            " a day later removes them"
        )
        yield Finding("left-overs", State.NOTE, text)
