"""`jupyter rewind serve`, started by root: Jupyter runs as the user that is asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_serve import Serve, said
from tests.support.anybody import NOBODY, any_python, any_python_paths
from tests.support.kernels import Home, eventually
from tests.support.ports import free_port
from tests.support.processes import anybodys_folder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not hasattr(os, "geteuid") or os.geteuid() != 0,
        reason="only root can become another user",
    ),
]
_LOOK = """
import json, os
try:
    os.setuid(0)
except PermissionError:
    print(json.dumps([os.getuid(), os.getgid(), os.getgroups(), os.environ["HOME"]]))
"""


class _Theirs(Home):
    """A home in which nothing but HOME says where anything lies, as root leaves it by `sudo`."""

    @property
    def environment(self) -> dict[str, str]:
        found = {k: v for k, v in super().environment.items() if not k.startswith("JUPYTER_")}
        del found["IPYTHONDIR"]
        return found | any_python_paths() | {"XDG_DATA_HOME": "/root/.local/share"}


@pytest.fixture
def home() -> Iterator[Home]:
    with anybodys_folder() as folder:
        found = _Theirs(folder / "theirs")
        for path in (found.folder, found.notebook.parent):
            os.chown(path, int(NOBODY), int(NOBODY))
        yield found


def test_root_gives_jupyter_its_kernels_and_the_store_to_a_user(home: Home) -> None:
    """JuSnap's file, which only root can read, names the user. Nothing in the home is root's."""
    config = home.folder.parent / "conf.yml"
    config.write_text(
        f"jusnap: {{os: {{uid: {NOBODY}, gid: -1}}}}\n"
        f"rewind: {{serve.app: server, serve.port: {free_port()}}}\n"
    )
    config.chmod(0o600)
    running = Serve(home, "--config", str(config), python=any_python())
    try:
        jupyter = home.folder / ".local" / "share" / "jupyter"
        book = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        running.ask(
            "api/contents/analysis.ipynb", None, {"type": "notebook", "content": book}, "PUT"
        )
        kept = "api/contents/analysis.ipynb/checkpoints"
        eventually(lambda: running.ask(kept), "the save is kept")
        kernel = running.ask("api/kernels", None, {})["id"]
        connection = jupyter / "runtime" / f"kernel-{kernel}.json"
        groups = os.getgrouplist("nobody", int(NOBODY))
        assert json.loads(said(connection, _LOOK)) == [
            int(NOBODY), int(NOBODY), groups, str(home.folder)
        ]  # fmt: skip
        assert Path(f"/proc/{running.told['pid']}").stat().st_uid == int(NOBODY)
    finally:
        status, _, err = running.end()
    assert status == 0, err
    assert list((jupyter / "rewind" / "segments").iterdir())
    found = {path: path.lstat() for path in (home.folder, *home.folder.rglob("*"))}
    roots = [path for path, facts in found.items() if facts.st_uid != int(NOBODY)]
    assert roots == [] and home.notebook.exists()
