"""Connection files as traces: which kernel was started for which notebook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_rewind.recovery.traces.connections import ConnectionFinder
from tests.support.processes import anybodys_folder, run_unprivileged
from tests.support.traces import Home, look_with, traces_of

STARTED = 1_750_000_000


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def start(home: Home, session: str | None, number: int = 1, folder: str = "") -> Path:
    """A connection file as jupyter_client 8 writes it, left behind by a killed kernel."""
    runtime = home.path / (folder or ".local/share/jupyter/runtime")
    runtime.mkdir(parents=True, exist_ok=True)
    told: dict[str, object] = {
        "shell_port": 1, "iopub_port": 2, "stdin_port": 3, "control_port": 4, "hb_port": 5,
        "ip": "127.0.0.1", "key": "the-secret", "transport": "tcp",
        "signature_scheme": "hmac-sha256", "kernel_name": "python3",
    }  # fmt: skip
    if session is not None:
        told["jupyter_session"] = session
    path = runtime / f"kernel-{number:08}-0000-4000-8000-000000000000.json"
    path.write_text(json.dumps(told))
    os.utime(path, (STARTED + number, STARTED + number))
    return path


def test_kernel_of_the_notebook_is_found_with_its_moment(home: Home) -> None:
    """The file that a killed kernel leaves says for which notebook and when it was started."""
    notebook = home.work / "analysis.ipynb"
    start(home, str(notebook))
    [trace] = traces_of(ConnectionFinder(), home.scope())
    [kernel] = ConnectionFinder().read(trace, home.scope()).kernels
    assert (kernel.notebook, kernel.started_ns) == (str(notebook), (STARTED + 1) * 10**9)
    assert kernel.kernel.startswith("00000001-")
    assert "the-secret" not in repr((trace, kernel))


@pytest.mark.parametrize("below", ["", "deep"])
@pytest.mark.parametrize("end", ["", "/"])
def test_session_without_a_name_makes_no_notebook_of_its_folder(
    home: Home, below: str, end: str
) -> None:
    """Who asks Jupyter for a session and gives no name gets one that is called by its folder."""
    folder = home.work / below
    folder.mkdir(exist_ok=True)
    start(home, f"{folder}{end}")
    assert traces_of(ConnectionFinder(), home.scope(None)) == []
    assert traces_of(ConnectionFinder(), home.scope()) == []


def test_kernels_of_other_notebooks_are_told_together(home: Home) -> None:
    """Kernels of other notebooks are evidence too: their sessions are not this notebook's."""
    start(home, str(home.work / "other.ipynb"), 1)
    start(home, str(home.work / "third.ipynb"), 2)
    start(home, None, 3)
    [trace] = traces_of(ConnectionFinder(), home.scope())
    assert trace.notebook is None
    kernels = ConnectionFinder().read(trace, home.scope()).kernels
    assert {Path(each.notebook).name for each in kernels} == {"other.ipynb", "third.ipynb"}


@pytest.mark.parametrize("session", ["work/analysis.ipynb", "analysis.ipynb", "RTC:analysis.ipynb"])
def test_name_from_a_servers_folder_is_understood(home: Home, session: str) -> None:
    """Some servers name the notebook from their own folder; its end tells."""
    start(home, session)
    [trace] = traces_of(ConnectionFinder(), home.scope())
    assert trace.notebook == str(home.work / "analysis.ipynb")


UUID = "0f3c9e62-8f10-4dcb-a1aa-7e5c7c8d6a10"


@pytest.mark.parametrize(
    "name", [f"analysis-jvsc-{UUID}.ipynb", f"analysis.ipynb-jvsc-{UUID}.ipynb"]
)
def test_name_that_vs_code_made_up_is_the_notebooks(home: Home, name: str) -> None:
    """VS Code calls each session with a server anew: the notebook is none that is missing."""
    start(home, str(home.work / name))
    for scope in (home.scope(), home.scope(None)):
        [trace] = traces_of(ConnectionFinder(), scope)
        assert trace.notebook == str(home.work / "analysis.ipynb")
        [kernel] = ConnectionFinder().read(trace, scope).kernels
        assert kernel.notebook == str(home.work / "analysis.ipynb")


def test_name_that_vs_code_made_up_of_nothing_names_none(home: Home) -> None:
    """A notebook that was never saved in VS Code has no name that could be missing."""
    start(home, str(home.work / f"-jvsc-{UUID}.ipynb"))
    assert traces_of(ConnectionFinder(), home.scope(None)) == []


def test_notebook_reached_through_a_link_is_the_same(home: Home) -> None:
    """A home folder behind a symbolic link is the same home."""
    link = home.path.parent / "link"
    link.symlink_to(home.path)
    start(home, str(link / "work" / "analysis.ipynb"))
    [trace] = traces_of(ConnectionFinder(), home.scope())
    assert trace.notebook == str(home.work / "analysis.ipynb")


def test_runtime_folder_of_the_environment_is_looked_into(home: Home) -> None:
    """JUPYTER_RUNTIME_DIR and older places are looked into as well."""
    notebook = str(home.work / "analysis.ipynb")
    start(home, notebook, 1, "elsewhere")
    start(home, notebook, 2, "run/jupyter")
    start(home, notebook, 3)
    environ = {
        "JUPYTER_RUNTIME_DIR": str(home.path / "elsewhere"),
        "XDG_RUNTIME_DIR": str(home.path / "run"),
    }
    assert len(traces_of(ConnectionFinder(), home.scope(environ=environ))) == 3


def test_mac_and_windows_keep_them_elsewhere(home: Home) -> None:
    """On macOS and Windows Jupyter's own folders are known."""
    notebook = str(home.work / "analysis.ipynb")
    start(home, notebook, 1, "Library/Jupyter/runtime")
    assert len(traces_of(ConnectionFinder(), home.scope(platform="darwin"))) == 1
    start(home, notebook, 2, "AppData/Roaming/jupyter/runtime")
    assert len(traces_of(ConnectionFinder(), home.scope(platform="win32"))) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b'{"a": 1}' + b" " * 70_000])
def test_file_that_does_not_read_is_a_problem(home: Home, content: bytes) -> None:
    """A damaged connection file is named; the others still tell."""
    start(home, str(home.work / "analysis.ipynb"))
    start(home, None, 2).write_bytes(content)
    traces, problems = look_with(ConnectionFinder(), home.scope())
    assert len(traces) == 1
    assert len(problems) == 1


def test_folder_that_may_not_be_read_is_a_problem() -> None:
    """Which sessions are of which notebook could not be told: it does not look as if none were."""
    with anybodys_folder() as folder:
        home = Home(folder / "home")
        closed = home.path / ".local/share/jupyter/runtime"
        closed.mkdir(parents=True, mode=0o000)

        def look() -> None:
            traces, problems = look_with(ConnectionFinder(), home.scope())
            assert (traces, [each.place for each in problems]) == ([], [str(closed)])

        run_unprivileged(look)


@pytest.mark.parametrize("session", ["/home/u/x\0.ipynb", "/home/\ud800.ipynb", "x\0.ipynb"])
@pytest.mark.parametrize("name", ["analysis.ipynb", None], ids=["notebook", "folder"])
def test_name_that_no_file_can_have_costs_its_own_file_alone(
    home: Home, session: str, name: str | None
) -> None:
    """One garbled connection file is told; the kernels of all others are found."""
    good = [home.work / "analysis.ipynb", home.work / "other.ipynb"]
    start(home, str(good[0]), 1)
    bad = start(home, session, 2)
    start(home, str(good[1]), 3)
    scope = home.scope(name)
    traces, problems = look_with(ConnectionFinder(), scope)
    kernels = [each for trace in traces for each in ConnectionFinder().read(trace, scope).kernels]
    assert {each.notebook for each in kernels} == set(map(str, good))
    [problem] = problems
    assert problem.place == str(bad)
    assert "as no file can be called" in problem.words


ASK = """
import sys
from pathlib import Path
from jupyter_rewind.recovery.evidence import Scope
from jupyter_rewind.recovery.traces.connections import ConnectionFinder
home = Path(sys.argv[1])
notebook = next((home / "work").glob("gr*.ipynb"))
scope = Scope(notebook, notebook.parent, home, home / "scratch")
for trace in ConnectionFinder().find(scope):
    kernels = ConnectionFinder().read(trace, scope).kernels
    print(ascii([each.notebook == str(notebook) for each in kernels]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux alone")
def test_names_with_umlauts_are_known_in_any_locale(home: Home) -> None:
    """A kernel started in UTF-8 is its notebook's where the command runs in the C locale."""
    name = os.fsencode(home.work) + "/gr\u00f6\u00dfe.ipynb".encode()
    Path(os.fsdecode(name)).write_text("{}")
    start(home, name.decode(), 1)
    start(home, str(home.work / "\u4e2d.ipynb"), 2)
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(home.path)],
        env={**os.environ, **plain}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("[True]\n[False]\n", "")
