"""Which kernels keep their states: what each kernel's own environment has, and a user's own switch.

IPython reads `etc/ipython` of the environment it runs in, where installing the package has put a
line that loads it. The switch is a start-up file in the user's IPython profile, for environments
that do not have that line, and does nothing where the package is not.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind.store.durable import Files

_ASK_SECONDS = 20.0
_QUESTION = """
import importlib.util, os, sys
sys.path = [each for each in sys.path if each]  # a kernel does not look where this is asked from
found = importlib.util.find_spec("jupyter_rewind") is not None
line = os.path.join(sys.prefix, "etc", "ipython", "ipython_kernel_config.json")
print(int(found), int(os.path.exists(line)), sys.prefix, sep="\\n")
"""
_STARTUP = """\
# Made by `jupyter rewind enable`; `jupyter rewind disable` removes it.
def _load_jupyter_rewind():
    import importlib.util

    shell = get_ipython()
    if getattr(shell, "kernel", None) is None:
        return
    if importlib.util.find_spec("jupyter_rewind") is not None:
        shell.extension_manager.load_extension("jupyter_rewind")


_load_jupyter_rewind()
del _load_jupyter_rewind
"""


@dataclass(frozen=True, slots=True)
class KernelEnvironment:
    """A kernel that Jupyter knows of, and whether it keeps its states; `problem` says what stood in
    the way of finding out."""

    name: str
    title: str
    language: str
    python: str = ""
    installed: bool = False
    automatic: bool = False
    problem: str = ""

    @property
    def keeps(self) -> bool:
        """Whether its states are kept without a step of the user's."""
        return self.installed and self.automatic


def find_environments() -> list[KernelEnvironment]:
    """Every kernel that Jupyter knows of; each Python is asked itself."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_core.paths import jupyter_path

    # Without this, the folder of IPython would be made by looking for kernels in it.
    found = KernelSpecManager(kernel_dirs=jupyter_path("kernels")).get_all_specs()
    return [_examine(name, each["spec"]) for name, each in sorted(found.items())]


def startup_file() -> Path:
    """What `enable` writes: read by every kernel of the user's default profile."""
    folder = os.environ.get("IPYTHONDIR") or os.path.join(os.path.expanduser("~"), ".ipython")
    return Path(folder) / "profile_default" / "startup" / "00-jupyter-rewind.py"


def is_enabled_for_user() -> bool:
    return startup_file().is_file()


def enable_for_user() -> Path:
    """Every kernel of this user whose environment has the package loads it. Raises Storage."""
    path, files = startup_file(), Files()
    files.make_folder(path.parent, 0o755)
    files.replace_file(path, _STARTUP.encode())
    return path


def disable_for_user() -> Path:
    """What `enable` wrote is gone. Raises Storage."""
    path = startup_file()
    Files().remove(path)
    return path


def _examine(name: str, spec: dict[str, object]) -> KernelEnvironment:
    language = str(spec.get("language", ""))
    title = str(spec.get("display_name", name))
    argv = spec.get("argv")
    words = [str(each) for each in argv] if isinstance(argv, Sequence) else []
    if language.lower() != "python" or "ipykernel_launcher" not in " ".join(words):
        return KernelEnvironment(name, title, language)
    try:
        said = subprocess.run(
            [words[0], "-c", _QUESTION], capture_output=True, text=True, timeout=_ASK_SECONDS,
            check=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        installed, automatic, _ = said.stdout.splitlines()
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return KernelEnvironment(name, title, language, words[0], problem=str(error))
    return KernelEnvironment(
        name, title, language, words[0], installed == "1",
        automatic == "1" or is_enabled_for_user(),
    )  # fmt: skip
