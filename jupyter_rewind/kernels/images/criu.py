"""CRIU, the program that freezes and restores processes: whether it is here and fit, and how it is
called. It runs inside a kernel's room, by the kernel's keeper.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_rewind.errors import Denied, RestoreRefused, RewindError, Unavailable
from jupyter_rewind.kernels.hosting.rooms import room_problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_rewind.model.entry import Json
    from jupyter_rewind.settings import Rewind

LEAST = (4, 2)
_TRY_SECONDS = 30
_PLACES = "/usr/local/sbin:/usr/sbin:/sbin"
_OPTIONS = ("--tcp-close", "--link-remap", "--file-locks", "--ghost-limit", "64M")
_WORDS = (
    ("io_uring", "it uses io_uring"),
    ("userfaultfd", "it tracks pages through userfaultfd"),
    ("nvidia", "it uses a graphics card"),
    ("tty", "it has a terminal open"),
    ("Can't dump half of stream unix connection", "it talks to another process over a socket"),
)


@dataclass(frozen=True, slots=True)
class Criu:
    """The program that is there, or why there is none that serves: `problem` in words, and
    `mend`, the command that helps, where there is one."""

    path: str = ""
    version: str = ""
    problem: str = ""
    mend: str = ""

    def require(self) -> None:
        """Raises Denied where no image can be made here."""
        if self.problem:
            hint = f"`{self.mend}` helps. " if self.mend else ""
            raise Denied(
                f"There are no process images on this machine: {self.problem}.",
                hint=f"{hint}States of variables need none of this: `%rewind`.",
            )


def find_criu(settings: Rewind) -> Criu:
    """What this machine allows. Asks the program once for each place it may lie in."""
    return _find(settings.kernels_criu)


def dump_command(criu: Criu, folder: Path) -> list[str]:
    """Writes an image into `folder` and leaves the process standing still."""
    return [
        *(criu.path, "dump", "--images-dir", str(folder), "--log-file", "dump.log", "-v2"),
        *("--leave-stopped", *_OPTIONS),
    ]


def restore_command(criu: Criu, folder: Path, pidfile: Path) -> list[str]:
    """Brings the image in `folder` back and ends."""
    return [
        *(criu.path, "restore", "--images-dir", str(folder), "--log-file", "restore.log", "-v2"),
        *("--restore-detached", "--pidfile", str(pidfile), *_OPTIONS),
    ]


def dump_failure(answer: Mapping[str, Json], folder: Path) -> RewindError:
    """What a dump that failed raises; the kernel goes on."""
    return Unavailable(
        f"No image of the kernel was made: {_cause(answer, folder / 'dump.log')}.",
        hint="The kernel goes on as before, and nothing was stored.",
    )


def restore_failure(answer: Mapping[str, Json], folder: Path, then: str) -> RewindError:
    """What a restore that failed raises; `then` says what became of the kernel."""
    cause = _cause(answer, folder / "restore.log")
    return RestoreRefused(f"The process image did not come back: {cause}.", hint=then)


def _cause(answer: Mapping[str, Json], log: Path) -> str:
    try:
        text = log.read_text(errors="replace")
    except OSError:
        text = ""
    text += str(answer.get("tail", ""))
    known = next((words for sign, words in _WORDS if re.search(sign, text)), "")
    lines = [line for line in text.splitlines() if "Error" in line and "rlimit" not in line]
    said = re.sub(r"^\([\d.]+\)\s*(\d+:\s*)?Error \([^)]*\): ", "", lines[0]) if lines else ""
    return known or said.strip().rstrip(".") or str(answer.get("error", "CRIU failed"))


@functools.cache
def _find(chosen: str) -> Criu:
    room = room_problem()
    if room:
        return Criu(problem=room)
    path = shutil.which(os.path.expanduser(chosen)) if chosen else _which()
    if path is None:
        words = f"there is no program {chosen}" if chosen else "CRIU is not installed"
        return Criu(problem=words, mend=_install_command())
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=_TRY_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Criu(path=path, problem=f"{path} does not run: {error}")
    found = re.search(r"Version:\s*(\d+)\.(\d+)(\S*)", done.stdout)
    if found is None:
        return Criu(path=path, problem=f"{path} does not say its version")
    version = f"{found[1]}.{found[2]}{found[3]}"
    if (int(found[1]), int(found[2])) < LEAST:
        least = ".".join(map(str, LEAST))
        problem = f"CRIU {version} fails on present kernels of Linux; {least} or later is needed"
        return Criu(path, version, problem, "")
    return _check(path, version)


def _check(path: str, version: str) -> Criu:
    try:
        done = subprocess.run([path, "check"], capture_output=True, text=True, timeout=_TRY_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Criu(path, version, f"`{path} check` does not end: {error}")
    if done.returncode == 0:
        return Criu(path, version)
    lines = [line for line in done.stderr.splitlines() if "Error" in line] or ["it says no why"]
    return Criu(path, version, f"`{path} check` fails: {lines[0].strip()}")


def _which() -> str | None:
    return shutil.which("criu", path=f"{os.environ.get('PATH', '')}:{_PLACES}")


def _install_command() -> str:
    for tool, command in (
        ("apt-get", "apt-get install criu"),
        ("dnf", "dnf install criu"),
        ("pacman", "pacman -S criu"),
    ):
        if shutil.which(tool):
            return command
    return ""
