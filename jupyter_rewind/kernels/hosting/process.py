"""Processes of this machine by number and moment of start: a number used again fools nobody.

Needs Linux's /proc; elsewhere no process is found.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind import clock

FOLDER = "rewind-host"
"""Where the folders of hosted kernels lie, beside the connection files."""
_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """One process: `started` is its start in ticks since the machine's."""

    pid: int
    started: int

    @property
    def is_alive(self) -> bool:
        """Whether it is there and no zombie."""
        return find_process(self.pid) == self

    @property
    def started_ns(self) -> int:
        """The time at which it began. Needs /proc."""
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        age = uptime - self.started / os.sysconf("SC_CLK_TCK")
        return clock.now_ns() - int(age * 1e9)


class AdoptedProcess:
    """A process that somebody else started, asked as one of `subprocess` is."""

    stdin = stdout = stderr = None

    def __init__(self, mark: ProcessMark) -> None:
        self._mark = mark
        self.pid = mark.pid

    def poll(self) -> int | None:
        """None while it lives; only its parent could learn how it ended."""
        return None if self._mark.is_alive else 1

    def wait(self, timeout: float | None = None) -> int:
        """Returns when it has ended, or the time is up."""
        deadline = None if timeout is None else clock.monotonic() + timeout
        while self._mark.is_alive and (deadline is None or clock.monotonic() < deadline):
            time.sleep(_PAUSE_SECONDS)
        return 1

    def send_signal(self, number: int) -> None:
        if self._mark.is_alive:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def find_process(pid: int) -> ProcessMark | None:
    """The process that has this number now; None where there is none, or a zombie."""
    try:
        # The second field, the name, may hold anything, closing brackets too.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return None if fields[0] in "ZX" else ProcessMark(pid, int(fields[19]))
    except (OSError, IndexError, ValueError):
        return None


def is_group_alive(group: int) -> bool:
    """Whether any process of this group is there and no zombie."""
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            try:
                told = Path(entry.path, "stat").read_text(errors="replace").rpartition(")")[2]
            except OSError:  # it has ended since
                continue
            state, _, number = told.split()[:3]
            if int(number) == group and state not in "ZX":
                return True
    return False


def child_of(pid: int) -> int | None:
    """The number of the one child that this process started first, where it has any."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return None
    return int(found[0]) if found else None
