"""A user without rights, and a Python that such a one may run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NOBODY = "65534"


def any_python() -> str:
    """A Python as this one that root can run as `NOBODY`."""
    import pwd

    try:
        pwd.getpwuid(int(NOBODY))
    except KeyError:
        pytest.skip(f"no user {NOBODY} here")
    probe = "import sys; print(sys.version_info[:2])"
    for candidate in (sys.executable, shutil.which("python3", path="/usr/bin:/usr/local/bin")):
        if candidate and _said(candidate, probe) == str(sys.version_info[:2]):
            return candidate
    pytest.skip("no Python of this version here that other users may run")


def any_python_paths() -> dict[str, str]:
    """Variables by which that Python has what this one has installed."""
    ours = [str(Path(__file__).parents[2]), *(path for path in sys.path if "site-" in path)]
    return {
        "PYTHONPATH": os.pathsep.join(ours),
        "JUPYTER_CONFIG_PATH": os.path.join(sys.prefix, "etc", "jupyter"),
    }


def _said(python: str, program: str) -> str:
    try:
        done = subprocess.run(
            [python, "-c", program], user=int(NOBODY), group=int(NOBODY), extra_groups=[],
            capture_output=True, text=True, check=False, cwd="/",
        )  # fmt: skip
    except PermissionError:
        return ""
    return done.stdout.strip()
