"""`JPY_SESSION_NAME` of a running kernel, and when it is somebody else's."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from jupyter_rewind.recovery import runtime
from jupyter_rewind.recovery.runtime import session_of_process
from jupyter_rewind.recovery.traces.live import LiveKernelFinder
from tests.support.traces import Home, traces_of

NOTEBOOK = "/home/ada/work/analysis.ipynb"


def make_process(proc: Path, pid: int, parent: int, command: str, **variables: object) -> Path:
    """What the system shows of a process."""
    folder = proc / str(pid)
    folder.mkdir()
    (folder / "cmdline").write_bytes(command.replace(" ", "\0").encode() + b"\0")
    (folder / "stat").write_text(f"{pid} (py (3) x) S {parent} 1 1 0")
    pairs = "".join(f"{name}={value}\0" for name, value in variables.items())
    (folder / "environ").write_text(pairs)
    return folder


def make_kernel(proc: Path, parent: int, started_by: int) -> Path:
    command = "python -m ipykernel_launcher -f /run/kernel-1.json"
    names = {"JPY_SESSION_NAME": NOTEBOOK, "JPY_PARENT_PID": started_by}
    return make_process(proc, 300, parent, command, **names)


@pytest.mark.parametrize(
    "command",
    ["python batch.py", "python /venv/bin/papermill a.ipynb b.ipynb", "python -m nbconvert a.ipynb",
     "/venv/bin/python /venv/bin/jupyter-execute a.ipynb"],
)  # fmt: skip
def test_a_kernel_that_a_cell_s_program_started_is_not_that_notebook_s(
    tmp_path: Path, command: str
) -> None:
    """The program has the name from the kernel that it was started in, and passes it on."""
    make_process(tmp_path, 200, 100, command, JPY_SESSION_NAME=NOTEBOOK)
    assert session_of_process(make_kernel(tmp_path, 200, 200)) == ""


@pytest.mark.parametrize("session", ["", "/home/ada/other.ipynb", NOTEBOOK])
def test_a_name_that_a_server_gave_counts(tmp_path: Path, session: str) -> None:
    """Whatever name the server itself was started under, in a terminal of another one."""
    command = "/venv/bin/python /venv/bin/jupyter-lab --no-browser"
    make_process(tmp_path, 200, 1, command, JPY_SESSION_NAME=session)
    assert session_of_process(make_kernel(tmp_path, 200, 200)) == NOTEBOOK


def test_a_name_counts_where_nothing_is_known_of_who_gave_it(tmp_path: Path) -> None:
    """He has ended, is another person's, or stands behind a program in between."""
    assert session_of_process(make_kernel(tmp_path, 1, 200)) == NOTEBOOK
    make_process(tmp_path, 200, 100, "python keeper.py", JPY_SESSION_NAME=NOTEBOOK)
    (tmp_path / "300" / "stat").write_text("300 (python) S 250 1 1 0")
    assert session_of_process(tmp_path / "300") == NOTEBOOK


def test_a_session_without_a_name_is_not_called_by_its_folder(tmp_path: Path) -> None:
    """Jupyter gives such a kernel the folder in which it is started."""
    make_process(tmp_path, 200, 100, "jupyter lab")
    make_process(tmp_path, 300, 200, "python -m ipykernel", JPY_SESSION_NAME=f"{tmp_path}/")
    assert session_of_process(tmp_path / "300") == ""


@pytest.mark.parametrize(("command", "named"), [("python batch.py", False), ("jupyter lab", True)])
def test_the_connection_file_of_such_a_kernel_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, named: bool
) -> None:
    """Its starter wrote the name that it has itself into it."""
    proc = tmp_path / "proc"
    proc.mkdir()
    make_process(proc, 200, 100, command, JPY_SESSION_NAME=NOTEBOOK)
    make_kernel(proc, 200, 200)
    monkeypatch.setattr(runtime, "PROC", proc)
    home = Home(tmp_path / "home")
    folder = home.path / ".local" / "share" / "jupyter" / "runtime"
    folder.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as heart:
        told = {"ip": "127.0.0.1", "hb_port": heart.getsockname()[1], "jupyter_session": NOTEBOOK}
        (folder / "kernel-1.json").write_text(json.dumps(told))
        scope = home.scope(notebook=Path(NOTEBOOK))
        (trace,) = traces_of(LiveKernelFinder(), scope)
    assert trace.notebook == (NOTEBOOK if named else None)
