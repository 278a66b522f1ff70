"""The ports of a kernel that is not there: kept while it sleeps, others where they are taken."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from jupyter_rewind.kernels.hosting.rooms import (
    ask_keeper,
    find_keeper,
    room_command,
    room_problem,
)
from jupyter_rewind.kernels.images.freezer import LIST
from jupyter_rewind.kernels.images.messages import pack_entries, pack_fields
from jupyter_rewind.kernels.images.relocation import (
    Moves,
    heard,
    instead_of_taken,
    move,
    with_ports,
)
from tests.support.kernels import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="process images need Linux")
TCP, UDP = socket.IPPROTO_TCP, socket.IPPROTO_UDP
LISTENS, CONNECTED = 10, 1


def write_sockets(folder: Path, *sockets: tuple[int, int, int]) -> None:
    """An image whose process has these: protocol, state, port."""
    entries = [
        pack_fields([(4, 2, pack_fields([(5, 0, protocol), (6, 0, state), (7, 0, port)]))])
        for protocol, state, port in sockets
    ]
    (folder / LIST).write_bytes(pack_entries(struct.pack("<II", 1, 2), entries))


def is_free(port: int, kind: int = socket.SOCK_STREAM) -> bool:
    with closing(socket.socket(type=kind)) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def listening() -> socket.socket:
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as ZeroMQ does
    found.bind(("127.0.0.1", 0))
    found.listen()
    return found


def test_ports_that_somebody_else_has_are_others_in_a_kernel_that_is_made_anew(
    tmp_path: Path,
) -> None:
    """Those alone: whoever knows the others finds it there. Its connection tells of them."""
    with listening() as theirs, listening() as gone:
        taken, free = theirs.getsockname()[1], gone.getsockname()[1]
        gone.close()
        write_sockets(tmp_path, (TCP, LISTENS, taken), (TCP, LISTENS, free), (UDP, 7, free))
        assert heard(tmp_path) == sorted([(TCP, taken), (TCP, free), (UDP, free)])
        moved = instead_of_taken(tmp_path)
        assert list(moved) == [taken] and moved[taken] not in (taken, free)
        move(tmp_path, Moves(moved))
        assert heard(tmp_path) == sorted([(TCP, moved[taken]), (TCP, free), (UDP, free)])
    told = with_ports({"shell_port": taken, "hb_port": free, "key": "k"}, moved)
    assert told == {"shell_port": moved[taken], "hb_port": free, "key": "k"}


def test_connections_are_no_ports_that_are_listened_on(tmp_path: Path) -> None:
    """Nor is a socket that has none yet."""
    write_sockets(tmp_path, (TCP, CONNECTED, 4567), (TCP, LISTENS, 0), (UDP, 7, 0))
    assert heard(tmp_path) == []


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    """The folder of a keeper whose kernel sleeps."""
    if problem := room_problem():
        pytest.skip(f"namespaces cannot be made here: {problem}")
    process = subprocess.Popen(
        room_command(["sleep", "600"], tmp_path), cwd="/", stdin=subprocess.DEVNULL
    )
    keeper = eventually(lambda: find_keeper(process.pid, tmp_path), "the keeper listens")
    yield tmp_path
    os.kill(keeper.pid, signal.SIGKILL)
    process.wait()


def test_nobody_gets_the_ports_of_a_kernel_that_sleeps(room: Path) -> None:
    """Until it comes back, and listens there itself; where it does not, they are kept again."""
    with listening() as found, socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        stream, datagram = found.getsockname()[1], other.getsockname()[1]
        # As of a kernel that has just ended: connections to it linger.
        with socket.create_connection(("127.0.0.1", stream)):
            found.accept()[0].close()
    ask_keeper(room, "end", {})
    assert is_free(datagram, socket.SOCK_DGRAM)
    ask_keeper(room, "reserve", {"ports": [[TCP, stream], [UDP, datagram]]})
    assert not is_free(stream) and not is_free(datagram, socket.SOCK_DGRAM)
    said = room / "said"
    tool = room / "tool.py"
    tool.write_text(
        "import socket, sys\n"
        "found = socket.socket(); found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
        f"found.bind(('127.0.0.1', {stream})); found.listen()\n"
        f"open({str(said)!r}, 'w').write('free'); sys.exit(1)\n"
    )
    words = {"command": [sys.executable, str(tool)], "pidfile": str(room / "pid"), "seconds": 30.0}
    answer = ask_keeper(room, "restore", words)  # type: ignore[arg-type]
    assert "exit status 1" in str(answer), answer
    assert said.read_text() == "free"
    assert not is_free(stream) and not is_free(datagram, socket.SOCK_DGRAM)


def test_a_keeper_tells_how_long_its_kernel_has_worked(room: Path) -> None:
    """In seconds of a processor; one that sleeps works no more."""
    assert float(str(ask_keeper(room, "status", {})["seconds"])) < 1.0
    ask_keeper(room, "end", {})
    assert ask_keeper(room, "status", {})["seconds"] == 0
