"""Kernels keep a journal by themselves, however they were started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from jupyter_rewind.kernels.archive import Archive
from jupyter_rewind.kernels.runs import Runs, RunState
from jupyter_rewind.store.repository import Repository
from tests.support.kernels import PATIENCE, Home, eventually
from tests.support.servers import Server

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home where nobody did anything but install the package."""
    place = Path(sys.prefix) / "etc" / "ipython" / "ipython_kernel_config.json"
    assert place.is_file(), f"install the package into this environment: there is no {place}"
    return Home(tmp_path)


@pytest.fixture
def server(home: Home) -> Iterator[Server]:
    store = home.folder / "elsewhere"
    server = Server(
        home.notebook.parent,
        home.environment,
        f"--Rewind.store_path={store}",
        f"--Rewind.store_key_folder={home.folder / 'keys'}",
    )
    try:
        server.wait()
        yield server
    finally:
        server.stop()


def write_notebook(path: Path, *sources: str) -> None:
    cells = [nbformat.v4.new_code_cell(each) for each in sources]
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(book, path)


def execute(home: Home, kernel: str, source: str, **options: Any) -> None:
    client = BlockingKernelClient()
    client.load_connection_file(str(home.folder / "runtime" / f"kernel-{kernel}.json"))
    client.start_channels(hb=False)
    try:
        client.wait_for_ready(timeout=PATIENCE)
        client.execute_interactive(source, timeout=PATIENCE, **options)
    finally:
        client.stop_channels()


def journal(home: Home, server: Server) -> list[Any]:
    """The executions in the store that the server was told to use."""
    with elsewhere(home) as repository:
        runs = Runs(repository)
        return [each for run in runs.all() for each in runs.executions(run.id)]


def runs(home: Home) -> list[RunState]:
    """Those in the store that the server was told to use."""
    with elsewhere(home) as repository:
        return [Runs(repository).state(each) for each in Runs(repository).all()]


def elsewhere(home: Home) -> Repository:
    repository = Repository.open(home.folder / "elsewhere", key_folder=home.folder / "keys")
    repository.refresh()
    return repository


def test_a_servers_kernels_keep_a_journal_in_the_servers_store(home: Home, server: Server) -> None:
    """A notebook's kernel is on without a step, in the store of the server, under its path; and
    after a rename in Jupyter, and a restart, under the new one."""
    write_notebook(home.notebook, "x = 1")
    name = home.notebook.name
    session = server.ask(
        "POST",
        "api/sessions",
        {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}},
    )
    kernel = session["kernel"]["id"]
    execute(home, kernel, "x = 1")
    server.ask("PATCH", f"api/contents/{name}", {"path": "new name.ipynb"})

    def follows() -> bool:
        notice = home.folder / "runtime" / f"kernel-{kernel}.rewind"
        return "new name" in json.loads(notice.read_text())["path"] if notice.exists() else False

    eventually(follows, "the kernel is told of the rename")
    execute(home, kernel, "x + 1")
    server.ask("POST", f"api/kernels/{kernel}/restart", {})
    execute(home, kernel, "'restarted'")
    found = journal(home, server)
    assert [each.source for each in found] == ["x = 1", "x + 1", "'restarted'"]
    assert [Path(each.path).name for each in found] == [
        "analysis.ipynb", "new name.ipynb", "new name.ipynb",
    ]  # fmt: skip


def test_a_kernel_that_got_its_notebook_later_knows_it(home: Home, server: Server) -> None:
    """A kernel started for itself, and then given to a notebook, journals under that one."""
    write_notebook(home.notebook, "x = 1")
    kernel = server.ask("POST", "api/kernels", {"name": "python3"})["id"]
    execute(home, kernel, "'before'")
    body = {"path": home.notebook.name, "name": "", "type": "notebook", "kernel": {"id": kernel}}
    server.ask("POST", "api/sessions", body)
    execute(home, kernel, "'after'")
    assert [Path(each.path).name for each in journal(home, server)] == ["", "analysis.ipynb"]


def test_vs_code_on_a_servers_kernel_is_the_same_notebook_each_time(
    home: Home, server: Server
) -> None:
    """VS Code invents a name for each session with a server, and tells its kernel the true
    one later; what it left is offered to its next kernel, whatever that session is called."""
    write_notebook(home.notebook, "x = 1")

    def start(invented: str) -> str:
        kernel = {"name": "python3"}
        body = {"path": invented, "name": invented, "type": "notebook", "kernel": kernel}
        return str(server.ask("POST", "api/sessions", body)["kernel"]["id"])

    first = start("analysis-jvsc-0f3c9e62-8f10-4dcb-a1aa-7e5c7c8d6a10.ipynb")
    execute(home, first, "x = [1, 2]")
    other = home.notebook.with_name("other.ipynb")
    write_notebook(other, "y = 1")
    second = start("-jvsc-9a1f0e7d.ipynb")
    execute(home, second, f"__vsc_ipynb_file__ = {str(other)!r}", silent=True)
    execute(home, second, "y = 1")
    assert [each.path for each in journal(home, server)] == [str(home.notebook), str(other)]
    pid = next(run.run.pid for run in runs(home) if run.run.kernel == first)
    os.kill(pid, signal.SIGKILL)
    third = start("analysis-jvsc-5b6d3c11.ipynb")
    execute(home, third, "%rewind resume")
    execute(home, third, "x.append(3); assert x == [1, 2, 3]")
    assert journal(home, server)[-1].status == "ok"
    # A server that is stopped while it starts a killed kernel anew may never end.
    eventually(lambda: [run for run in runs(home) if run.run.kernel == first][1:], "the restart")


@pytest.mark.parametrize("program", ["nbclient", "papermill"])
def test_programs_that_run_notebooks_leave_a_journal_and_states(home: Home, program: str) -> None:
    """`jupyter execute` and papermill start kernels of their own: they are on as well."""
    write_notebook(home.notebook, "x = 20", "x + 1")
    commands = {
        "nbclient": ["-m", "jupyter", "execute", str(home.notebook)],
        "papermill": ["-m", "papermill", str(home.notebook), str(home.folder / "out.ipynb")],
    }
    done = subprocess.run(
        [sys.executable, *commands[program]],
        env={**home.environment, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        cwd=home.notebook.parent,
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
    )
    assert done.returncode == 0, done.stderr
    assert [each.source for each in home.executions()] == ["x = 20", "x + 1"]
    assert home.executions()[-1].outputs[0]["data"] == {"text/plain": "21"}
    with home.repository() as repository:
        archive = Archive(repository)
        (run,) = archive.runs.all()
        assert [each.count for each in archive.snapshots(run.id)] == [1, 2]
