"""A kernel in a room of its own: namespaces of processes and mounts, with a keeper as the first.

In there its process numbers are its own, so an image of it finds them free again. Where the server
is not root's, the room has a namespace of users as well: in there the kernel has the number of root
and, outside, the rights of the user that it had.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_rewind.errors import Unavailable
from jupyter_rewind.kernels import templates
from jupyter_rewind.kernels.hosting.keeper import CONTROL
from jupyter_rewind.kernels.hosting.process import ProcessMark, child_of, find_process

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_rewind.model.entry import Json

_SWITCHES = (
    ("user/max_user_namespaces", "0", "user.max_user_namespaces=10000"),
    ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)
"""What keeps users from namespaces: in general, on Debian, on Ubuntu."""
_CONTAINERS = ("/.dockerenv", "/run/.containerenv")
"""What Docker and Podman leave in a container."""
_IN_CONTAINER = (
    "docker run --cap-add SYS_ADMIN --cap-add NET_ADMIN --cap-add SYS_TIME"
    " --security-opt apparmor=unconfined IMAGE"
)
_is_known_to_work = False
_TRY_SECONDS = 20
_MARGIN_SECONDS = 15
_AS_USER = ("--user", "--map-root-user")
_UNSHARE = ("--pid", "--mount", "--mount-proc", "--propagation", "slave", "--fork", "--")


def room_problem() -> str:
    """Why kernels cannot have rooms of their own here; empty where they can. Once they can, that
    holds; else it is looked at anew each time, for somebody may have mended it."""
    global _is_known_to_work
    problem = "" if _is_known_to_work else _find_problem()
    _is_known_to_work = not problem
    return problem


def _find_problem() -> str:
    if sys.platform != "linux":
        return "it needs Linux"
    tool = shutil.which("unshare")
    if tool is None:
        return "the program unshare (of util-linux) is not installed"
    try:
        done = subprocess.run(
            [tool, *_flags(), "sh", "-c", "echo 1000 > /proc/sys/kernel/ns_last_pid"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TRY_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unshare does not run: {error}"
    if done.returncode == 0:
        return ""
    who = "it" if is_root() else "namespaces to users without root's rights"
    return f"the system refuses {who}: {done.stderr.strip()}"


def room_mend() -> str:
    """The command, for an administrator, that lets kernels have rooms; empty where none is
    known."""
    if is_root():
        return container_mend()
    for name, refuses, command in _SWITCHES:
        try:
            if Path("/proc/sys", name).read_text().strip() == refuses:
                return f"sysctl -w {command}"
        except OSError:
            continue
    return ""


def container_mend() -> str:
    """The command that begins a container with the rights that images take; empty elsewhere."""
    return _IN_CONTAINER if any(os.path.exists(each) for each in _CONTAINERS) else ""


def is_root() -> bool:
    """Whether this process has the rights of root, or may have them."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _flags() -> tuple[str, ...]:
    return _UNSHARE if is_root() else (*_AS_USER, *_UNSHARE)


def room_command(command: list[str], folder: Path) -> list[str]:
    """`command` in a room of its own, whose keeper listens in `folder`; an empty one makes a room
    that waits for an image."""
    keeper = Path(__file__).with_name("keeper.py")
    tool = shutil.which("unshare") or "unshare"
    start = [sys.executable, "-I", "-S", str(keeper), str(folder)]
    return [tool, *_flags(), *start, *command]


def warden_command(command: list[str], folder: Path, most: int, megabytes: int) -> list[str]:
    """`command` below a warden that listens in `folder` and keeps so many templates."""
    warden = Path(templates.__file__).with_name("warden.py")
    start = [sys.executable, "-I", "-S", str(warden), str(folder), str(most), str(megabytes)]
    return [*start, *command]


def find_keeper(process: int, folder: Path) -> ProcessMark | None:
    """The keeper of the room that `process` made, seen from outside, once it listens."""
    keeper = child_of(process)
    if keeper is None or not (folder / CONTROL).exists():
        return None
    return find_process(keeper)


def ask_keeper(
    folder: Path, verb: str, words: Mapping[str, Json], *, seconds: float = 10
) -> dict[str, Json]:
    """What the keeper that listens in `folder` answers, errors included. Raises Unavailable."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(seconds + _MARGIN_SECONDS)
                # A socket's own path may be only a hundred letters long.
                connection.connect(f"/proc/self/fd/{descriptor}/{CONTROL}")
                connection.sendall(json.dumps({"verb": verb, **words}).encode() + b"\n")
                answer = connection.makefile("rb").readline()
        finally:
            os.close(descriptor)
        return dict(json.loads(answer))
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"The keeper of the kernel in {folder} does not answer: {error}.",
            hint="Nothing was changed.",
            retryable=True,
        ) from error
