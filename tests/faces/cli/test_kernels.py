"""Commands about running state, on what real kernels left in the store."""

from __future__ import annotations

import base64
import gc
import json
import os
import shutil
import signal
import sys
import sysconfig
import venv
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import find_connection_file

from tests.faces.cli.conftest import Rewind
from tests.faces.cli.test_schema import check
from tests.support.kernels import PATIENCE, Home, Kernel, eventually, running

pytestmark = pytest.mark.slow


@pytest.fixture
def user(home: Path) -> Home:
    """The user whose commands run here, with a notebook on disk."""
    user = Home(home)
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1", id="c0")])
    nbformat.write(book, user.notebook)
    return user


@pytest.fixture
def resumed() -> Iterator[list[int]]:
    """Processes of kernels that commands left running; they are ended here."""
    found: list[int] = []
    yield found
    for pid in found:
        os.kill(pid, signal.SIGKILL)


def answer(rewind: Rewind, *words: object) -> Any:
    ended = rewind(*words, "--json")
    assert ended.status == 0, ended.err
    return check(ended.out)["data"]


def test_runs_and_their_states_are_listed(user: Home, rewind: Rewind) -> None:
    """`kernels` tells which live and which were cut short, `snapshots` each state of a notebook."""
    with running(user) as kernel:
        kernel.run("x = 1")
        kernel.run("y = [1, 2]")
        (live,) = answer(rewind, "kernels")["runs"]
        assert (live["alive"], live["executions"]) == (True, 2)
        kernel.kill()
    (dead,) = answer(rewind, "kernels")["runs"]
    assert (dead["alive"], dead["cut_short"]) == (False, True)
    for what in (user.notebook, dead["run"], dead["run"][:6]):
        states = answer(rewind, "snapshots", what)["snapshots"]
        assert [each["count"] for each in states] == [2, 1]
    report = answer(rewind, "snapshots", user.notebook, "--at", "2")["report"]
    kept = {each["name"]: each["fidelity"] for each in report}
    assert (kept["x"], kept["y"]) == ("exact", "exact")
    assert "In[2]" in rewind("snapshots", user.notebook).out
    assert "on request" not in rewind("snapshots", user.notebook).out
    assert rewind("snapshots", user.notebook, "--at", "9").status == 3
    assert rewind("snapshots", "nothing.ipynb").status == 3


def test_the_list_says_why_a_state_after_no_cell_was_kept(user: Home, rewind: Rewind) -> None:
    """What a comparison with the present kept, and what a move kept first."""
    with running(user) as kernel:
        kernel.run("x = 1")
        kernel.run("x = 2; get_ipython().run_line_magic('rewind', 'diff 1')")
        kernel.run("x = 3; get_ipython().run_line_magic('rewind', 'to 1')")
    listed = rewind("snapshots", user.notebook).out
    assert "before a move" in listed
    assert "on request" in listed


def test_states_follow_a_notebook_that_was_renamed(user: Home, rewind: Rewind) -> None:
    """What a kernel kept under the old name is found under the new one, and not by a newcomer."""
    with running(user) as kernel:
        kernel.run("x = 1")
    assert rewind("checkpoint", user.notebook).status == 0
    renamed = user.notebook.with_name("renamed.ipynb")
    user.notebook.rename(renamed)
    assert rewind("checkpoint", renamed).status == 0
    assert len(answer(rewind, "snapshots", renamed)["snapshots"]) == 1


def test_a_killed_kernels_state_goes_on_in_a_new_one(
    user: Home, rewind: Rewind, resumed: list[int]
) -> None:
    """`resume` starts a kernel with the variables in it, which outlives the command and is found
    where Jupyter's programs look for kernels; nothing of how it was started is left open."""
    with running(user) as kernel:
        kernel.run("data = {'a': [1, 2]}; twin = data['a']")
        kernel.kill()
    gc.collect()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", ResourceWarning)
        told = answer(rewind, "resume", user.notebook)
        resumed.append(told["pid"])
        gc.collect()
    assert not [each for each in warned if "Unclosed context" in str(each.message)]
    assert find_connection_file(Path(told["connection_file"]).name) == told["connection_file"]
    client = BlockingKernelClient()
    client.load_connection_file(told["connection_file"])
    client.start_channels(hb=False)
    try:
        client.wait_for_ready(timeout=PATIENCE)
        expressions = {"v": "(twin.append(3), data)"}
        message = client.execute("", user_expressions=expressions)
        reply = client.get_shell_msg(timeout=PATIENCE)
        while reply["parent_header"]["msg_id"] != message:
            reply = client.get_shell_msg(timeout=PATIENCE)
    finally:
        client.stop_channels()
    value = reply["content"]["user_expressions"]["v"]["data"]["text/plain"]
    assert value == "(None, {'a': [1, 2, 3]})"
    assert {"data", "twin"} <= {each["name"] for each in told["report"]}


def add_kernel(user: Home, name: str, script: str) -> None:
    """A kernelspec whose kernels are started by this shell script."""
    folder = user.folder / "data" / "kernels" / name
    folder.mkdir(parents=True)
    argv = ["sh", "-c", script, sys.executable, "{connection_file}"]
    words = {"argv": argv, "display_name": name, "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(words))


def test_a_kernel_that_ends_as_it_starts_is_started_once_more(
    user: Home, rewind: Rewind, resumed: list[int]
) -> None:
    """As where somebody took its port meanwhile."""
    with running(user) as kernel:
        kernel.run("data = [1, 2]")
    start = 'exec "$0" -m ipykernel_launcher -f "$1"'
    add_kernel(
        user, "shy", f"[ -e {user.folder}/seen ] || {{ : > {user.folder}/seen; exit 1; }}; {start}"
    )
    told = answer(rewind, "resume", user.notebook, "--kernel", "shy")
    resumed.append(told["pid"])
    assert {"data"} == {each["name"] for each in told["report"]}


def test_a_kernel_that_does_not_stay_is_told_at_once(user: Home, rewind: Rewind) -> None:
    """Nobody waits a minute for an answer that cannot come."""
    with running(user) as kernel:
        kernel.run("data = [1, 2]")
    add_kernel(user, "dead", f"echo x >> {user.folder}/starts; exit 1")
    ended = rewind("resume", user.notebook, "--kernel", "dead")
    assert ended.status == 6
    assert "ended before it had the state" in ended.err
    assert (user.folder / "starts").read_text() == "x\nx\n"


def test_the_state_of_a_run_goes_on_as_its_notebooks(
    user: Home, rewind: Rewind, resumed: list[int]
) -> None:
    """`resume` of a run's id starts a kernel for the notebook that the run was for."""
    with running(user) as kernel:
        kernel.run("x = 1")
        kernel.kill()
    (before,) = answer(rewind, "kernels")["runs"]
    resumed.append(answer(rewind, "resume", before["run"][:8])["pid"])
    found = answer(rewind, "kernels")["runs"]
    assert [(each["alive"], each["path"]) for each in found] == [
        (True, str(user.notebook)), (False, str(user.notebook)),
    ]  # fmt: skip


def test_a_state_that_another_key_made_is_loaded_only_on_request(
    user: Home, rewind: Rewind, resumed: list[int], tmp_path: Path
) -> None:
    """A store whose key is gone, taken into a new one: `resume` refuses its states, and loads them
    with `--trust`."""
    with running(user) as kernel:
        kernel.run("data = [1, 2]")
    shutil.rmtree(user.folder / "config" / "rewind-keys")
    new = tmp_path / "new"
    assert rewind("salvage", "--trust-foreign", "--into", new).status == 0
    refused = rewind("resume", user.notebook, "--store", new)
    assert refused.status == 7
    assert "not made with the key of this store" in refused.err
    told = answer(rewind, "resume", user.notebook, "--store", new, "--trust")
    resumed.append(told["pid"])
    assert {"data"} == {each["name"] for each in told["report"]}


def test_notebook_and_variables_come_back_together(user: Home, rewind: Rewind) -> None:
    """`restore --state` brings the file and the running kernel back to the same moment; `history`
    says which state belongs to which checkpoint."""
    with running(user) as kernel:
        kernel.run("x = 1")
        first = answer(rewind, "checkpoint", user.notebook)["checkpoint"]["id"]
        before = user.notebook.read_bytes()
        kernel.run("x = 2")
        user.notebook.write_bytes(before.replace(b"x = 1", b"x = 2"))
        answer(rewind, "checkpoint", user.notebook)
        listed = answer(rewind, "history", user.notebook)["checkpoints"]
        assert [each["snapshot"]["count"] for each in listed] == [2, 1]
        done = answer(rewind, "restore", user.notebook, first, "--state")
        assert done["state"]["snapshot"]["count"] == 1
        assert user.notebook.read_bytes() == before
        assert kernel.run("x").result == "1"
        user.notebook.write_bytes(with_times(before))
        told = rewind("restore", user.notebook, first, "--state")
        assert told.status == 0, told.err
        assert "What was there before differs from checkpoint" in told.err
        assert "Back to the state after In[1]" in told.err
        assert "%rewind undo" not in told.err
        user.notebook.write_bytes(b"")
        emptied = answer(rewind, "checkpoint", user.notebook)["checkpoint"]["id"]
        user.notebook.write_bytes(before)
        told = rewind("restore", user.notebook, emptied, "--state")
        assert "is empty: the file has 0 bytes. So it was at that checkpoint." in told.err
        assert user.notebook.read_bytes() == b""
    refused = rewind("restore", user.notebook, "head", "--state")
    assert refused.status == 7
    assert "no kernel of it is running" in refused.err


def test_variables_stay_where_the_notebook_cannot_follow(user: Home, rewind: Rewind) -> None:
    """A checkpoint that turns out to be damaged leaves both as they were, and the words say so."""
    segments = user.folder / "data" / "rewind" / "segments"
    noise = base64.b64encode(os.urandom(90_000)).decode()
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(noise, id="c0")])
    with running(user) as kernel:
        kernel.run("x = 1")
        nbformat.write(book, user.notebook)
        before = {each: each.stat().st_size for each in segments.iterdir()}
        first = answer(rewind, "checkpoint", user.notebook)["checkpoint"]["id"]
        grown = {each: each.stat().st_size - before.get(each, 0) for each in segments.iterdir()}
        written = max(grown, key=lambda each: grown[each])
        with written.open("r+b") as file:
            file.seek(before.get(written, 0) + grown[written] // 2)
            file.write(bytes(64))
        kernel.run("x = 2")
        user.notebook.write_bytes(b"{}")
        refused = rewind("restore", user.notebook, first, "--state")
        assert refused.status != 0
        assert "The variables are as they were." in refused.err
        assert kernel.run("x").result == "2"
        assert user.notebook.read_bytes() == b"{}"


def with_times(raw: bytes) -> bytes:
    """The notebook with the times of a run in it, for which no checkpoint is made."""
    book = json.loads(raw)
    times = {"iopub.status.busy": "2026-01-01T00:00:00Z"}
    book["cells"][0]["metadata"]["execution"] = times
    return json.dumps(book, indent=1).encode()


def test_a_busy_kernel_says_so(user: Home, rewind: Rewind) -> None:
    """A kernel in the midst of a cell is not waited for without end, and nothing is changed; not
    later either, when the cell has ended."""
    from jupyter_rewind.errors import Unavailable
    from jupyter_rewind.kernels.host import ask_kernel

    with running(user) as kernel:
        kernel.run("x = 1")
        begun = user.folder / "begun"
        ended = user.folder / "ended"
        kernel.begin(
            f"import os, time; x = 2\nopen({str(begun)!r}, 'w').close()\n"
            f"while not os.path.exists({str(ended)!r}): time.sleep(0.05)"
        )
        eventually(begun.exists, "the cell runs")
        connection = kernel.manager.connection_file
        with pytest.raises(Unavailable, match="did not answer"):
            ask_kernel(connection, "to", {"ref": "1"}, timeout=0.5)
        ended.touch()
        assert kernel.run("x").result == "2"


def test_the_switch_for_all_kernels(user: Home, rewind: Rewind) -> None:
    """`disable` turns kernels off, `enable` turns them on, also where no line loads Rewind."""
    bare = {"load": False}
    assert rewind("disable").status == 0
    kernel = Kernel(user, **bare)  # type: ignore[arg-type]
    kernel.run("1")
    kernel.stop()
    assert answer(rewind, "enable")["enabled"]
    kernel = Kernel(user, **bare)  # type: ignore[arg-type]
    try:
        kernel.run("2")
        found = eventually(lambda: user.executions(), "the journal is written")
        assert [each.source for each in found] == ["2"]
        names = kernel.run("[n for n in dir() if 'rewind' in n]").result
        assert names == "[]"
    finally:
        kernel.stop()


def test_doctor_knows_which_kernels_keep_their_states(user: Home, rewind: Rewind) -> None:
    """Each kernel of Jupyter's is looked at in its own environment."""
    folder = user.folder / "data" / "kernels"
    for name, argv, language in (
        ("none", ["/nowhere/python", "-m", "ipykernel_launcher"], "python"),
        ("other", ["/usr/bin/r"], "R"),
    ):
        (folder / name).mkdir(parents=True)
        spec = {"argv": argv, "display_name": name, "language": language}
        (folder / name / "kernel.json").write_text(json.dumps(spec))
    found = {each["name"]: each for each in answer(rewind, "doctor")["findings"]}
    assert "could not be asked" in found["kernel none"]["text"]
    told = found["kernel other"]["text"]
    assert "no IPython" in told and "cells and outputs only by a server" in told
    assert found["kernel python3"]["state"] in ("on", "problem")


@pytest.fixture
def elsewhere(user: Home) -> str:
    """The interpreter of an environment that has a kernel and no Rewind."""
    place = user.folder / "elsewhere"
    venv.create(place, with_pip=False)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(place)}))
    # This environment's packages one by one, so that its own way to the project is not taken.
    for each in Path(sysconfig.get_path("purelib")).iterdir():
        if "jupyter_rewind" not in each.name and each.suffix != ".pth":
            (packages / each.name).symlink_to(each)
    return str(place / "bin" / "python")


def test_a_kernel_without_the_package_starts_as_always(
    user: Home, rewind: Rewind, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after `enable`: nothing is kept, nothing is said, and `doctor` tells what to install."""
    folder = user.folder / "data" / "kernels" / "elsewhere"
    folder.mkdir(parents=True)
    argv = [elsewhere, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Elsewhere", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    assert rewind("enable").status == 0
    with running(user, python=elsewhere, load=False, PYTHONPATH="") as kernel:
        said = kernel.run("x = 20; x + 1")
        assert (said.status, said.text) == ("ok", "21")
        assert "not found" in kernel.run("%rewind status").text
    assert user.runs() == []
    monkeypatch.delenv("PYTHONPATH", raising=False)
    found = {each["name"]: each for each in answer(rewind, "doctor")["findings"]}
    told = found["kernel elsewhere"]["text"]
    assert "variables are not kept" in told and "cells and outputs only by a server" in told
    assert found["kernel elsewhere"]["mend"] == f"{elsewhere} -m pip install jupyter-rewind"
