"""CRIU, the program that freezes and restores processes: whether it is here and fit, and how it is
called. It runs inside a kernel's room, by the kernel's keeper.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_rewind.errors import Denied, Full, RestoreRefused, RewindError, Unavailable
from jupyter_rewind.kernels.hosting.rooms import (
    container_mend,
    is_root,
    room_mend,
    room_problem,
)
from jupyter_rewind.store.durable import free_bytes, read_text_or_empty

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_rewind.model.entry import Json
    from jupyter_rewind.settings import Rewind

LEAST = (4, 2)
_TRY_SECONDS = 30
_PLACES = "/usr/local/sbin:/usr/sbin:/sbin"
_OPTIONS = ("--tcp-close", "--link-remap", "--file-locks")
_AS_USER = "--unprivileged"
_FULL = "the disk is full"
_DEVICE = "it uses a device that cannot be kept in an image, such as a graphics card"
_WORDS = (
    ("No space left on device", _FULL),
    ("io_uring", "it uses io_uring"),
    (
        "increase limit",
        "a deleted file that it still has open is larger than kernels.ghost_limit_mb allows",
    ),
    ("userfaultfd", "it tracks pages through userfaultfd"),
    (
        "Can't link remap to .*: File exists",
        "files link_remap.*, in /dev/shm or beside a library of it that was replaced, are in the"
        " way: a CRIU that was cut short has left them, and they can be removed while none runs",
    ),
    (r"nvidia|amdgpu|\(chr (195|226):", "it uses a graphics card"),
    (r"of that type \[\d+\] \(chr |handle_device_vma|non-regular mapping", _DEVICE),
    ("tty", "it has a terminal open"),
    ("Can't dump half of stream unix connection", "it talks to another process over a socket"),
)
_known: dict[str, Criu] = {}
_HARMLESS = re.compile("rlimit|net: Unexpected error")
"""Errors that CRIU goes on after, where it is not root's."""
_BEFORE_WORDS = re.compile(r"^(\([\d.]+\)\s*)?(pie:\s*)?(\d+:\s*)?Error \([^)]*\): ")


@dataclass(frozen=True, slots=True)
class Criu:
    """The program that is there, or why there is none that serves: `problem` in words, and
    `mend`, the command that helps, where there is one."""

    path: str = ""
    version: str = ""
    problem: str = ""
    mend: str = ""
    ghost_limit_mb: int = 64

    def require(self) -> None:
        """Raises Denied where no image can be made here."""
        if self.problem:
            hint = f"`{self.mend}` helps. " if self.mend else ""
            raise Denied(
                f"There are no process images on this machine: {self.problem}.",
                hint=f"{hint}States of variables need none of this: `%rewind`.",
            )


def find_criu(settings: Rewind) -> Criu:
    """What this machine allows. Once it allows images, that holds; else it is looked at anew each
    time, for somebody may have mended it."""
    chosen = settings.kernels_criu
    found = _known.get(chosen) or _find(chosen)
    if not found.problem:
        _known[chosen] = found
    return replace(found, ghost_limit_mb=settings.kernels_ghost_limit_mb)


def dump_command(criu: Criu, folder: Path) -> list[str]:
    """Writes an image into `folder` and leaves the process standing still."""
    return [
        *(criu.path, "dump", "--images-dir", str(folder), "--log-file", "dump.log", "-v2"),
        *("--leave-stopped", "--ghost-limit", f"{criu.ghost_limit_mb}M", *_options()),
    ]


def restore_command(criu: Criu, folder: Path, pidfile: Path) -> list[str]:
    """Brings the image in `folder` back and ends."""
    return [
        *(criu.path, "restore", "--images-dir", str(folder), "--log-file", "restore.log", "-v2"),
        *("--restore-detached", "--pidfile", str(pidfile), "--skip-file-rwx-check", *_options()),
    ]


def _options() -> tuple[str, ...]:
    return _OPTIONS if is_root() else (*_OPTIONS, _AS_USER)


def dump_failure(answer: Mapping[str, Json], folder: Path) -> RewindError:
    """What a dump that failed raises; the kernel goes on."""
    cause = cause_of(answer, folder / "dump.log")
    kind: type[RewindError] = Unavailable
    if cause == _FULL:
        free = free_bytes(folder)
        cause, kind = f"{_FULL} ({free} bytes free on {folder.parent})", Full
    return kind(
        f"No image of the kernel was made: {cause}.",
        hint="The kernel goes on as before, and nothing was stored.",
    )


def restore_failure(answer: Mapping[str, Json], folder: Path, then: str) -> RewindError:
    """What a restore that failed raises; `then` says what became of the kernel."""
    cause = cause_of(answer, folder / "restore.log")
    return RestoreRefused(f"The process image did not come back: {cause}.", hint=then)


def cause_of(answer: Mapping[str, Json], log: Path) -> str:
    """Why CRIU failed, in words."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        text = ""
    text += str(answer.get("tail", ""))
    known = next((words for sign, words in _WORDS if re.search(sign, text)), "")
    lines = [line for line in text.splitlines() if "Error" in line and not _HARMLESS.search(line)]
    said = _BEFORE_WORDS.sub("", lines[0]) if lines else ""
    return known or said.strip().rstrip(".") or str(answer.get("error", "CRIU failed"))


def _find(chosen: str) -> Criu:
    room = room_problem()
    if room:
        return Criu(problem=room, mend=room_mend())
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
        return Criu(path, version, problem, _install_command())
    return _check(path, version) if is_root() else _try(path, version)


def _try(path: str, version: str) -> Criu:
    from jupyter_rewind.kernels.images.trial import trial_problem

    problem = trial_problem(Criu(path, version))
    return Criu(path, version, f"without root's rights, {problem}" if problem else "")


def _check(path: str, version: str) -> Criu:
    try:
        done = subprocess.run([path, "check"], capture_output=True, text=True, timeout=_TRY_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Criu(path, version, f"`{path} check` does not end: {error}")
    if done.returncode == 0:
        problem = _clock_problem()
        return Criu(path, version, problem, container_mend() if problem else "")
    lines = [line for line in done.stderr.splitlines() if "Error" in line] or ["it says no why"]
    return Criu(path, version, f"`{path} check` fails: {lines[0].strip()}")


def _clock_problem() -> str:
    """A process that comes back gets a clock of its own; without the right to set that, it would
    not come back, and the one that lives would have been ended for it."""
    tool = shutil.which("unshare") or "unshare"
    try:
        done = subprocess.run(
            [tool, "--time", "--monotonic", "1", "--fork", "true"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TRY_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unshare does not run: {error}"
    if done.returncode == 0:
        return ""
    return f"clocks of kernels cannot be set (it needs CAP_SYS_TIME): {done.stderr.strip()}"


def _which() -> str | None:
    return shutil.which("criu", path=f"{os.environ.get('PATH', '')}:{_PLACES}")


def _install_command() -> str:
    """What installs a CRIU that serves on this distribution of Linux; empty where none is known."""
    known = read_text_or_empty(Path("/etc/os-release"))
    names = " ".join(re.findall(r"^ID(?:_LIKE)?=(.*)$", known, re.MULTILINE)).replace('"', " ")
    commands = {
        "ubuntu": "add-apt-repository ppa:criu/ppa && apt-get install criu",
        "debian": "apt-get install -t unstable criu",
        "fedora": "dnf install criu",
        "rhel": "dnf install criu",
        "centos": "dnf install criu",
        "arch": "pacman -S criu",
    }
    return next((commands[name] for name in names.split() if name in commands), "")
