"""Copies that Jupyter's server leaves: real checkpoints, real kills while it saves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from jupyter_rewind.recovery.evidence import Problem
from jupyter_rewind.recovery.traces.checkpoints import CheckpointFinder
from jupyter_rewind.recovery.traces.scan import ScanFinder
from tests.support.ipythons import wait_until
from tests.support.ports import free_port
from tests.support.processes import anybodys_folder, run_unprivileged
from tests.support.servers import TOKEN, Server
from tests.support.traces import Home, look_with, notebook_text, sources, traces_of


class StockServer(Server):
    """A server as it is without Rewind."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self.port = free_port()
        self.root = root
        self.log = root.parent / "server.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyter_server", "--allow-root", "--no-browser"),
                    f"--ServerApp.root_dir={root}",
                    f"--port={self.port}",
                    f"--IdentityProvider.token={TOKEN}",
                    "--ServerApp.jpserver_extensions={'jupyter_rewind': False}",
                ],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def server(home: Home) -> Iterator[Server]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY", "XDG"))}
    environ |= {"HOME": str(home.path)}
    server = StockServer(home.work, environ)
    try:
        server.wait()
        yield server
    finally:
        server.process.kill()
        server.process.wait()


@pytest.mark.slow
def test_checkpoint_of_a_real_server_is_read(home: Home, server: Server) -> None:
    """What Jupyter kept at your last manual save comes back after the file is overwritten."""
    server.put("analysis.ipynb", "x = 1")
    server.checkpoint("analysis.ipynb")
    server.put("analysis.ipynb", "")
    scope = home.scope()
    [trace] = traces_of(CheckpointFinder(), scope)
    assert trace.notebook == str(home.work / "analysis.ipynb")
    assert sources(CheckpointFinder(), trace, scope) == ["x = 1"]


@pytest.mark.slow
def test_save_that_a_kill_cut_short_leaves_the_notebook_of_before(
    home: Home, server: Server
) -> None:
    """Server killed while it saved: the file is broken, and what it was before is found whole."""
    server.put("analysis.ipynb", "before = 1")
    path, aside = home.work / "analysis.ipynb", home.work / ".~analysis.ipynb"
    output = nbformat.v4.new_output("stream", text="y" * 80 + "\n")
    output["text"] = [output["text"]] * 400_000
    cell = nbformat.v4.new_code_cell("after = 1", id="c0", outputs=[output])
    body = {"type": "notebook", "format": "json"}
    body["content"] = nbformat.v4.new_notebook(cells=[cell])  # type: ignore[assignment]
    child = os.fork()
    if child == 0:
        try:
            server.ask("PUT", "api/contents/analysis.ipynb", body)
        finally:
            os._exit(0)
    wait_until(aside.exists)
    server.process.kill()
    server.process.wait()
    os.waitpid(child, 0)
    assert path.stat().st_size < 32_000_000
    scope = home.scope()
    [trace] = [each for each in traces_of(CheckpointFinder(), scope) if each.place == str(aside)]
    assert sources(CheckpointFinder(), trace, scope) == ["before = 1"]


@pytest.mark.parametrize(
    "name",
    [
        ".~analysis.ipynb",
        "analysis.ipynb.invalid",
        "analysis.ipynb.tmp",
        "analysis.ipynbab12_z",
        ".analysis.ipynb.0123456789abcdef.rewind-tmp",
        ".ipynb_checkpoints/analysis-checkpoint.ipynb",
        ".ipynb_checkpoints/analysis-checkpoint2.ipynb",
    ],
)
def test_every_left_over_of_the_notebook_is_found(home: Home, name: str) -> None:
    """Files that an unfinished save leaves beside the notebook are traces of it."""
    path = home.work / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(notebook_text("x = 1"))
    scope = home.scope()
    [trace] = traces_of(CheckpointFinder(), scope)
    assert (trace.place, trace.notebook) == (str(path), str(home.work / "analysis.ipynb"))
    assert sources(CheckpointFinder(), trace, scope) == ["x = 1"]


@pytest.mark.parametrize(
    "name",
    [
        "analysis.ipynb",
        "analysis.recovered.ipynb",
        "analysis2.ipynb",
        ".ipynb_checkpoints/other-checkpoint.ipynb",
        ".ipynb_checkpoints/analysis.recovered-checkpoint.ipynb",
        ".~other.ipynb",
    ],
)
def test_other_files_are_not_taken_for_left_overs(home: Home, name: str) -> None:
    """The notebook itself, other notebooks and what was recovered are no left-overs of it."""
    path = home.work / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(notebook_text("x = 1"))
    assert traces_of(CheckpointFinder(), home.scope()) == []


@pytest.mark.parametrize("name", ["two\nlines.ipynb", "LOUD.IPYNB"])
def test_checkpoint_of_an_odd_name_is_found(home: Home, name: str) -> None:
    """A name may have a line's end in it, or a suffix in capitals."""
    path = home.work / name
    kept = path.parent / ".ipynb_checkpoints" / f"{path.stem}-checkpoint{path.suffix}"
    kept.parent.mkdir()
    for left in (kept, path.with_name(f".~{name}")):
        left.write_text(notebook_text("x = 1"))
    scope = home.scope(name)
    found = traces_of(CheckpointFinder(), scope)
    assert {each.place for each in found} == {str(kept), str(path.with_name(f".~{name}"))}
    assert {each.notebook for each in found} == {str(path)}


def test_checkpoint_kept_apart_for_a_read_only_folder_is_found(home: Home) -> None:
    """Jupyter keeps checkpoints of read-only folders elsewhere, under the server's own path."""
    temporary = home.path / "tmp"
    kept = temporary / "jupyter_checkpoints" / "work" / "analysis-checkpoint.ipynb"
    kept.parent.mkdir(parents=True)
    kept.write_text(notebook_text("x = 1"))
    scope = home.scope(environ={"TMPDIR": str(temporary)})
    [trace] = traces_of(CheckpointFinder(), scope)
    assert (trace.place, trace.notebook) == (str(kept), str(home.work / "analysis.ipynb"))


def test_empty_checkpoint_is_a_problem_in_words(home: Home) -> None:
    """A checkpoint of 0 bytes says so instead of giving an empty notebook."""
    kept = home.work / ".ipynb_checkpoints" / "analysis-checkpoint.ipynb"
    kept.parent.mkdir()
    kept.touch()
    [trace] = traces_of(CheckpointFinder(), home.scope())
    evidence = CheckpointFinder().read(trace, home.scope())
    assert evidence.documents == ()
    assert "empty" in evidence.problems[0].words


def test_folder_that_may_not_be_read_is_a_problem() -> None:
    """A folder that is closed to you is told; it does not look as if nothing were there."""
    with anybodys_folder() as folder:
        home = Home(folder / "home")
        kept = home.work / ".ipynb_checkpoints"
        kept.mkdir(mode=0o000)

        def look() -> None:
            traces, problems = look_with(CheckpointFinder(), home.scope())
            assert traces == []
            assert [type(each) for each in problems] == [Problem]
            assert str(kept) in problems[0].place

        run_unprivileged(look)


@pytest.mark.skipif(os.name == "nt", reason="a link takes rights there that not everybody has")
@pytest.mark.parametrize("is_there", [True, False], ids=["emptied", "gone"])
def test_a_link_has_the_checkpoint_of_the_notebook_it_leads_to(home: Home, is_there: bool) -> None:
    """You name the link; what Jupyter kept beside the notebook itself is the notebook's."""
    real = home.path / "elsewhere" / "study.ipynb"
    kept = real.parent / ".ipynb_checkpoints" / "study-checkpoint.ipynb"
    other = kept.with_name("other-checkpoint.ipynb")
    kept.parent.mkdir(parents=True)
    kept.write_text(notebook_text("old = 1"))
    other.write_text(notebook_text("of another = 1"))
    if is_there:
        real.touch()
    link = home.work / "link.ipynb"
    link.symlink_to(real)
    [found] = traces_of(CheckpointFinder(), home.scope(link))
    assert (found.place, found.notebook) == (str(kept), str(link))


def test_a_notebook_that_was_brought_back_and_is_asked_for_has_its_checkpoint(home: Home) -> None:
    """Whoever goes on in it may lose it as well; for all others it is no trace."""
    kept = home.work / ".ipynb_checkpoints" / "analysis.recovered-checkpoint.ipynb"
    kept.parent.mkdir()
    kept.write_text(notebook_text("x = 1"))
    [trace] = traces_of(CheckpointFinder(), home.scope("analysis.recovered.ipynb"))
    assert trace.place == str(kept)
    assert traces_of(CheckpointFinder(), home.scope("analysis.ipynb")) == []
    assert traces_of(CheckpointFinder(), home.scope(None)) == []


def test_a_notebook_that_was_brought_back_and_is_asked_for_is_found_where_one_says(
    home: Home,
) -> None:
    """An earlier recovery in a backup is often the best copy of what came after."""
    backup = home.path / "backup"
    backup.mkdir()
    (backup / "analysis.recovered.ipynb").write_text(notebook_text("x = 1"))
    scope = home.scope("analysis.recovered.ipynb", scan=(backup,))
    assert [each.place for each in traces_of(ScanFinder(), scope)] == [
        str(backup / "analysis.recovered.ipynb")
    ]
    traces, [told] = look_with(ScanFinder(), home.scope("analysis.ipynb", scan=(backup,)))
    assert traces == [] and told.place == str(backup / "analysis.recovered.ipynb")
    assert "It was brought back before" in told.words
