"""Kernels that keep no journal of their own are heard while no server runs, and by the next one."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from jupyter_rewind.kernels.hosting.record import Place, places
from jupyter_rewind.store.locks import is_locked
from tests.support.hosts import hosting_servers
from tests.support.kernels import PATIENCE, Home, eventually
from tests.support.servers import Server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="kernels are hosted on Linux only"),
]
NOTEBOOK = "analysis.ipynb"
CELL = """
import os, time
def wait(name):
    while not os.path.exists({folder!r} + '/' + name): time.sleep(0.01)
print('begun', flush=True); wait('first'); print('alone', flush=True)
wait('second'); print('done', flush=True); 6 * 7
"""
Start = Callable[..., Server]
Begin = Callable[[Server], "Cell"]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    found = Home(tmp_path)
    folder = tmp_path / "data" / "kernels" / "plain"
    folder.mkdir(parents=True)
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Plain", "language": "python",
        "env": {"JUPYTER_REWIND_KERNELS_ENABLED": "false"},
    }  # fmt: skip
    (folder / "kernel.json").write_text(json.dumps(spec))
    yield found
    for place in places(tmp_path / "runtime"):
        hosted = place.read()
        if hosted is not None and hosted.is_alive:
            os.killpg(hosted.process.pid, signal.SIGKILL)
    eventually(lambda: not deputies(found), "nobody waits for what has ended")


@pytest.fixture
def start(home: Home) -> Iterator[Start]:
    """Starts a server over the home folder."""
    with hosting_servers(home) as started:
        yield started


def deputies(home: Home) -> list[int]:
    """The processes that hear, or would hear, for servers of this home."""
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdecimal():
            try:
                words = (each / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            runtime = os.fsencode(str(home.folder / "runtime"))
            if b"jupyter_rewind.faces.server.absence" in words and runtime in words:
                found.append(int(each.name))
    return found


@pytest.fixture
def begin(home: Home) -> Iterator[Callable[[Server], Cell]]:
    """A cell that has begun in a kernel of this server's."""
    cells: list[Cell] = []

    def begun(server: Server) -> Cell:
        cells.append(Cell(home, server))
        cells[-1].begin(server)
        return cells[-1]

    yield begun
    for cell in cells:
        cell.client.stop_channels()


class Cell:
    """One that runs in a hosted kernel, and waits for two signs."""

    def __init__(self, home: Home, server: Server) -> None:
        self.home = home
        server.put(NOTEBOOK, "1")
        body = {
            "path": NOTEBOOK, "name": NOTEBOOK, "type": "notebook", "kernel": {"name": "plain"},
        }  # fmt: skip
        self.kernel = str(server.ask("POST", "api/sessions", body)["kernel"]["id"])
        connection = home.folder / "runtime" / f"kernel-{self.kernel}.json"
        self.place = Place(connection, self.kernel)
        self.client = BlockingKernelClient()
        self.client.load_connection_file(str(connection))
        self.client.start_channels(hb=False)

    def begin(self, server: Server) -> None:
        self.client.wait_for_ready(timeout=PATIENCE)
        self.client.execute(CELL.format(folder=str(self.home.folder)))
        eventually(lambda: self.text(server) == "begun\n", "it has begun")

    def go_on(self, sign: str) -> None:
        (self.home.folder / sign).touch()

    def found(self, server: Server) -> list[dict[str, Any]]:
        told = server.ask("GET", f"rewind/api/v1/outputs?path={NOTEBOOK}")
        return list(told["executions"])

    def text(self, server: Server) -> str:
        """All that it has put out, as its notebook would get it."""
        outputs = [output for each in self.found(server) for output in each["outputs"]]
        return "".join(each.get("text") or each["data"]["text/plain"] for each in outputs)

    def is_heard_by_a_deputy(self, server: Server, end: int = signal.SIGKILL) -> None:
        server.stop(end)
        eventually(lambda: is_locked(self.place.folder / "hearing"), "somebody hears it")
        (deputy,) = deputies(self.home)
        eventually(lambda: _is_connected(deputy, self.place), "it is connected")


def _is_connected(process: int, place: Place) -> bool:
    hosted = place.read()
    assert hosted is not None
    port = json.loads(Path(hosted.connection).read_text())["iopub_port"]
    lines = Path(f"/proc/{process}/net/tcp").read_text().splitlines()[1:]
    mine = set[str]()
    for each in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed since it was listed
            mine.add(os.readlink(each))
    rows = [line.split() for line in lines]
    return any(
        row[2].endswith(f":{port:04X}") and row[3] == "01" and f"socket:[{row[9]}]" in mine
        for row in rows
    )


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_cell_puts_out_while_no_server_runs_is_kept(
    home: Home, start: Start, begin: Begin, end: int
) -> None:
    """All of it, once and in order: of before, of in between, and what the next server hears; where
    the server is killed, and where it leaves its kernels running."""
    outlive = "--Rewind.kernels_outlive=True"
    server = start(outlive)
    cell = begin(server)
    cell.is_heard_by_a_deputy(server, end)
    cell.go_on("first")
    eventually(
        lambda: cell.client.get_iopub_msg(timeout=PATIENCE)["content"].get("text") == "alone\n",
        "it has gone on",
    )
    (deputy,) = deputies(home)
    server = start(outlive)
    eventually(lambda: deputy not in deputies(home), "the next server hears it")
    assert cell.text(server) == "begun\nalone\n"
    cell.go_on("second")
    eventually(lambda: not cell.found(server)[0]["running"], "it has ended")
    assert cell.text(server) == "begun\nalone\ndone\n42"


def test_a_cell_that_ends_while_no_server_runs_is_whole(start: Start, begin: Begin) -> None:
    """With its end; and the next cell is heard by the next server."""
    server = start()
    cell = begin(server)
    cell.is_heard_by_a_deputy(server)
    cell.go_on("first")
    cell.go_on("second")
    reply = cell.client.get_shell_msg(timeout=PATIENCE)
    assert reply["content"]["status"] == "ok"
    server = start()
    eventually(lambda: cell.text(server) == "begun\nalone\ndone\n42", "all of it")
    assert [each["running"] for each in cell.found(server)] == [False]
    cell.client.execute_interactive("print('next')", timeout=PATIENCE)
    eventually(lambda: cell.text(server).endswith("42next\n"), "the next cell")


def test_a_server_that_stops_with_its_kernels_leaves_nobody(
    home: Home, start: Start, begin: Begin
) -> None:
    """Its deputy ends with it."""
    server = start()
    begin(server)
    eventually(lambda: deputies(home), "there is one")
    server.stop()
    eventually(lambda: not deputies(home), "it is gone")
