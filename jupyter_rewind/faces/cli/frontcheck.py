"""What `doctor` finds out about the front end: how often it saves, and who edits together."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_core.paths import jupyter_config_dir

from jupyter_rewind.faces.cli.findings import Finding, State, installed_version

if TYPE_CHECKING:
    from jupyter_rewind.settings import Rewind


_PLUGIN = "@jupyterlab/docmanager-extension:plugin"


def check_autosave(settings: Rewind) -> Iterator[Finding]:
    """How often the front end saves by itself."""
    name = "autosave"
    if not installed_version("jupyterlab") and not installed_version("notebook"):
        yield Finding(name, State.OFF, "neither JupyterLab nor Notebook is installed here")
        return
    if not settings.notebooks_autosave_seconds:
        yield Finding(name, State.OFF, "left to the front end by notebooks.autosave_seconds = 0")
        return
    own = _own_interval()
    if own is not None:
        text = f"every {own} s, as you chose in JupyterLab's settings"
        yield Finding(name, State.NOTE, text)
        return
    application = _lab_folder()
    override = application / "settings" / "overrides.d" / "jupyter_rewind.json"
    if override.is_file():
        seconds = settings.notebooks_autosave_seconds
        yield Finding(name, State.ON, f"every {seconds} s by {override}, at the shortest")
    else:
        text = f"JupyterLab looks in {override.parent} and finds no default of ours: every 120 s"
        mend = f"{sys.executable} -m pip install --force-reinstall --no-deps jupyter-rewind"
        yield Finding(name, State.PROBLEM, text, mend)


def _lab_folder() -> Path:
    try:
        from jupyterlab.commands import get_app_dir  # type: ignore[import-untyped]
    except ImportError:  # Notebook without JupyterLab
        return Path(sys.prefix, "share", "jupyter", "lab")
    return Path(get_app_dir())


def _own_interval() -> int | None:
    """The interval that the user set in JupyterLab, which beats ours."""
    folder = os.environ.get("JUPYTERLAB_SETTINGS_DIR") or os.path.join(
        jupyter_config_dir(), "lab", "user-settings"
    )
    package, _, plugin = _PLUGIN.partition(":")
    path = Path(folder, package, f"{plugin}.jupyterlab-settings")
    with contextlib.suppress(OSError, ValueError, ImportError):
        import json5

        found = json5.loads(path.read_text(encoding="utf-8"))
        value = found.get("autosaveInterval") if isinstance(found, dict) else None
        return value if isinstance(value, int) else None
    return None


def check_collaboration(_: Rewind) -> Iterator[Finding]:
    """Whether documents are edited together."""
    version = installed_version("jupyter_collaboration") or installed_version("jupyter-server-ydoc")
    if version:
        text = f"{version} is installed: documents in the browser are kept before a restore"
        yield Finding("collaboration", State.ON, text)
    else:
        yield Finding("collaboration", State.OFF, "not installed; nothing is missing without it")
