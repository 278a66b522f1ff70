"""Ways to a variable that name it in no code of the cell: text that is run, modules, frames."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.matrix
WAYS = [False, True] if hasattr(sys, "monitoring") else [False]

SHELL = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
from jupyter_rewind.kernels.tracking import Tracker

sys.path.insert(0, "")
shell = InteractiveShell.instance()
sys.modules["__main__"] = shell.user_module
tracker, told = Tracker(monitor=sys.argv[1] == "True"), []
for cell in json.load(sys.stdin):
    tracker.begin(cell, shell.user_ns)
    shell.run_cell(cell)
    touched = tracker.end()
    length = len(shell.user_ns.get("x", ()))
    told.append([length, "all" if touched.everything else sorted(touched.names)])
print("TOLD", json.dumps(told))
"""

OWN_MODULE = """
import inspect
import sys

def by_main():
    import __main__
    __main__.x.append(7)

def by_frame():
    sys._getframe(1).f_globals["x"].append(8)

def find(name):
    return inspect.currentframe().f_back.f_globals[name]
"""

HARMLESS_MODULE = "values = {}\ndef put(value):\n    values[len(values)] = value\n"

DETOURS = {
    "profiled text": ("import cProfile", "cProfile.run('x.append(9)')"),
    "profiled text of a variable": ("import cProfile\nq = 'x.append(9)'", "cProfile.run(q)"),
    "profiled, other names": ("from cProfile import run as r\nq = 'x.ap'", "r(q + 'pend(1)')"),
    "profiled call": ("import cProfile\ndef f(): x.append(5)", "cProfile.run('f()')"),
    "traced text": ("import trace", "trace.Trace(count=0, trace=0).run('x.append(4)')"),
    "a tracer of before": ("import trace\nt = trace.Trace(0, 0)", "t.run('x.append(4)')"),
    "timed text": ("import timeit", "timeit.timeit('x.append(1)', 'from __main__ import x')"),
    "own module by __main__": ("import own", "own.by_main()"),
    "own module by its frame": ("import own", "own.by_frame()"),
    "own function by its frame": ("from own import by_frame as go\nheld = [go]", "held[0]()"),
    "own function finds by name": ("from own import find", "find('x').append(3)"),
    "own function and a name of before": ("from own import find\nn = 'x'", "find(n).append(3)"),
    "a dotted attribute": (
        "import operator\ndef f(): pass",
        "operator.attrgetter('__globals__.get')(f)('x').append(2)",
    ),
    "main by another word": ("import code", "__import__('__mai' + 'n__').x.append(3)"),
    "an interpreter": (
        "import code\nshell = code.InteractiveInterpreter(__import__('__main__').__dict__)",
        "shell.runsource('x.append(4)')",
    ),
    "a text with more words": ("import cProfile", "cProfile.run('y = x; y.append(1)')"),
    "unpickled from main": ("import pickle", "pickle.loads(b'c__main__\\nx\\n.').append(3)"),
    "IPython beside what shows": (
        "import IPython.display", "IPython.core.getipython.get_ipython().ev('x').append(2)",
    ),
    "run by importlib": ("import importlib", "importlib.import_module('__main__').x.append(1)"),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(OWN_MODULE)
    (tmp_path / "harmless.py").write_text(HARMLESS_MODULE)
    return tmp_path


def run_cells(folder: Path, monitor: bool, cells: list[str]) -> list[tuple[int, list[str] | str]]:
    """After each cell: how long `x` is, and which names were touched, or `all`."""
    done = subprocess.run(
        [sys.executable, "-c", SHELL, str(monitor)], input=json.dumps(cells), cwd=folder,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout.rpartition("TOLD ")[2])
    return [(length, names) for length, names in found]


@pytest.mark.parametrize("monitor", WAYS)
@pytest.mark.parametrize("name", DETOURS)
def test_a_variable_that_no_code_of_the_cell_names_is_looked_at(
    folder: Path, monitor: bool, name: str
) -> None:
    """Whatever takes a text, a frame or the main module can change any variable."""
    setup, detour = DETOURS[name]
    told = run_cells(folder, monitor, [f"x = [1]\n{setup}", "z = 1", detour])
    assert told[2][0] > told[1][0], "the detour leads nowhere"
    assert told[2][1] == "all" or "x" in told[2][1]


@pytest.mark.parametrize("monitor", WAYS)
def test_plain_cells_stay_free_beside_libraries_and_modules(folder: Path, monitor: bool) -> None:
    """A module of the user's own that keeps to itself costs nothing, nor does a word in a text."""
    told = run_cells(folder, monitor, [
        "import json, harmless\nx = [1]; big = [2]; d = {}",
        "z = 1",
        "harmless.put(x)",
        "d['price'] = json.dumps({'a': 1})",
        "print('the text names big')",
    ])  # fmt: skip
    assert all(names != "all" and "big" not in names for _, names in told[1:4])
    assert "x" in told[2][1] and "x" not in told[3][1]
    assert "big" in told[4][1] and told[4][1] != "all"


@pytest.mark.parametrize("monitor", WAYS)
def test_showing_values_costs_nothing(folder: Path, monitor: bool) -> None:
    """What shows a value in the notebook runs nothing in it."""
    told = run_cells(folder, monitor, [
        "x = [1]; big = [2]",
        "from IPython.display import HTML, display",
        "HTML('<b>x</b>')",
        "display(big)",
    ])  # fmt: skip
    assert all(names != "all" for _, names in told[1:])
    assert "big" not in told[2][1] and "big" in told[3][1]
