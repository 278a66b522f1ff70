"""Where Jupyter's server was told to keep its checkpoints, if not in `.ipynb_checkpoints`.

Its configuration is read as text, never run.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from jupyter_rewind.recovery.evidence import Scope
from jupyter_rewind.recovery.regular import read_file

USUAL = ".ipynb_checkpoints"
_TOLD = re.compile(rb"""\bcheckpoint_dir['"]?\s*[=:]\s*[rub]?['"](?P<path>[^'"\r\n]{1,1000})['"]""")
_NAMES = (
    "jupyter_config",
    "jupyter_server_config",
    "jupyter_notebook_config",
    "jupyter_lab_config",
)
_PARTS = ("jupyter_server_config.d", "jupyter_notebook_config.d")
_SHARED = ("/usr/local/etc/jupyter", "/etc/jupyter")
_LARGEST = 1 << 22


def checkpoint_folders(scope: Scope) -> list[str]:
    """The usual name, and those that a configuration tells: beside a notebook, or absolute."""
    found = [USUAL]
    for path in _configurations(scope):
        try:
            raw = read_file(path, _LARGEST)
        except OSError:
            continue  # most of them are not there
        for told in _TOLD.finditer(raw):
            text = told["path"].decode("utf-8", "surrogateescape")
            found.append(re.sub(r"^~(?=[/\\]|\Z)", lambda _: str(scope.home), text))
    return list(dict.fromkeys(each for each in found if "\0" not in each))


def _configurations(scope: Scope) -> Iterator[Path]:
    own = scope.environ.get("JUPYTER_CONFIG_DIR") or str(scope.home / ".jupyter")
    folders = [own, str(scope.home / ".local/etc/jupyter"), os.path.join(sys.prefix, "etc/jupyter")]
    for folder in dict.fromkeys((*folders, *_SHARED)):
        yield from (Path(folder, name + end) for name in _NAMES for end in (".py", ".json"))
        for part in _PARTS:
            with contextlib.suppress(OSError):  # most of them are not there
                names = sorted(os.listdir(os.path.join(folder, part)))
                yield from (Path(folder, part, each) for each in names if each.endswith(".json"))
