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
from tests.support.kernels import PATIENCE, Home, eventually, running
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


def run_program(home: Home, *arguments: str, **environment: str) -> None:
    """Another program runs a notebook, in the notebook's folder."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        env={
            **home.environment,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            **environment,
        },
        cwd=home.notebook.parent,
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "program", "path"),
    [
        (("jupyter", "execute", "analysis"), "jupyter execute", "analysis.ipynb"),
        (
            ("nbconvert", "--execute", "--to", "notebook", "--stdout", "analysis.ipynb"),
            "nbconvert",
            "analysis.ipynb",
        ),
        (("papermill", "analysis.ipynb", "out.ipynb", "--cwd", ".."), "papermill", "out.ipynb"),
        (("papermill", "analysis.ipynb", "-"), "papermill", ""),
        (("jupyter", "execute", "analysis.ipynb", "other.ipynb"), "jupyter execute", ""),
    ],
    ids=["nbclient", "nbconvert", "papermill", "papermill to a pipe", "two notebooks"],
)
def test_programs_that_run_notebooks_leave_a_journal_and_states(
    home: Home, arguments: tuple[str, ...], program: str, path: str
) -> None:
    """`jupyter execute`, nbconvert and papermill start kernels of their own: they are on as well,
    under the notebook's path where that is known for sure."""
    write_notebook(home.notebook, "x = 20", "x + 1")
    if "other.ipynb" in arguments:
        write_notebook(home.notebook.with_name("other.ipynb"), "x = 20", "x + 1")
    run_program(home, *arguments, PWD=str(home.notebook.parent))
    runs = home.runs()
    assert len(runs) == 1 + ("other.ipynb" in arguments)
    for number, state in enumerate(runs):
        assert state.run.program == program
        found = home.executions(number)
        assert [each.source for each in found] == ["x = 20", "x + 1"]
        assert found[-1].outputs[0]["data"] == {"text/plain": "21"}
        wanted = str(home.notebook.with_name(path)) if path else ""
        assert {state.run.path, *(each.path for each in found)} == {wanted}
        with home.repository() as repository:
            kept = Archive(repository).snapshots(state.run.id)
            assert [(each.count, each.path) for each in kept] == [(1, wanted), (2, wanted)]


def test_what_a_cell_runs_is_another_notebook(home: Home) -> None:
    """A notebook that runs others does not take their cells for its own: a command's notebook is
    known, that of a library's call is not."""
    other = home.notebook.with_name("other.ipynb")
    write_notebook(other, "x = 20")
    with running(home, load=False, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}") as (
        outer
    ):
        assert outer.run("!jupyter execute other.ipynb").status == "ok"
        called = outer.run(
            "import nbclient, nbformat\n"
            "nbclient.NotebookClient(nbformat.read('other.ipynb', 4)).execute();"
        )
        assert called.status == "ok", called.error
    found = {state.run.path: state.run.program for state in home.runs()}
    assert found == {str(home.notebook): "", str(other): "jupyter execute", "": ""}


def test_a_program_never_goes_on_from_another_kernels_state(home: Home) -> None:
    """A notebook that a program runs begins with nothing, even where its user's kernels always go
    on from what the one before left; these do not go on from what a program ran to its end."""
    write_notebook(home.notebook, "assert 'x' not in globals(); x = 'of the program'")
    with running(home, load=False) as killed:
        killed.run("x = 'of the user'")
        killed.kill()
    always = {"JUPYTER_REWIND_KERNELS_RESUME": "always"}
    run_program(home, "jupyter", "execute", "analysis.ipynb", **always)
    assert [state.run.path for state in home.runs()] == [str(home.notebook)] * 2
    with running(home, load=False, **always) as next_one:
        said = next_one.run("print(x)")
    assert "of the user" in said.text
