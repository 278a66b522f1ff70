"""Which kernel this is, and which notebook it serves: asked where Jupyter says it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from jupyter_rewind.faces.ipython.launcher import find_launcher, is_session_inherited
from jupyter_rewind.kernels.beginning import Place
from jupyter_rewind.kernels.host import notice_path
from jupyter_rewind.model.sessionname import is_of_vscode, named_notebook

_KERNEL_ID = re.compile(r"kernel-(.+)\.json")


def find_place(shell: Any, connection: Path | None = None) -> Place:
    """The place of the kernel that `shell` runs in, whose connection file is `connection` where it
    is not the one it was started with; an IPython in a terminal has none."""
    connection = connection or connection_file(shell)
    if connection is None:
        return Place()
    named = _KERNEL_ID.fullmatch(connection.name)
    launcher = find_launcher()
    return Place(
        kernel=named[1] if named else connection.stem,
        connection=str(connection),
        path=_notebook(shell, connection) if launcher is None else _real(launcher.notebook),
        program="" if launcher is None else launcher.program,
    )


def connection_file(shell: Any) -> Path | None:
    """Where the kernel's connection file lies, or None outside a kernel."""
    kernel = getattr(shell, "kernel", None)
    application = getattr(kernel, "parent", None)
    name = getattr(application, "abs_connection_file", None)
    if not name:
        name = getattr(application, "connection_file", None)
    return Path(str(name)).absolute() if name else None


class PathWatch:
    """Notices that the notebook of a running kernel was renamed: the server leaves a note."""

    def __init__(self, shell: Any, path: str) -> None:
        self._shell = shell
        self._path = path
        self._is_guess = not path or is_of_vscode(os.environ.get("JPY_SESSION_NAME", ""))
        connection = connection_file(shell)
        self._notice = None if connection is None else str(notice_path(connection))
        self._seen = 0

    def look(self) -> str:
        """Where the notebook lies now, as far as is known; a few microseconds."""
        if self._notice is None:
            return self._path
        try:
            changed = os.stat(self._notice).st_mtime_ns
        except OSError:
            changed = 0
        if changed and changed != self._seen:
            self._seen = changed
            self._path = _noticed(Path(self._notice)) or self._path
        if self._is_guess:
            self._ask_vscode()
        return self._path

    def _ask_vscode(self) -> None:
        # It names the notebook after the kernel has started; on its own machine, which may be
        # another one.
        named = _real(self._shell.user_ns.get("__vsc_ipynb_file__"))
        if named and (not self._path or os.path.exists(named)):
            self._path, self._is_guess = named, False


def _notebook(shell: Any, connection: Path) -> str:
    candidates: list[object] = [_noticed(notice_path(connection))]
    if not is_session_inherited():
        candidates += [os.environ.get("JPY_SESSION_NAME"), _session_of(connection)]
    candidates.append(shell.user_ns.get("__vsc_ipynb_file__"))
    return next((found for each in candidates if (found := _real(each))), "")


def _real(name: object) -> str:
    """The one spelling of a notebook's path; empty where `name` is none: consoles have other names
    for their sessions."""
    if not isinstance(name, str) or not name.endswith((".ipynb", ".py", ".md", ".Rmd", ".qmd")):
        return ""
    own = named_notebook(name)
    return os.path.realpath(os.path.expanduser(own)) if own else ""


def _noticed(notice: Path) -> str:
    try:
        found = json.loads(notice.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return _real(found.get("path")) if isinstance(found, dict) else ""


def _session_of(connection: Path) -> str:
    try:
        found = json.loads(connection.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(found.get("jupyter_session") or "") if isinstance(found, dict) else ""
