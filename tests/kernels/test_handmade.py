"""Modules that the notebook made by hand."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.kernels.onevariable import load_variable
from tests.support.cells import Cells

NAME = "rewind_made_by_hand"
SOURCE = f"""
import sys, types
v = [1]
m = types.ModuleType({NAME!r}, 'its words')
sys.modules[{NAME!r}] = m
m.x = 1
m.v = v
exec('class C:\\n    def get(self): return x\\ndef f(): return x\\n', m.__dict__)
f = m.f
c = m.C()
"""


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[Cells]:
    made = Cells(tmp_path)
    yield made
    made.close()
    sys.modules.pop(NAME, None)


def test_in_place_the_living_module_has_what_it_had(cells: Cells) -> None:
    """What came later is gone, what was is there; and whoever holds the module sees it."""
    then = cells.run(SOURCE)
    live = cells.namespace["m"]
    later = cells.run("m.x = 2; m.y = 3; v.append(2)\ndel m.f")
    cells.go(then)
    cells.check("m.x == 1 and not hasattr(m, 'y') and m.v is v == [1] and f() == 1 == c.get()")
    cells.check(f"sys.modules[{NAME!r}] is m and f is m.f and type(c) is m.C and m.__doc__")
    assert cells.namespace["m"] is live
    cells.go(later)
    cells.check("m.x == 2 and m.y == 3 and m.v is v == [1, 2] and not hasattr(m, 'f') and f() == 2")


def test_building_alone_touches_no_module(cells: Cells) -> None:
    """A state that is built and not taken, or a single variable of it, leaves the living module."""
    then = cells.run(SOURCE)
    cells.run("m.x = 2; m.y = 3")
    before = dict(vars(cells.namespace["m"]))
    cells.prepare(then)
    old = load_variable(cells.store, then, "m", cells.namespace, cells.capturer)
    live = cells.namespace["m"]
    assert dict(vars(live)) == before and sys.modules[NAME] is live
    assert old is not live and old.x == 1 and not hasattr(old, "y")
    assert live.f() == 2


def test_in_a_new_kernel_the_module_is_found_by_import(cells: Cells, tmp_path: Path) -> None:
    """With its functions and classes; and nothing is registered before the swap."""
    then = cells.run(SOURCE)
    del sys.modules[NAME]
    again = Cells(tmp_path, run="again")
    prepared = again.prepare(then)
    assert NAME not in sys.modules
    prepared.swap()
    again.run(f"import {NAME} as n")
    again.check("n is m and m.x == 1 and f is m.f and f() == 1 and type(c) is m.C and c.get() == 1")
    again.check("m.v is v and m.__doc__ == 'its words'")
    again.run("m.x = 5")
    again.check("f() == 5 and c.get() == 5")
    again.close()


LOADED = """
import importlib.util, types
spec = importlib.util.spec_from_file_location('loaded_by_hand', {file!r})
m = importlib.util.module_from_spec(spec)
spec.loader.exec_module(m)
k, f, same = m.K(), m.f, m
m.f()
"""
LOADED_SOURCE = """
n, L = 0, []
def f():
    global n
    n += 1
    L.append(n)
    return n
class K:
    def g(self): return f()
"""


def test_a_module_that_was_loaded_from_its_file_is_one_with_its_functions(
    cells: Cells, tmp_path: Path
) -> None:
    """What its functions change is what the module shows, in place and in a new kernel, though it
    stands under no name among the imported ones."""
    file = tmp_path / "loaded_by_hand.py"
    file.write_text(LOADED_SOURCE)
    state = cells.run(LOADED.format(file=str(file)))
    live = cells.namespace["m"]
    check = "m.n == 1 and m.L == [1] and f.__globals__ is vars(m) and m.f is f and same is m"
    more = "type(k) is m.K and m.K.g.__globals__ is vars(m)"
    later = cells.run("k.g(); m.z = 1")
    cells.go(state)
    assert cells.namespace["m"] is live
    cells.check(f"{check} and {more} and not hasattr(m, 'z')")
    cells.check("k.g() == 2 == m.n")
    cells.go(later)
    cells.check("m.n == 2 and m.L == [1, 2] and m.z == 1 and f() == 3 == m.n")
    old = load_variable(cells.store, state, "m", cells.namespace, cells.capturer)
    assert old is not live and old.n == 1 and live.n == 3
    again = Cells(tmp_path, run="again")
    again.go(state)
    again.check(f"{check} and {more}")
    again.check("k.g() == 2 == m.n and m.L == [1, 2]")
    again.close()
