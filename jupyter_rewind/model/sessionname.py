"""What Jupyter calls the session of a kernel: by its notebook's path, as a rule."""

from __future__ import annotations

import os
import re

# What VS Code calls a notebook whose kernel a server runs: another name in each session.
_OF_VSCODE = re.compile(r"(.*?)(?:\.ipynb)?-jvsc-[0-9a-f-]+\.ipynb", re.DOTALL)


def is_of_vscode(session: str) -> bool:
    """Whether VS Code made the name up."""
    return _OF_VSCODE.fullmatch(os.path.basename(session)) is not None


def named_notebook(session: str) -> str:
    """The session's name with the notebook's own in it, "" where that is not told: what VS Code
    makes up begins with the file's name, and lies in the server's folder wherever that one is."""
    folder, base = os.path.split(session)
    found = _OF_VSCODE.fullmatch(base)
    if found is None:
        return session
    return os.path.join(folder, f"{found[1]}.ipynb") if found[1] else ""
