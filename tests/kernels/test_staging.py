"""Code of the notebook that runs while values are built: it finds what it found then."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.kernels.environment import Environment
from tests.support.cells import Cells


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[Cells]:
    made = Cells(tmp_path, environment=Environment())
    yield made
    made.close()


PRECISION = """
PREC = 2
def key(v): return round(v, PREC)
class V:
    def __init__(self, x): self.x = x
    def __hash__(self): return hash(key(self.x))
    def __eq__(self, other): return key(self.x) == key(other.x)
d = {V(1.2345): 'a', V(1.3): 'b'}
"""
STATEFUL = """
import math, array
FACTOR = [2]
def helper(n): return math.floor(n) * FACTOR[0]
class P:
    def __init__(self): self.a = [1]; self.b = array.array('d', [0.0] * helper(1.5))
    def __getstate__(self): return {'a': self.a}
    def __setstate__(self, state):
        self.__dict__.update(state)
        self.b = array.array('d', [0.0] * helper(1.5))
p = P()
"""
WRITING = """
log, made = [], []
class P:
    count = 0
    seen = []
    def __new__(cls):
        one = super().__new__(cls)
        made.append(one)
        P.count += 1
        P.seen.append('new')
        return one
    def __setstate__(self, state): log.append('set'); P.seen.append('set'); vars(self).update(state)
    def __hash__(self): log.append('hash'); return 7
p = P(); p.v = 1
d = {p: 2}
log.clear()
"""
CASES = {
    "a hash that rounds": (
        PRECISION,
        "PREC = 0; d[V(9.0)] = 1",
        "V(1.2345) in d and len(d) == 2 and PREC == 2",
    ),
    "a state that calls helpers": (
        STATEFUL,
        "p.a.append(2); FACTOR[0] = 3",
        "p.a == [1] and len(p.b) == 2 and FACTOR == [2]",
    ),
    "a state that calls what is gone": (
        STATEFUL,
        "p.a.append(2); del helper, math, FACTOR",
        "p.a == [1] and len(p.b) == 2 and FACTOR == [2]",
    ),
    "code that writes": (
        WRITING,
        "p.v = 2; d[3] = 4; log.append('later')",
        "log == [] and made[0] is p and len(made) == 1 and p in d and p.v == 1"
        " and P.count == 1 and P.seen == ['new']",
    ),
    "a method that was changed": (
        "class K:\n    def __init__(self, n): self.n = n\n    def __hash__(self): return self.n\n"
        "    def __eq__(self, other): return self.n == other.n\nd = {K(1): 1, K(2): 2}",
        "K.__hash__ = lambda self: 1 / 0\nd.pop('x', None)",
        "len(d) == 2 and K(1) in d and K(2) in d",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_code_that_runs_while_values_are_built_finds_its_own_time(
    cells: Cells, tmp_path: Path, case: str
) -> None:
    """In place, back again, and in a new kernel: never the present's constants, nor none at all;
    and what it writes is not in the state."""
    source, change, check = CASES[case]
    then = cells.run(source)
    later = cells.run(change)
    for state in (then, later, then):
        cells.go(state)
    cells.check(check)
    cells.close()
    again = Cells(tmp_path, run="second")
    again.go(then)
    again.check(check)
    again.close()


def test_the_present_is_whole_while_and_after_something_is_built(cells: Cells) -> None:
    """Building a state that is then not taken leaves names, their order and functions alone."""
    then = cells.run(PRECISION)
    cells.run("PREC = 0; added = 1\ndef key(v): return 5\nd[V(9.0)] = 1\nq = [1]")
    before = dict(cells.namespace)
    names = list(cells.namespace)
    cells.prepare(then)
    assert list(cells.namespace) == names
    assert all(cells.namespace[name] is before[name] for name in names)
    cells.check("key(1) == 5 and len(d) == 3 and PREC == 0")


MODULE = "class P:\n    def __init__(self): self.a = 1\n"


def test_a_module_on_a_path_that_the_notebook_set_is_found(tmp_path: Path) -> None:
    """The module path and the folder are set before values are built, and put back if not taken."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "rewind_staged_module.py").write_text(MODULE)
    cells = Cells(tmp_path, environment=Environment())
    path, folder = list(sys.path), os.getcwd()
    try:
        source = f"import sys, os\nsys.path.append({str(tmp_path / 'lib')!r})\n"
        source += f"os.chdir({str(tmp_path)!r})\nimport rewind_staged_module\n"
        then = cells.run(f"{source}p = rewind_staged_module.P()")
        cells.close()
        sys.path[:] = path
        os.chdir(folder)
        del sys.modules["rewind_staged_module"]
        cells = Cells(tmp_path, run="second", environment=Environment())
        prepared = cells.prepare(then)
        assert sys.path == path and os.getcwd() == folder
        prepared.swap()
        cells.check("p.a == 1 and rewind_staged_module.__name__ == 'rewind_staged_module'")
        assert sys.path[-1] == str(tmp_path / "lib") and os.getcwd() == str(tmp_path)
    finally:
        cells.close()
        sys.path[:] = path
        os.chdir(folder)
        sys.modules.pop("rewind_staged_module", None)
