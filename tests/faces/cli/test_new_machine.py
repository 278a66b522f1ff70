"""The work of one machine goes on at another, which has the key and the replica's address alone."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import nbformat
import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from jupyter_rewind.settings import Settings
from jupyter_rewind.workspace import Workspace
from tests.faces.cli.conftest import Rewind
from tests.support.kernels import PATIENCE, Home, running

pytestmark = pytest.mark.slow


def test_notebook_and_kernel_go_on_at_another_machine(
    home: Path, rewind: Rewind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The home is empty but for the key: `resume` brings the store and starts a kernel with the
    last state, large contents with it, and `undelete` brings the notebook."""
    user = Home(home)
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1", id="c0")])
    nbformat.write(book, user.notebook)
    replica = home.parent / "replica"
    replica.mkdir()
    monkeypatch.setenv("JUPYTER_REWIND_REPLICA_URL", replica.as_uri())
    with running(user) as kernel:
        kernel.run("data = {'a': [1, 2]}; twin = data['a']")
        kernel.run("import random; large = random.Random(1).randbytes(3_000_000)")
        kernel.kill()
    assert rewind("checkpoint", user.notebook).status == 0
    before = user.notebook.read_bytes()
    assert rewind("replica", "push").status == 0
    shutil.rmtree(home / "data")
    user.notebook.unlink()
    told = rewind("resume", user.notebook, "--json").data
    try:
        client = BlockingKernelClient()
        client.load_connection_file(told["connection_file"])
        client.start_channels(hb=False)
        try:
            client.wait_for_ready(timeout=PATIENCE)
            cell = "assert data == {'a': [1, 2]} and twin is data['a']"
            reply = client.execute_interactive(cell, timeout=PATIENCE)
            assert reply["content"]["status"] == "ok", reply
            cell = "import random; assert large == random.Random(1).randbytes(3_000_000)"
            reply = client.execute_interactive(cell, timeout=PATIENCE)
            assert reply["content"]["status"] == "ok", reply
        finally:
            client.stop_channels()
        assert rewind("undelete", user.notebook).status == 0
        assert user.notebook.read_bytes() == before
    finally:
        os.kill(told["pid"], signal.SIGKILL)


def test_a_kernel_that_is_first_at_another_machine_goes_on_in_the_same_store(
    home: Path, rewind: Rewind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody pulled and no server runs, as in an editor: what the kernel keeps is pushed, and the
    first command that can brings what was kept elsewhere."""
    user = Home(home)
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1", id="c0")])
    nbformat.write(book, user.notebook)
    replica = home.parent / "replica"
    replica.mkdir()
    address = {"JUPYTER_REWIND_REPLICA_URL": replica.as_uri()}
    monkeypatch.setenv(*next(iter(address.items())))
    assert rewind("checkpoint", user.notebook).status == 0
    assert rewind("replica", "push").status == 0
    shutil.rmtree(home / "data")
    with running(user, **address) as kernel:
        kernel.run("y = 2")
    away = replica.rename(home.parent / "away")
    told = rewind("history", user.notebook)
    assert told.status == 3 and "is not here yet" in told.err
    away.rename(replica)
    assert rewind("history", user.notebook, "--json").data["checkpoints"]
    assert [each.run.path for each in user.runs()] == [str(user.notebook)]
    assert rewind("replica", "push", "--json").data["replicas"][0]["entries"]
    assert len(list((home / "config" / "rewind-keys").iterdir())) == 1


def test_who_started_jupyter_first_gets_everything_as_well(
    home: Path, book: Path, rewind: Rewind, mount: Path
) -> None:
    """A server has begun an empty store on the new machine before the key and the address come."""
    assert rewind("replica", "push", "--set", f"replica.url={mount.as_uri()}").status == 0
    count = len(rewind("history", book, "--json").data["checkpoints"])
    assert rewind("key", "export", home / "rewind.key").status == 0
    shutil.rmtree(home / "data")
    shutil.rmtree(home / "config")
    Workspace.open(Settings.load()).close()
    assert rewind("history", book).status == 3
    # Without its key, a replica of another store is not one of this.
    refused = rewind("replica", "add", mount.as_uri())
    assert refused.status == 4 and "holds another store" in refused.err
    assert rewind("key", "import", home / "rewind.key").status == 0
    refused = rewind("replica", "add", mount.as_uri(), "--encrypt")
    assert refused.status == 4 and "not encrypted" in refused.err
    assert not Settings.load().replica_url
    added = rewind("replica", "add", mount.as_uri())
    assert added.status == 0 and "What it holds comes with" in added.err
    assert rewind("pull").status == 0
    assert len(rewind("history", book, "--json").data["checkpoints"]) == count
    assert rewind("replica", "push").status == 0
