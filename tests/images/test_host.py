"""Kernels that do not need their server: killed or stopped, and another one takes them over."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

from jupyter_rewind import clock
from jupyter_rewind.errors import Conflict, RewindError
from jupyter_rewind.kernels.hosting.process import find_process
from jupyter_rewind.kernels.hosting.provisioner import HostProvisioner
from jupyter_rewind.kernels.hosting.record import Hosted, Place, places
from tests.support.hosts import hosting_servers
from tests.support.kernels import PATIENCE, Home, eventually
from tests.support.ports import set_ports
from tests.support.servers import Server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="kernels are hosted on Linux only"),
]
Start = Callable[..., Server]
NOTEBOOK = "analysis.ipynb"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    found = Home(tmp_path)
    yield found
    for place in places(tmp_path / "runtime"):
        try:
            hosted = place.read()
        except RewindError:
            continue
        if hosted is not None and hosted.is_alive:
            os.killpg(hosted.process.pid, signal.SIGKILL)


@pytest.fixture
def start(home: Home) -> Iterator[Start]:
    """Starts a server over the home folder."""
    with hosting_servers(home) as started:
        yield started


def open_session(server: Server) -> dict[str, Any]:
    server.put(NOTEBOOK, "1")
    body = {
        "path": NOTEBOOK,
        "name": NOTEBOOK,
        "type": "notebook",
        "kernel": {"name": "python3"},
    }
    found: dict[str, Any] = server.ask("POST", "api/sessions", body)
    return found


def connection_file(home: Home, session: dict[str, Any]) -> Path:
    return home.folder / "runtime" / f"kernel-{session['kernel']['id']}.json"


def record(home: Home, session: dict[str, Any]) -> Hosted:
    found = Place(connection_file(home, session), session["kernel"]["id"]).read()
    assert found is not None
    return found


@contextmanager
def client(home: Home, session: dict[str, Any]) -> Iterator[BlockingKernelClient]:
    kernel = BlockingKernelClient()
    kernel.load_connection_file(str(connection_file(home, session)))
    kernel.start_channels(hb=False)
    try:
        kernel.wait_for_ready(timeout=PATIENCE)
        yield kernel
    finally:
        kernel.stop_channels()


def run(home: Home, session: dict[str, Any], source: str) -> str:
    """What the cell prints."""
    said: list[str] = []

    def hear(message: dict[str, Any]) -> None:
        content = message["content"]
        said.append(content.get("text", "") or content.get("evalue", ""))

    with client(home, session) as kernel:
        kernel.execute_interactive(source, output_hook=hear, timeout=PATIENCE)
    return "".join(said)


def test_a_kernel_goes_on_when_its_server_is_killed_and_the_next_one_has_it(
    home: Home, start: Start
) -> None:
    """Same kernel, same session, variables in place, and what it put out in between is told."""
    server = start()
    session = open_session(server)
    run(home, session, "counter = iter(range(100)); next(counter)")
    sign = home.folder / "go on"
    with client(home, session) as kernel:
        kernel.execute(
            "import os, time\nprint('begun', flush=True)\n"
            f"while not os.path.exists({str(sign)!r}): time.sleep(0.01)\n"
            "print('done'); kept = next(counter)"
        )
        eventually(
            lambda: kernel.get_iopub_msg(timeout=PATIENCE)["msg_type"] == "stream", "it has begun"
        )
    process = record(home, session).process
    server.stop(signal.SIGKILL)
    sign.touch()
    eventually(lambda: len(home.executions()) == 2 and home.executions()[1].finished_ns, "done")

    server = start()
    assert [each["id"] for each in server.ask("GET", "api/sessions")] == [session["id"]]
    kernel_ids = [each["id"] for each in server.ask("GET", "api/kernels")]
    assert kernel_ids == [session["kernel"]["id"]]
    assert record(home, session).process == process
    told = server.ask("GET", f"rewind/api/v1/outputs?path={NOTEBOOK}&since=1")["executions"]
    assert told[-1]["outputs"][0]["text"] == "begun\ndone\n"
    assert run(home, session, "print(kept, next(counter))") == "1 2\n"


def test_a_kernel_that_was_taken_over_ends_and_restarts_as_any_other(
    home: Home, start: Start
) -> None:
    """A restart gives a new process under the same id; closing the notebook leaves nothing."""
    server = start()
    session = open_session(server)
    run(home, session, "x = 1")
    server.stop(signal.SIGKILL)
    server = start()
    before = record(home, session).process
    server.ask("POST", f"api/kernels/{session['kernel']['id']}/restart")
    after = record(home, session).process
    assert after != before and not before.is_alive and after.is_alive
    assert "not defined" in run(home, session, "x")
    server.ask("DELETE", f"api/sessions/{session['id']}")
    assert not after.is_alive
    assert not connection_file(home, session).exists()
    assert list(places(home.folder / "runtime")) == []


def test_a_kernel_ends_with_a_server_that_is_stopped(home: Home, start: Start) -> None:
    """As always, unless the settings say otherwise."""
    server = start()
    session = open_session(server)
    process = record(home, session).process
    server.stop()
    assert not process.is_alive


def test_a_kernel_outlives_a_server_that_is_stopped_where_the_settings_say_so(
    home: Home, start: Start
) -> None:
    """It is left running, and the next server has it."""
    server = start("--Rewind.kernels_outlive=True")
    session = open_session(server)
    run(home, session, "x = 41")
    server.stop()
    assert record(home, session).is_alive
    server = start()
    assert [each["id"] for each in server.ask("GET", "api/sessions")] == [session["id"]]
    assert run(home, session, "print(x + 1)") == "42\n"


def test_a_second_server_takes_no_kernel_of_one_that_lives(home: Home, start: Start) -> None:
    """What another one has is left alone."""
    first = start()
    session = open_session(first)
    second = start()
    assert second.ask("GET", "api/kernels") == []
    assert [each["id"] for each in first.ask("GET", "api/sessions")] == [session["id"]]


def test_a_server_that_hosts_no_kernels_takes_the_living_ones_over(
    home: Home, start: Start
) -> None:
    """As after `jupyter rewind serve`, which hosts kernels unasked: no process is replaced."""
    server = start()
    session = open_session(server)
    run(home, session, "kept = 42")
    process, connection = record(home, session).process, connection_file(home, session).read_bytes()
    server.stop(signal.SIGKILL)
    server = start(host="False")
    assert [each["id"] for each in server.ask("GET", "api/kernels")] == [session["kernel"]["id"]]
    assert record(home, session).process == process
    assert connection_file(home, session).read_bytes() == connection
    assert run(home, session, "print(kept)") == "42\n"
    other = server.ask("POST", "api/kernels", {"name": "python3"})["id"]
    assert {each.kernel for each in places(home.folder / "runtime")} == {session["kernel"]["id"]}
    server.ask("DELETE", f"api/kernels/{other}")


def test_a_kernel_that_another_process_has_keeps_its_connection_file(
    tmp_path: Path,
) -> None:
    """Whoever wants to start it as well, in the same moment, is refused first."""
    file = tmp_path / "kernel-k.json"
    file.write_text("its own")
    mine = find_process(os.getpid())
    assert mine is not None
    theirs = Place(file, "k")
    theirs.make()
    theirs.write(
        Hosted("k", "python3", mine, clock.boot_id(), str(tmp_path), str(tmp_path), str(file))
    )
    assert theirs.take()
    manager = KernelManager(connection_file=str(file))
    spec = KernelSpec(argv=["true"], display_name="k", language="python")
    wanted = HostProvisioner(kernel_id="k", kernel_spec=spec, parent=manager)
    with pytest.raises(Conflict, match="belongs to another server"):
        asyncio.run(wanted.pre_launch())
    assert file.read_text() == "its own"
    theirs.leave()


def test_a_kernel_that_died_meanwhile_is_not_taken_over(home: Home, start: Start) -> None:
    """The next server starts without it, and what was written down of it is gone."""
    server = start()
    session = open_session(server)
    server.stop(signal.SIGKILL)
    process = record(home, session).process
    os.kill(process.pid, signal.SIGKILL)
    eventually(lambda: not process.is_alive, "the kernel has ended")
    server = start()
    assert server.ask("GET", "api/kernels") == []
    assert list(places(home.folder / "runtime")) == []
    with pytest.raises(urllib.error.HTTPError, match="404"):
        server.ask("GET", f"api/sessions/{session['id']}")


def test_what_a_kernel_writes_past_jupyter_is_in_the_servers_log(home: Home, start: Start) -> None:
    """Also what it wrote while there was no server."""
    server = start()
    session = open_session(server)
    run(home, session, "import os; os.write(2, b'from below\\n')")
    eventually(lambda: "from below" in server.log.read_text(), "it is in the log")
    server.stop(signal.SIGKILL)
    run(home, session, "os.write(2, b'nobody is here\\n')")
    server = start()
    eventually(lambda: "nobody is here" in server.log.read_text(), "it is in the next log")


def test_a_hosted_kernel_has_no_terminal_no_pipe_and_no_parent_to_end_with(
    tmp_path: Path,
) -> None:
    """A kernelspec that names the provisioner is enough; no server is needed."""
    manager = KernelManager(connection_file=str(tmp_path / "kernel-1.json"))
    set_ports(manager)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager._kernel_spec = KernelSpec(
        argv=argv,
        display_name="hosted",
        language="python",
        metadata={"kernel_provisioner": {"provisioner_name": "rewind-host"}},
    )
    manager.start_kernel()
    try:
        pid = manager.provisioner.pid  # type: ignore[union-attr]
        assert os.getsid(pid) == pid
        files = {number: os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)}
        log = str(tmp_path / "rewind-host" / str(manager.kernel_id) / "output.log")
        assert files == {0: "/dev/null", 1: log, 2: log}
        assert os.stat(log).st_mode & 0o777 == 0o600
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"JPY_PARENT_PID" not in environment
        kernel = manager.client()
        kernel.start_channels()
        kernel.wait_for_ready(timeout=PATIENCE)
        kernel.stop_channels()
    finally:
        manager.shutdown_kernel(now=True)
    assert find_process(pid) is None


def test_a_damaged_record_costs_its_kernel_alone(home: Home, start: Start) -> None:
    """The server starts, says so, and the process is not touched."""
    server = start()
    session = open_session(server)
    process = record(home, session).process
    server.stop(signal.SIGKILL)
    folder = home.folder / "runtime" / "rewind-host" / session["kernel"]["id"]
    (folder / "record.json").write_text(json.dumps({"format": 1, "kernel": "x"}))
    server = start()
    assert server.ask("GET", "api/kernels") == []
    assert "does not read" in server.log.read_text()
    assert process.is_alive
    os.killpg(process.pid, signal.SIGKILL)
