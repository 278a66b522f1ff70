"""What cells of IPython touch, magics and all."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.kernels.test_tracking import WAYS

pytestmark = pytest.mark.matrix


IPYTHON = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from jupyter_rewind.kernels.tracking import Tracker

shell = InteractiveShell.instance()
tracker, told = Tracker(monitor=sys.argv[1] == "True"), []
for cell in sys.stdin.read().split("# next\\n"):
    tracker.begin(cell, shell.user_ns)
    shell.run_cell(cell)
    touched = tracker.end()
    told.append("all" if touched.everything else sorted(touched.names & set(shell.user_ns)))
print("TOLD", told[1:])
"""

CELLS_OF_IPYTHON = [
    ("x = [1]; y = 0; big = [2]\ndef f():\n    return big", ["big", "f", "x", "y"]),
    ("y = 1", ["y"]),
    ("f()", ["big", "f"]),
    ("%time y = 2", ["y"]),
    ("%%time\ny = 3\nx.append(2)", ["x", "y"]),
    ("!true", []),
    ("!true {x.pop()}", ["x"]),
    ("!!true $y {{x}} $$x", ["y"]),
    ("!awk '{print $1}' /dev/null", []),
    ("!true {f()} }", ["big", "f"]),
    ("%cd -q {f() and '.'}", ["big", "f"]),
    ("%env REWIND_TEST={x} $y", ["x", "y"]),
    ("%ls {{x}} > /dev/null", "all"),
    ("%%capture taken{y}\nx.append(4)", ["x", "y"]),
    ("%%timeit -n1 -r1\nx.append(5)", ["x"]),
    ("%%timeit -n1 -r1 x.append(6)\ny", "all"),
    ("%who_ls", "all"),
    ("y = 4", ["y"]),
    ("import asyncio\nawait asyncio.sleep(0)\ny = 5", ["asyncio", "y"]),
    ("x", ["x"]),
    ("_", ["_"]),
]


@pytest.mark.parametrize("monitor", WAYS)
def test_cells_of_ipython_are_read_with_their_magics(monitor: bool) -> None:
    """In a real shell: magics that run their body touch what it names, others everything."""
    cells = "# next\n".join(["0", *(cell for cell, _ in CELLS_OF_IPYTHON)])
    command = [sys.executable, "-c", IPYTHON, str(monitor)]
    done = subprocess.run(command, input=cells, capture_output=True, text=True, check=True)
    assert done.stdout.rpartition("TOLD ")[2].strip() == str(
        [names for _, names in CELLS_OF_IPYTHON]
    )
