"""A kernelspec of our own making: the kernel python3, run by another Python or with more words."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.model.encoding import to_json
from jupyter_rewind.model.entry import Json
from jupyter_rewind.store.durable import Files

NAME = "python3"
_TRY_SECONDS = 60


def require_ipykernel(python: str) -> None:
    """Raises InvalidInput where this Python cannot run a kernel."""
    try:
        done = subprocess.run(
            [python, "-c", "import ipykernel"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TRY_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InvalidInput(
            f"{python} does not run: {error}.", hint="serve.python names a Python."
        ) from error
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["it says no why"]
        raise InvalidInput(
            f"{python} cannot run a kernel: {last[0]}.",
            hint=f"`{python} -m pip install ipykernel` helps.",
        )


def write_spec(folder: Path, python: str, arguments: Sequence[str]) -> None:
    """Below `folder`, where JUPYTER_PATH may lead, there is the kernelspec. Raises Storage."""
    place = folder
    Files().make_folder(place)
    for name in ("kernels", NAME):
        place = place / name
        Files().make_folder(place)
    spec: dict[str, Json] = {
        "argv": [python, "-m", "ipykernel_launcher", "-f", "{connection_file}", *arguments],
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "metadata": {"debugger": True},
    }
    Files().replace_file(place / "kernel.json", to_json(spec), 0o600)
