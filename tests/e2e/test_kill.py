"""`kill -9` in the middle of saves of a large notebook: no acknowledged checkpoint is lost.

The default run saves 5 MB twenty times; 50 MB a hundred times, server and command line:

    python -m pytest tests/e2e/test_kill.py -m long
"""

from __future__ import annotations

import functools
import hashlib
import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_rewind.model.ids import CheckpointId
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.upkeep import verify
from tests.support.servers import PATIENCE, Server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.crash,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no SIGKILL here"),
]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "root").mkdir()
    return {
        **os.environ,
        "HOME": str(tmp_path / "home"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "JUPYTER_REWIND_STORE_PATH": str(tmp_path / "store"),
        "JUPYTER_REWIND_STORE_KEY_FOLDER": str(tmp_path / "keys"),
    }


def _notebook(number: int, megabytes: int) -> dict[str, object]:
    """Ten large outputs, of which one changes, and a small cell that always does."""
    cells = []
    for part in range(10):
        text = _text(part, number if part == number % 10 else -1, (megabytes << 20) // 10)
        output = {"output_type": "stream", "name": "stdout", "text": text}
        cells.append({"cell_type": "code", "id": f"c{part}", "metadata": {}, "outputs": [output],
                      "execution_count": None, "source": f"print({part})"})  # fmt: skip
    cells.append({"cell_type": "markdown", "id": "last", "metadata": {}, "source": f"n{number}"})
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@functools.lru_cache(maxsize=32)
def _text(part: int, number: int, size: int) -> str:
    return random.Random(f"{part} {number}").randbytes(size // 2).hex()


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _check(folder: Path, acknowledged: dict[str, str]) -> None:
    """Every checkpoint reads byte for byte what the file held when it was acknowledged."""
    for index in (None, folder / "none" / "index"):
        with Repository.open(
            folder / "store", key_folder=folder / "keys", index_path=index, create=False
        ) as repository:
            repository.refresh()
            histories = Histories(repository)
            for name, digest in acknowledged.items():
                point = histories.get(None, CheckpointId(name))
                assert _digest(histories.read(point)) == digest
            report = verify(repository, read_data=True)
            assert report.ok, report.damages


class _Killer:
    """Kills a process with SIGKILL after a random while, again and again."""

    def __init__(self, longest: float) -> None:
        self._rng = random.Random(3)
        self._longest = longest
        self.kills = 0

    def aim(self, process: subprocess.Popen[bytes], within: float | None = None) -> threading.Timer:
        longest = self._longest if within is None else within
        timer = threading.Timer(self._rng.uniform(0, longest), self._kill, [process])
        timer.start()
        return timer

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            self.kills += 1
            process.kill()


def _save_through_server(
    folder: Path, environment: dict[str, str], saves: int, megabytes: int, longest: float
) -> dict[str, str]:
    acknowledged: dict[str, str] = {}
    killer = _Killer(longest)
    path = folder / "root" / "big.ipynb"
    server = Server(folder / "root", environment)
    server.wait(120)
    timers: list[threading.Timer] = []
    taken = longest
    try:
        for number in range(saves):
            if number % 4 == 3:
                # Somewhere in this save, or in what the server does just behind it.
                timers.append(killer.aim(server.process, within=1.3 * taken))
            body = {"type": "notebook", "format": "json", "content": _notebook(number, megabytes)}
            begun = time.monotonic()
            try:
                server.ask("PUT", "api/contents/big.ipynb", body)
                raw = path.read_bytes()
                acknowledged[server.checkpoint("big.ipynb")] = _digest(raw)
                taken = time.monotonic() - begun
            except (OSError, http.client.HTTPException, urllib.error.URLError) as error:
                assert not isinstance(error, urllib.error.HTTPError), error.read()
                server.process.wait(PATIENCE)
                server = Server(folder / "root", environment)
                server.wait(120)
    finally:
        for timer in timers:
            timer.cancel()
        server.process.kill()
        server.process.wait()
    assert killer.kills > 1
    assert len(acknowledged) > saves // 4
    return acknowledged


def _save_through_command(
    folder: Path, environment: dict[str, str], saves: int, megabytes: int, longest: float
) -> dict[str, str]:
    acknowledged: dict[str, str] = {}
    killer = _Killer(longest)
    path = folder / "root" / "big.ipynb"
    for number in range(saves):
        raw = json.dumps(_notebook(number, megabytes)).encode()
        path.write_bytes(raw)
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_rewind.faces.cli.app", "checkpoint", str(path),
             "--json"],
            env=environment, stdout=subprocess.PIPE,
        )  # fmt: skip
        timer = killer.aim(process) if number % 2 else None
        out = process.communicate(timeout=120)[0]
        if timer is not None:
            timer.cancel()
        if process.returncode == 0:
            acknowledged[json.loads(out)["data"]["checkpoint"]["id"]] = _digest(raw)
        else:
            assert process.returncode == -9, out
    assert killer.kills > 1
    assert len(acknowledged) >= saves // 2
    return acknowledged


Save = Callable[[Path, dict[str, str], int, int, float], dict[str, str]]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("save", "longest"), [(_save_through_server, 4.0), (_save_through_command, 1.2)],
    ids=["server", "command"],
)  # fmt: skip
def test_no_acknowledged_checkpoint_is_lost_in_the_middle_of_saves(
    save: Save, longest: float, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Killed at any moment, started again, killed again: what was acknowledged is there."""
    _check(tmp_path, save(tmp_path, environment, 20, 5, longest))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("save", "longest"), [(_save_through_server, 30.0), (_save_through_command, 3.0)],
    ids=["server", "command"],
)  # fmt: skip
def test_a_hundred_saves_of_fifty_megabytes(
    save: Save, longest: float, tmp_path: Path, environment: dict[str, str]
) -> None:
    _check(tmp_path, save(tmp_path, environment, 100, 50, longest))


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder with a notebook that takes no changes."""
    folder = tmp_path / "root"
    (folder / "here.ipynb").write_text(json.dumps(_notebook(1, 1)))
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


def test_a_notebook_in_a_read_only_folder_has_checkpoints(
    tmp_path: Path, environment: dict[str, str], read_only: Path
) -> None:
    """The store lies elsewhere: nothing of ours is written beside the notebook."""
    server = Server(read_only, environment)
    try:
        server.wait(120)
        name = server.checkpoint("here.ipynb")
    finally:
        server.process.kill()
        server.process.wait()
    _check(tmp_path, {name: _digest((read_only / "here.ipynb").read_bytes())})
    assert [path.name for path in read_only.iterdir()] == ["here.ipynb"]
