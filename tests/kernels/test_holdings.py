"""Values that the notebook and a module of the user's own both hold."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.kernels.comparison import report
from jupyter_rewind.kernels.holdings import MOST, find_held
from jupyter_rewind.model.snapshot import Fidelity, Snapshot
from tests.support.cells import Cells

pytestmark = pytest.mark.matrix
MINE = """
import collections, logging, os, threading
CACHE = {}
STATE = {'list': [1], 'n': 1}
WORDS = ('a', 'b')
LOG = logging.getLogger('mine')
class Shop:
    doors = []
    @classmethod
    def get(cls):
        cls.one = vars(cls).get('one') or cls()
        return cls.one
def add(one, to=[], *, more=[]): add.calls.append(one); return to
add.calls = []
def counting(start=()):
    held = list(start)
    def count(): held.append(1); return held
    return count
count = counting()
SHOP = Shop()
SHOP.goods = []
NOTHING = Shop()
def put(key, value): CACHE[key] = value
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = "mine_of_tests"
    (tmp_path / f"{name}.py").write_text(MINE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield name
    sys.modules.pop(name, None)


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[Cells]:
    made = Cells(tmp_path)
    yield made
    made.close()


def told(cells: Cells, state: Snapshot) -> dict[str, str]:
    """The reasons of what is not exact."""
    found = report(cells.store, state)
    return {one.name: one.reason for one in found if one.fidelity is Fidelity.REBUILT}


@pytest.mark.parametrize(
    ("cell", "name", "reason"),
    [
        ("from mine import CACHE; CACHE['a'] = [1]", "CACHE", "mine.CACHE"),
        ("import mine; x = mine.STATE['list']", "x", "mine.STATE"),
        ("import mine; x = [0, {'k': mine.CACHE}]", "x", "x[1]['k']: mine.CACHE"),
        ("import mine; x = mine.SHOP", "x", "mine.SHOP"),
        ("import mine; x = mine.SHOP.goods", "x", "mine.SHOP"),
        ("import mine\nclass A: goods = mine.SHOP.goods", "A", "A.goods: mine.SHOP"),
        ("import mine; row = [1]; mine.put('row', row)", "row", "mine.CACHE"),
        ("import sys; x = sys.path", "x", "sys.path"),
        ("import mine; x = mine.Shop.get()", "x", "mine.Shop"),
        ("import mine; x = {'doors': mine.Shop.doors}", "x", "x['doors']: mine.Shop"),
        ("import mine; x = mine.add(1)", "x", "mine.add"),
        ("import mine; x = mine.add.__kwdefaults__['more']", "x", "mine.add"),
        ("import mine; x = mine.add.calls", "x", "mine.add"),
        ("import mine; x = mine.count()", "x", "mine.count"),
    ],
)
def test_what_a_module_holds_too_is_told_as_apart_from_it(
    cells: Cells, module: str, cell: str, name: str, reason: str
) -> None:
    """What my module holds as well as my notebook is one of its own in a new kernel; the report
    says so, and what the module calls it."""
    state = cells.run(cell.replace("mine", module))
    words = f"{reason} leads to it as well: in a new kernel the two are apart"
    assert told(cells, state) == {name: words.replace("mine", module)}


def test_what_only_one_of_them_holds_is_exact(cells: Cells, module: str) -> None:
    """Constants, loggers, copies, classes and functions of a module of mine are as they are."""
    state = cells.run(
        f"from {module} import WORDS, LOG, Shop, put, os; import {module} as mine\n"
        "x = dict(mine.STATE); y = [1]; shop = Shop(); t = (mine.WORDS, mine.put, mine.Shop)\n"
        "n = mine.STATE['n']; e = os.environ; c = mine.collections.Counter()"
    )
    assert told(cells, state) == {"x": f"x['list']: {module}.STATE leads to it as well: in a new"
                                  " kernel the two are apart"}  # fmt: skip


def test_a_module_made_by_hand_is_kept_with_what_it_holds(cells: Cells) -> None:
    """What a module holds that a cell made is the same in a new kernel, so nothing is said."""
    state = cells.run(
        "import sys, types\nmade = types.ModuleType('made_of_tests'); made.rows = rows = [1]\n"
        "sys.modules['made_of_tests'] = made"
    )
    sys.modules.pop("made_of_tests")
    assert told(cells, state) == {}
    new = Cells(cells.store.layout.folder.parent, run="next")
    try:
        new.go(state)
        new.check("made.rows is rows and rows == [1]")
    finally:
        new.close()
        sys.modules.pop("made_of_tests", None)


def test_going_back_in_the_same_kernel_keeps_them_one(cells: Cells, module: str) -> None:
    """In the kernel that still runs, what my module holds as well is filled, not replaced, and
    what has not changed is not said to be rebuilt."""
    before = cells.run(f"from {module} import CACHE, STATE; import {module} as mine; CACHE[1] = 2")
    cells.run("CACHE[1] = 3")
    prepared = cells.prepare(before)
    fidelity = {one.name: one.fidelity for one in prepared.report}
    assert fidelity["STATE"] is Fidelity.EXACT
    prepared.swap()
    cells.check("CACHE is mine.CACHE and CACHE == {1: 2} and STATE is mine.STATE")


def test_an_object_of_a_module_keeps_its_attributes(
    tmp_path: Path, cells: Cells, module: str
) -> None:
    """What a cell wrote into an object of my module comes back: into the very object in the same
    kernel, with the notebook's own in a new one. One that holds nothing stays the module's."""
    state = cells.run(
        f"from {module} import SHOP, Shop, NOTHING; import {module} as mine\nSHOP.goods = ['a']"
    )
    cells.run("SHOP.goods.append('b'); SHOP.open = True")
    cells.go(state)
    cells.check("SHOP is mine.SHOP and SHOP.goods == ['a'] and not hasattr(SHOP, 'open')")
    new = Cells(tmp_path, run="next")
    try:
        new.go(state)
        new.check("type(SHOP) is Shop and SHOP.goods == ['a'] and NOTHING is mine.NOTHING")
    finally:
        new.close()


def test_a_module_that_holds_the_notebook_holds_no_variable(cells: Cells, module: str) -> None:
    """A module of mine that keeps the shell, or the notebook's own names, is not said to hold
    every variable."""
    state = cells.run(
        f"import {module} as mine, types\nrows = [1]; held = rows\n"
        "mine.names = globals(); mine.shell = types.SimpleNamespace(user_ns=globals())"
    )
    assert told(cells, state) == {}


def test_looking_at_modules_has_an_end(module: str) -> None:
    """A module that holds very much does not hold up each cell; what is near is still known."""
    made = __import__(module)
    made.MANY = [[n] for n in range(3 * MOST)]
    found = find_held(())
    assert found[id(made.MANY)] == f"{module}.MANY"
    assert found[id(made.CACHE)] == f"{module}.CACHE"
    assert len(found) < 2 * MOST
