"""An image whose process shall listen on other ports, or write its log to another place: CRIU's
list of files says both, and the process asks for neither again.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_rewind.errors import RestoreRefused
from jupyter_rewind.kernels.images.messages import (
    BYTES,
    MAGIC_BYTES,
    VARINT,
    Field,
    entries,
    fields,
    numbers,
    pack_entries,
    pack_fields,
)
from jupyter_rewind.kernels.images.openfiles import LIST
from jupyter_rewind.model.entry import Json
from jupyter_rewind.store.durable import Files

PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
_REGULAR, _INTERNET = 3, 4
_PROTOCOL, _STATE, _NAME, _SOURCE, _TARGET = 5, 6, 6, 7, 8
_LISTENS = 10


@dataclass(frozen=True, slots=True)
class Moves:
    """What shall be elsewhere: ports by ports, absolute names of files by names."""

    ports: Mapping[int, int] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


def move(folder: Path, moves: Moves) -> None:
    """The image in `folder` comes back at these places. Raises Integrity, Storage."""
    if moves.ports or moves.names:
        path = folder / LIST
        Files().replace_file(path, moved(path.read_bytes(), moves))


def moved(image: bytes, moves: Moves) -> bytes:
    """The same list of files with these places. Raises Integrity."""
    return pack_entries(
        image[:MAGIC_BYTES],
        [pack_fields(_moved_entry(each, moves) for each in fields(e)) for e in entries(image)],
    )


def second_connection(connection: Mapping[str, Json]) -> dict[str, Json]:
    """The same connection on ports that nobody has now. Raises RestoreRefused where the kernel is
    reached in another way than by ports."""
    if connection.get("transport", "tcp") != "tcp":
        raise RestoreRefused(
            "A kernel that is reached through files cannot run twice.",
            hint="Nothing was changed. It comes back into itself: leave --beside out.",
        )
    found: dict[str, Json] = dict(connection)
    return found | dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))


def other_ports(folder: Path, known: Mapping[int, int]) -> dict[int, int]:
    """A free port for each one that the process in `folder` listens on, those known included."""
    bound = sorted({port for _, port in heard(folder)} - {*known})
    return {**known, **dict(zip(bound, _free_ports(len(bound)), strict=True))}


def instead_of_taken(folder: Path) -> dict[int, int]:
    """A free port for each one that the process in `folder` listens on, and somebody else has."""
    taken = sorted({port for protocol, port in heard(folder) if not _is_free(protocol, port)})
    return dict(zip(taken, _free_ports(len(taken)), strict=True))


def heard(folder: Path) -> list[tuple[int, int]]:
    """The ports that the process in `folder` listens on, each after the number of its protocol."""
    image = (folder / LIST).read_bytes()
    sockets = [
        numbers(value)
        for entry in entries(image)
        for number, kind, value in fields(entry)
        if number == _INTERNET and kind == BYTES and isinstance(value, bytes)
    ]
    found = {(each[_PROTOCOL], each[_SOURCE]) for each in sockets if _is_bound(each)}
    return sorted((protocol, port) for protocol, port in found if port)


def moved_ports(before: Mapping[str, Json], after: Mapping[str, Json]) -> dict[int, int]:
    """The ports of a connection that are others in the second one."""
    return {
        int(str(before[name])): int(str(after[name]))
        for name in PORTS
        if before.get(name) != after.get(name)
    }


def with_ports(connection: Mapping[str, Json], moved: Mapping[int, int]) -> dict[str, Json]:
    """The same connection, with the ports that were moved."""
    found = {name: int(str(connection[name])) for name in PORTS if name in connection}
    return {**connection, **{name: moved.get(port, port) for name, port in found.items()}}


def _is_bound(told: Mapping[int, int]) -> bool:
    protocol, state = told.get(_PROTOCOL), told.get(_STATE)
    is_heard = protocol == socket.IPPROTO_UDP or state == _LISTENS
    return is_heard and _SOURCE in told


def _is_free(protocol: int, port: int) -> bool:
    is_datagram = protocol == socket.IPPROTO_UDP
    with socket.socket(type=socket.SOCK_DGRAM if is_datagram else socket.SOCK_STREAM) as probe:
        if not is_datagram:  # connections that have ended do not count
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def _free_ports(count: int) -> list[int]:
    with ExitStack() as sockets:
        found = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in found:
            each.bind(("", 0))
        return [int(each.getsockname()[1]) for each in found]


def _moved_entry(each: Field, moves: Moves) -> Field:
    number, kind, value = each
    if kind != BYTES or not isinstance(value, bytes) or number not in (_REGULAR, _INTERNET):
        return each
    change = _moved_file if number == _REGULAR else _moved_socket
    return number, kind, pack_fields(change(value, moves))


def _moved_socket(message: bytes, moves: Moves) -> Iterator[Field]:
    for number, kind, value in fields(message):
        if number in (_SOURCE, _TARGET) and kind == VARINT and isinstance(value, int):
            yield number, kind, moves.ports.get(value, value)
        else:
            yield number, kind, value


def _moved_file(message: bytes, moves: Moves) -> Iterator[Field]:
    for number, kind, value in fields(message):
        if number == _NAME and isinstance(value, bytes):
            name = os.fsdecode(value)
            to = moves.names.get("/" + name.lstrip("/"))
            if to is not None:
                value = os.fsencode(to if name.startswith("/") else to.lstrip("/"))
        yield number, kind, value
