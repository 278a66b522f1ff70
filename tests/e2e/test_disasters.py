"""Real disasters with stock Jupyter, each brought back by one command, installed afterwards.

Jupyter's server, its kernels and IPython's history are real; Rewind is off while the work is done
and lost. The command then runs as a person runs it, in a home folder without a store.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.error
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.support.interpreters import ipython_environment
from tests.support.stock import Stock, code, text, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no SIGKILL here"),
]
NAME = "analysis.ipynb"
LOAD = "rows = [3, 1, 2]\nrows.sort()"
MEAN = "def mean(values):\n    return sum(values) / len(values)"
CALL = "print('mean', mean(rows))"
RUNNING = "import time; time.sleep(600)"
LATER = (
    "import json\nwith open('rows.json', 'w') as file:\n    json.dump(rows, file)",
    "class Table:\n    def __init__(self, rows):\n        self.rows = list(rows)",
    "spread = max(rows) - min(rows)\nprint('spread', spread)",
)


@pytest.fixture
def stock(tmp_path: Path) -> Iterator[Stock]:
    """Stock Jupyter in a home folder of its own."""
    home = tmp_path / "home"
    made = Stock(home, home / "work", ipython_environment("9"))
    made.work.mkdir(parents=True)
    yield made
    made.stop()


def recover(stock: Stock, *words: str) -> subprocess.CompletedProcess[str]:
    """The one command, run where the notebook was."""
    command = [sys.executable, "-m", "jupyter_rewind.faces.cli.app", "recover", *words]
    return subprocess.run(
        command, cwd=stock.work, env=stock.environ, capture_output=True, text=True, check=False
    )


def recovered(stock: Stock, *words: str) -> Any:
    """The notebook that one command brings back; its words are those that the docs promise."""
    ended = recover(stock, NAME, *words)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("Brought back "), ended.stdout
    path = Path(ended.stdout.splitlines()[1].strip())
    assert path.name == "analysis.recovered.ipynb"
    made = nbformat.read(path, as_version=4)
    nbformat.validate(made)
    assert not (stock.home / ".local/share/jupyter/rewind").exists()
    return made


def check_nothing_is_lost(made: Any) -> None:
    """What was saved, then what was run, in order; a cell taken for rewritten is told as that."""
    # IPython may have had the time to write down the cell that was killed as well.
    made.cells = [each for each in made.cells if each.source != RUNNING]
    found = sources(made.cells)
    assert [each for each in found if each != CALL] == ["# Three days of work", LOAD, MEAN, *LATER]
    aside = {each["source"] for each in made.metadata.rewind.alternatives} - {RUNNING}
    assert {*found, *aside} == {"# Three days of work", LOAD, MEAN, CALL, *LATER}


def sources(cells: list[dict[str, Any]]) -> list[str]:
    return [each["source"] for each in cells]


def begin(stock: Stock) -> Any:
    """A notebook that was saved and checkpointed; its kernel runs."""
    stock.start()
    kernel = None
    stock.save(NAME, text("# Three days of work"), code(LOAD), code(MEAN), code(CALL))
    kernel = stock.open(NAME)
    for source in (LOAD, MEAN, CALL):
        kernel.run(source)
    stock.checkpoint(NAME)
    return kernel


def work_on(stock: Stock, kernel: Any) -> None:
    """More cells are run, none of them saved yet."""
    for source in LATER:
        kernel.run(source)
    stock.wait_for_history(LATER[-1])


def test_a_kernel_that_was_killed_in_the_middle_of_work(stock: Stock) -> None:
    """The kernel dies, and with the browser's tab goes what was not saved: it is in the history."""
    kernel = begin(stock)
    work_on(stock, kernel)
    kernel.begin(RUNNING)
    kernel.kill()
    stock.kill()
    check_nothing_is_lost(recovered(stock))


def test_a_notebook_that_was_deleted_comes_back_from_the_trash(stock: Stock) -> None:
    """Deleted in Jupyter, its checkpoint with it: it lies in the trash, and more in the history."""
    work_on(stock, begin(stock))
    stock.delete(NAME)
    assert not list(stock.work.rglob("*.ipynb"))
    check_nothing_is_lost(recovered(stock))


def test_a_notebook_that_was_deleted_for_good_comes_back_from_what_was_run(stock: Stock) -> None:
    """No file is left anywhere; all code that ran is in the history, and says whose it is."""
    stock.flags = ("--FileContentsManager.delete_to_trash=False",)
    kernel = begin(stock)
    work_on(stock, kernel)
    other = stock.open("other.ipynb")
    other.run("unrelated = 'of another notebook'")
    stock.wait_for_history("unrelated = 'of another notebook'")
    stock.delete(NAME)
    stock.stop()
    assert sources(recovered(stock).cells) == [LOAD, MEAN, CALL, *LATER]


def test_a_notebook_that_was_emptied(stock: Stock) -> None:
    """One empty cell was saved over everything; the checkpoint and the history have it all."""
    work_on(stock, begin(stock))
    stock.save(NAME, code(""))
    check_nothing_is_lost(recovered(stock))


def test_a_notebook_that_an_old_tab_wrote_over(stock: Stock) -> None:
    """An old tab's autosave put the state of the morning over the day's; the day was run."""
    work_on(stock, begin(stock))
    day = [code(each) for each in (LOAD, MEAN, CALL, *LATER)]
    stock.save(NAME, text("# Three days of work"), *day)
    stock.save(NAME, text("# Three days of work"), code(LOAD), code(MEAN), code(CALL))
    check_nothing_is_lost(recovered(stock))


def test_a_corrupted_history_still_gives_what_reads(stock: Stock) -> None:
    """The notebook is gone for good and history.sqlite is damaged: what reads of it comes back."""
    stock.flags = ("--FileContentsManager.delete_to_trash=False",)
    work_on(stock, begin(stock))
    stock.delete(NAME)
    stock.stop()
    raw = bytearray(stock.history.read_bytes())
    raw[:100] = bytes(100)
    stock.history.write_bytes(raw)
    before = stock.history.read_bytes()
    assert sources(recovered(stock).cells) == [LOAD, MEAN, CALL, *LATER]
    assert stock.history.read_bytes() == before


def large(number: int) -> list[dict[str, Any]]:
    """A notebook of about 20 MB."""
    cells = [text("# Three days of work")]
    for part in range(20):
        output = {"output_type": "stream", "name": "stdout", "text": f"{part:04}" * (1 << 18)}
        cells.append(code(f"step_{part} = {part}", output))
    return [*cells, code(f"state = {number}")]


def test_a_server_that_was_killed_during_a_save(stock: Stock) -> None:
    """Killed in the middle of a large save, the notebook is cut short; its left-over is whole."""
    stock.start()
    path = stock.work / NAME
    for number in range(1, 12):
        stock.save(NAME, *large(number))
        size = path.stat().st_size
        saving = threading.Thread(target=_save_and_be_cut, args=(stock, number))
        saving.start()
        wait_until("the save has begun", partial(_is_cut, path, size, saving))
        stock.kill()
        saving.join()
        if path.stat().st_size < size:
            break
        stock.start()
    assert path.stat().st_size < size, "no kill fell into a save"
    cells = recovered(stock).cells
    assert sources(cells)[:-1] == [each["source"] for each in large(0)][:-1]
    assert sources(cells)[-1] in (f"state = {number}", f"state = {-number}")
    assert all(each["outputs"] for each in cells[1:-1])


def _save_and_be_cut(stock: Stock, number: int) -> None:
    try:
        stock.save(NAME, *large(-number))
    except (OSError, urllib.error.URLError):
        return


def _is_cut(path: Path, size: int, saving: threading.Thread) -> bool:
    return path.stat().st_size < size or not saving.is_alive()


@pytest.fixture
def small_disk(tmp_path: Path, stock: Stock) -> Iterator[Path]:
    """A disk of 4 MB, mounted here."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    yield place
    stock.stop()
    subprocess.run(["umount", str(place)], check=False)


def test_a_disk_that_was_full_during_a_save(stock: Stock, small_disk: Path) -> None:
    """The save cut the notebook short; while the disk is full, it is brought back to another."""
    stock.work = small_disk
    stock.flags = ("--FileContentsManager.use_atomic_writing=False",)
    kernel = begin(stock)
    work_on(stock, kernel)
    filler = small_disk / "filler"
    plot = {"output_type": "stream", "name": "stdout", "text": "x" * (1 << 20)}
    filler.write_bytes(bytes(3 << 20))
    day = [code(each, plot) for each in (LOAD, MEAN, CALL, *LATER)]
    with pytest.raises(urllib.error.HTTPError):
        stock.save(NAME, text("# Three days of work"), *day)
    with pytest.raises(ValueError, match=r".*"):
        json.loads((small_disk / NAME).read_bytes())
    with filler.open("ab", buffering=0) as file:
        _fill(file)
    refused = recover(stock, NAME)
    assert refused.returncode == 6
    assert "full" in refused.stderr
    assert not list(small_disk.glob("*recovered*"))
    output = stock.home / "analysis.recovered.ipynb"
    check_nothing_is_lost(recovered(stock, "--output", str(output)))


def _fill(file: Any) -> None:
    for size in (1 << 16, 1 << 10, 1):
        try:
            while file.write(b"f" * size) == size:
                pass
        except OSError:
            continue
