"""What a forked process does with the files that it shares with its parent.

Sockets, pipes and what the system notifies through belong to the parent's conversations, and to
its threads; Rewind's own files are its journal and states. All these become the null device, under
the same numbers, so that whoever still holds one closes nothing of anybody else. Only what nobody
will ever close is closed: that of the kernel's own channels. Other files are opened anew where they
stand, with a position of their own. The sockets that the kernel listens at stay: whoever goes on as
the kernel needs them, and nobody takes the ports in between.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress

_FOLDER = "/proc/self/fd"
_STANDARD = 2
_OF_ZEROMQ = "anon_inode:[eventfd]"
_ONCE = os.O_CREAT | os.O_EXCL | os.O_TRUNC | os.O_NOFOLLOW | getattr(os, "O_TMPFILE", 0)
"""What was asked for as the file was made, or found by its name, and not of one that is open."""


def part(ports: Collection[int], folders: Collection[str], own: Collection[int]) -> dict[int, int]:
    """Nothing below `folders` and nobody's connection is open here any more, and each file has its
    own position. The descriptor of each of `ports` that is listened at. The numbers in `own` are
    of things that are held for ever, and never closed."""
    listening: dict[int, int] = {}
    null = os.open(os.devnull, os.O_RDWR)
    for number, name in list(_open_files()):
        if number <= _STANDARD or number == null:
            continue
        port, listens = _port_of(number, name)
        if port in ports and listens:
            listening[port] = number
        elif number in own or port in ports or name == _OF_ZEROMQ:
            os.close(number)
        elif name.startswith("/") and not _is_below(name, folders):
            _reopen(number)
        else:
            os.dup2(null, number, inheritable=False)
    os.close(null)
    return listening


def reopen_files() -> None:
    """Each file has a position of its own, which is where it was."""
    for number, name in list(_open_files()):
        if number > _STANDARD and name.startswith("/"):
            _reopen(number)


def open_devices() -> Iterator[str]:
    """The names of the devices that are open."""
    for _, name in _open_files():
        if name.startswith("/dev/"):
            yield name


def _open_files() -> Iterator[tuple[int, str]]:
    for each in os.listdir(_FOLDER):
        with suppress(OSError):  # the one that the folder was listed with
            yield int(each), os.readlink(f"{_FOLDER}/{each}")


def _is_below(name: str, folders: Collection[str]) -> bool:
    return any(name == folder or name.startswith(f"{folder}/") for folder in folders)


def _port_of(number: int, name: str) -> tuple[int, bool]:
    """The port of a socket, and whether it listens there; 0 where it has none."""
    if not name.startswith("socket:"):
        return 0, False
    with suppress(OSError), socket.socket(fileno=os.dup(number)) as one:
        address = one.getsockname()
        listens = one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        if isinstance(address, tuple):
            return int(address[1]), bool(listens)
    return 0, False


def _reopen(number: int) -> None:
    with suppress(OSError):  # it stays shared where it cannot be opened again
        if not stat.S_ISREG(os.fstat(number).st_mode):
            return
        flags = fcntl.fcntl(number, fcntl.F_GETFL) & ~_ONCE
        at = os.lseek(number, 0, os.SEEK_CUR)
        mine = os.open(f"{_FOLDER}/{number}", flags | os.O_CLOEXEC)
        os.lseek(mine, at, os.SEEK_SET)
        os.dup2(mine, number, inheritable=os.get_inheritable(number))
        os.close(mine)
