"""Other versions of IPython in environments of their own, made once and kept in a cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import portalocker
import pytest

# The version, the Pythons that it runs on (the first that is there is taken), what else it needs.
IPYTHONS = {
    "7": ("ipython==7.34.0", ("3.8", "3.10", "3.11"), ("ipykernel==6.16.2",)),
    "8": ("ipython==8.12.3", ("3.10", "3.11", "3.12"), ("ipykernel==6.29.5",)),
    "9": ("ipython==9.5.0", ("3.11", "3.12", "3.13"), ("ipykernel==6.30.1",)),
}


def cache_folder() -> Path:
    """Where environments are kept between runs of the tests."""
    named = os.environ.get("REWIND_TEST_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "jupyter-rewind-tests"


def find_python(versions: tuple[str, ...]) -> str | None:
    """An interpreter of one of these versions: on the path, of pyenv, or this one."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    for version in versions:
        found = shutil.which(f"python{version}")
        if found and _works(found):
            return found
        root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
        for folder in sorted(root.glob(f"{version}.*"), reverse=True):
            if (folder / "bin" / "python").exists():
                return str(folder / "bin" / "python")
        if version == here:
            return sys.executable
    return None


def _works(python: str) -> bool:
    return (
        subprocess.run([python, "-c", "import venv, sqlite3"], capture_output=True).returncode == 0
    )


def ipython_environment(major: str) -> Path:
    """The interpreter of an environment that has that IPython and its kernel.

    Skips, saying why, where no interpreter or no package index is there.
    """
    package, versions, more = IPYTHONS[major]
    folder = cache_folder() / f"ipython-{package.split('==')[1]}"
    python = folder / "bin" / "python"
    if (folder / "whole").exists():
        return python
    base = find_python(versions)
    if base is None:
        pytest.skip(f"IPython {major} needs Python {' or '.join(versions)}; none is here")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with portalocker.Lock(f"{folder}.lock", timeout=600):
        if not (folder / "whole").exists():
            _make(folder, base, (package, *more))
    return python


def _make(folder: Path, base: str, packages: tuple[str, ...]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([base, "-m", "venv", str(folder)], check=True, capture_output=True)
    python = folder / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "-q", *packages]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{packages[0]} cannot be installed here: {done.stderr.strip()[-300:]}")
    (folder / "whole").touch()
