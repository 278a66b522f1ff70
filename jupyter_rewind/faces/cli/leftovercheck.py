"""What `doctor` says of files that a killed restore left in the folder it is asked in."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from jupyter_rewind.faces.cli import wording
from jupyter_rewind.faces.cli.diagnosis import Finding, State


def check_leftovers() -> Iterator[Finding]:
    """What lies in the working folder, with the command that removes it."""
    from jupyter_rewind.workspace import find_leftovers

    folder = Path(os.getcwd())
    found = find_leftovers(folder)
    if found:
        names = [path.name for path in found]
        lie = f"{wording.count(len(names), 'file')} of a restore that was stopped in {folder}"
        text = (
            f"{lie}: {', '.join(names)}. What they hold is in the store; the next restore in the"
            " folder removes them when they are a day old"
        )
        yield Finding("left-overs", State.NOTE, text, shlex.join(["rm", "--", *names]))
