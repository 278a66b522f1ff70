"""How much memory keeping a state takes, beyond what the user's own data takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = """
import sys
from pathlib import Path
from tests.support.cells import Cells

def memory(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what + ":")) << 10

cells = Cells(Path(sys.argv[1]))
cells.run("import numpy as np; big = np.random.default_rng(0).random(25_000_000)")
cells.capturer.keeper.settle()
for change in ("big += 1", "big[7] = 0", "other = big * 2"):
    exec(change, cells.namespace)
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    cells.run("pass")
    cells.capturer.keeper.settle()
    print(memory("VmHWM") - before)
cells.close()
"""


TEXTS = (
    "'plain text ' * 9_090_909",
    "'é' * 100_000_000",
    "'中文' * 25_000_000",
    "b'x' * 100_000_000",
)
OF_TEXTS = (
    SOURCE[: SOURCE.index("cells.run(")]
    + """
for text in sys.argv[2:]:
    cells.run("t = None")
    cells.capturer.keeper.settle()
    exec(f"t = {text}", cells.namespace)
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    cells.run("pass")
    cells.capturer.keeper.settle()
    print(memory("VmHWM") - before, memory("VmRSS") - before)
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    cells.run("held = [t]; held = None")
    cells.capturer.keeper.settle()
    print(memory("VmHWM") - before, memory("VmRSS") - before)
cells.close()
"""
)
needs_linux = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(),
    reason="only Linux tells how much memory was taken at most, and forgets it when asked",
)


@needs_linux
def test_keeping_a_state_takes_little_memory(tmp_path: Path) -> None:
    """However much a cell changed, its state is kept a piece at a time: 64 MB more at the most."""
    command = [sys.executable, "-c", SOURCE, str(tmp_path)]
    root = Path(__file__).parents[2]
    said = subprocess.check_output(command, text=True, cwd=root)
    peaks = [int(line) for line in said.split()]
    assert len(peaks) == 3
    assert max(peaks) < 64 << 20, peaks


@needs_linux
def test_keeping_a_large_text_takes_no_more_than_itself(tmp_path: Path) -> None:
    """Texts of 100 MB in letters of one byte and of two, and bytes; nothing of it stays, and to
    look at it again takes nothing."""
    command = [sys.executable, "-c", OF_TEXTS, str(tmp_path), *TEXTS]
    said = subprocess.check_output(command, text=True, cwd=Path(__file__).parents[2])
    took = [tuple(map(int, line.split())) for line in said.splitlines()]
    assert len(took) == 2 * len(TEXTS)
    assert max(peak for peak, _ in took) < 164 << 20, took
    assert max(peak for peak, _ in took[1::2]) < 64 << 20, took
    assert max(left for _, left in took) < 64 << 20, took
