"""Notebooks that no Rewind ever saw, whose last checkpoint is stock Jupyter's."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.faces.cli.conftest import COMMAND, FIRST, SECOND, Rewind


@pytest.fixture
def stock(work: Path) -> Path:
    """A notebook that no Rewind ever saw, with the checkpoint that Jupyter left of it."""
    (work / ".ipynb_checkpoints").mkdir()
    (work / ".ipynb_checkpoints" / "n-checkpoint.ipynb").write_bytes(FIRST)
    path = work / "n.ipynb"
    path.write_bytes(SECOND)
    return path


@pytest.mark.parametrize(
    "words",
    [
        ("history", "n.ipynb"),
        ("show", "n.ipynb"),
        ("diff", "n.ipynb"),
        ("search", "n.ipynb", "x = 1"),
        ("restore", "n.ipynb", "head"),
        ("pin", "n.ipynb"),
    ],
)
def test_the_checkpoint_of_stock_jupyter_begins_a_history(
    words: tuple[str, ...], stock: Path, rewind: Rewind
) -> None:
    """It is taken on first sight by any command, with no server, and left where it is."""
    ended = rewind(*words)
    assert ended.status == 0, ended.err
    kept = stock.parent / ".ipynb_checkpoints" / "n-checkpoint.ipynb"
    assert kept.read_bytes() == FIRST
    assert rewind("history", stock).rows[-1][2] == "imported"
    assert rewind("restore", stock, "head").status == 0
    assert stock.read_bytes() == FIRST


@pytest.mark.parametrize("words", [("undelete",), ("history",), ("restore", "head")])
def test_the_copy_of_a_notebook_that_is_gone_is_named(
    words: tuple[str, ...], stock: Path, book: Path, rewind: Rewind
) -> None:
    """No history has it, but the command that brings it back is told."""
    stock.unlink()
    ended = rewind(words[0], stock, *words[1:])
    assert ended.status == 3
    way = ended.err.split("`")[1]
    assert way.startswith("cp ")
    subprocess.run(shlex.split(way), check=True)
    assert stock.read_bytes() == FIRST


@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv, which takes rights away")
def test_a_store_that_takes_nothing_says_so_of_the_copy(
    stock: Path, home: Path, book: Path
) -> None:
    """A store that nobody may write to cannot take Jupyter's checkpoint; both stay as they are."""
    store = home / "data" / "rewind"
    lesser = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    folders = [store, *(each for each in store.rglob("*") if each.is_dir())]
    for each in folders:
        each.chmod(0o500)
    try:
        done = subprocess.run(
            [*lesser, *COMMAND, "history", str(stock)], capture_output=True, timeout=60, check=False
        )
    finally:
        for each in folders:
            each.chmod(0o700)
    assert done.returncode == 6, done.stderr
    assert "cannot be taken into the history" in done.stderr.decode()
    assert "Make the store writable" in done.stderr.decode()


@pytest.mark.parametrize("letters", [245, 249, 300])
def test_a_long_name_beside_stock_checkpoints_is_a_name_like_others(
    letters: int, stock: Path, rewind: Rewind
) -> None:
    """Stock Jupyter's copy of it would have a name that no disk takes: it is not asked for."""
    long = stock.with_name("x" * (letters - 6) + ".ipynb")
    if letters < 256:
        long.write_bytes(FIRST)
        assert rewind("checkpoint", long).status == 0
        assert rewind("history", long).status == 0
        assert (
            rewind("restore", long, "head", "--output", stock.with_name("copy.ipynb")).status == 0
        )
    else:
        assert rewind("history", long).status == 3
        assert rewind("restore", stock, "head", "--output", long).status not in (0, 1)
