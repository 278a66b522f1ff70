"""The real command in a home folder of its own: as a process, or in this one where time counts."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.faces.cli import app
from jupyter_rewind.kernels import host
from tests.support.histories import make_history

COMMAND = [sys.executable, "-m", "jupyter_rewind.faces.cli.app"]
ROOT = Path(__file__).parents[3]


@dataclass
class Ended:
    """How a command ended and what it said."""

    status: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        """The data of a `--json` answer."""
        assert self.out, self.err
        document = json.loads(self.out)
        assert document["status"] == self.status
        return document["data"]

    @property
    def rows(self) -> list[list[str]]:
        """The rows of a table in a pipe, without its header."""
        return [line.split("\t") for line in self.out.splitlines()[1:]]


Rewind = Callable[..., Ended]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder; the working folder is `work` in it."""
    for name in list(os.environ):
        if name.startswith(("JUPYTER", "_JUPYTER", "XDG_")) or name in ("NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    work = home / "work"
    work.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(home / "config"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(home / "data"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(work)
    return home


@pytest.fixture
def work(home: Path) -> Path:
    """The folder the commands run in."""
    return home / "work"


@pytest.fixture
def rewind(
    home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Rewind:
    """Runs the command in this process."""
    # On a machine that is busy, a kernel takes longer to start than a user would wait for it.
    monkeypatch.setattr(host, "_START_SECONDS", 240.0)

    def run(*words: object) -> Ended:
        capfd.readouterr()
        status = app.main([str(word) for word in words])
        sys.stdout.flush()
        sys.stderr.flush()
        out, err = capfd.readouterr()
        return Ended(status, out, err)

    return run


@pytest.fixture
def process(home: Path) -> Rewind:
    """Runs the command as a process of its own."""

    def run(*words: object, **more: Any) -> Ended:
        done = subprocess.run(
            [*COMMAND, *map(str, words)], capture_output=True, timeout=180, check=False, **more
        )
        return Ended(
            done.returncode,
            done.stdout.decode(errors="surrogateescape"),
            done.stderr.decode(errors="surrogateescape"),
        )

    return run


def cell(
    identity: str, source: str, *outputs: dict[str, Any], kind: str = "code"
) -> dict[str, Any]:
    """A cell of nbformat 4.5."""
    made: dict[str, Any] = {"cell_type": kind, "id": identity, "metadata": {}, "source": source}
    if kind == "code":
        made |= {"execution_count": 1, "outputs": list(outputs)}
    return made


def stream(text: str) -> dict[str, Any]:
    """Printed text."""
    return {"output_type": "stream", "name": "stdout", "text": text}


def sources(path: Path) -> list[str]:
    """The texts of the cells of a notebook file."""
    return ["".join(each["source"]) for each in json.loads(path.read_text())["cells"]]


def notebook_bytes(*cells: dict[str, Any], indent: int = 1) -> bytes:
    """A notebook as Jupyter writes it."""
    book = {
        "cells": list(cells),
        "metadata": {"language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return (json.dumps(book, indent=indent, ensure_ascii=False) + "\n").encode()


FIRST = notebook_bytes(cell("intro", "# Title", kind="markdown"), cell("load", "x = 1"))
SECOND = notebook_bytes(
    cell("intro", "# Title", kind="markdown"),
    cell("load", "x = 2\nprint(x)", stream("2\n")),
    cell("more", "def helper(): ..."),
)
THIRD = notebook_bytes(cell("load", "x = 3\nprint(x)", stream("3\n")))


@pytest.fixture
def book(work: Path, rewind: Rewind) -> Path:
    """A notebook with three checkpoints; the file holds the third state."""
    path = work / "analysis.ipynb"
    for state in (FIRST, SECOND, THIRD):
        path.write_bytes(state)
        assert rewind("checkpoint", path).status == 0
    return path


@pytest.fixture
def stale(work: Path) -> Path:
    """A notebook that is gone, of which Jupyter's own checkpoint is left."""
    kept = work / ".ipynb_checkpoints" / "analysis-checkpoint.ipynb"
    kept.parent.mkdir()
    kept.write_bytes(SECOND)
    os.utime(kept, (1_700_000_000, 1_700_000_000))
    return work / "analysis.ipynb"


@pytest.fixture
def history(home: Path) -> Path:
    """What IPython kept of two sessions."""
    path = home / ".ipython" / "profile_default" / "history.sqlite"
    area = "def area(r):\n    return 3 * r * r"
    make_history(path, [["import os", area, "sizes = [area(r) for r in range(9)]"], ["other = 1"]])
    return path


@pytest.fixture
def mount(home: Path) -> Path:
    """Another disk."""
    folder = home.parent / "mount"
    folder.mkdir()
    return folder


def pushed_and_lost(home: Path, book: Path, rewind: Rewind, mount: Path) -> tuple[str, str]:
    """A large notebook is in the replica, and the store on this machine is gone; what names the
    replica on the command line."""
    text = random.Random(1).randbytes(800_000).hex()
    book.write_bytes(notebook_bytes(cell("load", "print(text)", stream(text))))
    line = ("--set", f"replica.url={mount.as_uri()}")
    assert rewind("checkpoint", book, *line).status == 0
    assert rewind("replica", "push", *line).status == 0
    shutil.rmtree(home / "data")
    return line
