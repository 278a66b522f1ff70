"""However deep a value is, the kernel lives: what Rewind does with it ends no stack.

Each in a process of its own, since a stack that ends takes the process with it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_HEAD = """
import sys
from pathlib import Path
from jupyter_rewind.kernels import depth
from tests.support.cells import Cells

cells = Cells(Path(sys.argv[1]))
"""

_CHAIN = """
class N:
    def __init__(self, n): self.n, self.k = n, []
chain = None
for _ in range(20_000): chain = N(chain)
"""

_MEASURE = """
def measure(chain):
    depth = 0
    while chain is not None: chain, depth = chain.n, depth + 1
    return depth
"""


def run(folder: Path, source: str) -> str:
    """What the process printed. It must end by itself."""
    done = subprocess.run(
        [sys.executable, "-c", _HEAD + source, str(folder)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    return done.stdout.strip()


def test_a_long_chain_of_objects_comes_back(tmp_path: Path) -> None:
    """As does whatever links its parts one to the next: a list of nodes, a page that was parsed."""
    source = f"""
cells.run({_MEASURE!r})
state = cells.run({_CHAIN!r})
cells.run("chain = None")
cells.go(state)
cells.check("measure(chain) == 20_000")
print(sys.getrecursionlimit())
"""
    assert run(tmp_path, source) == str(sys.getrecursionlimit())


_IN_PYTHON = "def __getstate__(self): return self.__getstate__()"
_THROUGH_C = """def __getattr__(self, name): return getattr(self, name + "_")
    def __getstate__(self): return self.x"""
_AT_THE_END = """
class Bad:
    {}
    def __init__(self): self.n = None
last = chain
while last.n is not None: last = last.n
last.n = Bad()
del last
"""


@pytest.mark.parametrize("more", [_IN_PYTHON, _THROUGH_C], ids=["in Python", "through C"])
def test_endless_calls_at_the_end_of_a_long_chain_cost_that_value_alone(
    tmp_path: Path, more: str
) -> None:
    """They have as much room as anywhere else, and not all that the chain needs."""
    source = f"""
captured = cells.try_run({_CHAIN + _AT_THE_END.format(more)!r})
(loss,) = captured.losses
print(loss.name, loss.reason)
cells.run("chain = None")
cells.go(captured.snapshot)
cells.check("chain.n.n.n.k == []")
"""
    said = run(tmp_path, source)
    assert said.startswith("chain a Bad; it refuses (RecursionError"), said


@pytest.mark.parametrize("limit", [100_000, 2**31 - 1])
def test_a_limit_that_the_user_has_raised_ends_no_stack(tmp_path: Path, limit: int) -> None:
    """Whoever writes recursive code often lets Python go on for as long as it likes."""
    source = f"""
cells.run("import sys; sys.setrecursionlimit({limit})")
cells.run({_MEASURE!r})
state = cells.run({_CHAIN!r} + "deep = []\\nfor _ in range(20_000): deep = [deep]")
cells.run("chain = deep = None")
cells.go(state)
cells.check("measure(chain) == 20_000 and deep")
print(sys.getrecursionlimit())
"""
    assert run(tmp_path, source) == str(limit)


def test_what_is_too_deep_costs_itself_alone_and_is_told(tmp_path: Path) -> None:
    """There is an end to what the memory holds."""
    source = """
depth.MOST = 20_000
captured = cells.try_run("good = [1]\\ndeep = ()\\nfor _ in range(12_000): deep = (deep,)")
(loss,) = captured.losses
print(loss.name, loss.reason)
cells.run("good = None")
cells.go(captured.snapshot)
cells.check("good == [1]")
"""
    assert run(tmp_path, source) == "deep it is nested too deeply to be kept"


def test_a_mock_stays_as_it_is(tmp_path: Path) -> None:
    """Its class makes mocks of what it is asked for: nobody asks it."""
    source = """
cells.run("from unittest.mock import MagicMock\\nclass Api:\\n    def get(self, x): ...")
state = cells.run("api = MagicMock(spec=Api); api.get.return_value = 5; mock = MagicMock()")
cells.run("pass")
cells.check("list(api._mock_children) == ['get'] and not mock._mock_children")
cells.run("api.get(1)")
cells.go(state)
cells.check("api.get(1) == 5")
"""
    assert run(tmp_path, source) == ""
