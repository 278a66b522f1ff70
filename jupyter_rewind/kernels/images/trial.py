"""Whether images can be made here without root's rights: tried out, for `criu check` asks for more
than is needed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_rewind import clock
from jupyter_rewind.errors import Unavailable
from jupyter_rewind.kernels.hosting.keeper import SCRATCH
from jupyter_rewind.kernels.hosting.rooms import ask_keeper, find_keeper, room_command
from jupyter_rewind.kernels.images import criu as programs

if TYPE_CHECKING:
    from jupyter_rewind.model.entry import Json

_SECONDS, _PAUSE_SECONDS = 20.0, 0.01


def trial_problem(criu: programs.Criu) -> str:
    """What is in the way of a process that is kept in an image and comes back; empty where nothing
    is. Half a second."""
    try:
        with tempfile.TemporaryDirectory(prefix="rewind-trial-") as name:
            return _try(criu, Path(name))
    except (OSError, Unavailable) as error:
        return f"an image could not be tried out: {error}"


def _try(criu: programs.Criu, folder: Path) -> str:
    image = folder / f"{SCRATCH}trial"
    image.mkdir()
    process = subprocess.Popen(
        room_command(["sleep", "600"], folder), cwd="/", stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    keeper = None
    try:
        deadline = clock.monotonic() + _SECONDS
        while keeper is None and process.poll() is None and clock.monotonic() < deadline:
            keeper = find_keeper(process.pid, folder)
            time.sleep(_PAUSE_SECONDS)
        pidfile = image / "pid"
        for verb, command in (
            ("dump", programs.dump_command(criu, image)),
            ("restore", programs.restore_command(criu, image, pidfile)),
        ):
            words: dict[str, Json] = {"command": [*command], "seconds": _SECONDS}
            if verb == "restore":
                words["pidfile"] = str(pidfile)
            answer = ask_keeper(folder, verb, words, seconds=_SECONDS)
            if "error" in answer:
                return f"{verb} fails: {programs.cause_of(answer, image / f'{verb}.log')}"
        return ""
    finally:
        if keeper is not None:
            os.kill(keeper.pid, signal.SIGKILL)
        process.kill()
        process.wait()
