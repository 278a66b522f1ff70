"""What the variables of the user's own modules hold, back in the same kernel and in a new one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.kernels.capture import CaptureOptions
from jupyter_rewind.kernels.comparison import compare, report
from jupyter_rewind.kernels.environment import Environment
from jupyter_rewind.kernels.tracking import Tracker
from jupyter_rewind.model.snapshot import Fidelity
from tests.support.cells import Cells

pytestmark = pytest.mark.matrix
OPTIONS = CaptureOptions(budget_share=None, max_module_bytes=64 << 20)
MINE = """
import logging, os, threading
from collections import *
from os import environ
from sys import path as where
from taken_of_tests import SHARED
import numpy as np
CACHE = {}
COUNT = 0
ROWS = [[1], [2]]
TABLE = np.arange(4000.)
LOG = logging.getLogger('mine')
LOCK = threading.Lock()
KINDS = {'one': lambda: 1}
class Shop: pass
SHOP = Shop()
def put(key, value, into=CACHE): into[key] = value
def count():
    global COUNT
    COUNT += 1
def by_name(name, value): globals()[name] = value
"""
TAKEN = "SHARED = [0]\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the modules `mine_of_tests` and `taken_of_tests` lie."""
    (tmp_path / "mine_of_tests.py").write_text(MINE)
    (tmp_path / "taken_of_tests.py").write_text(TAKEN)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    forget()


def forget() -> None:
    """As in a new process: nobody has imported them."""
    for name in [one for one in sys.modules if one.partition(".")[0].endswith("_of_tests")]:
        del sys.modules[name]


def make(folder: Path, **more: Any) -> Cells:
    given = {"options": OPTIONS, "tracker": Tracker(), "environment": Environment(), **more}
    return Cells(folder, **given)


@pytest.fixture
def cells(folder: Path) -> Iterator[Cells]:
    made = make(folder)
    yield made
    close(made)


def close(cells: Cells) -> None:
    tracker: Any = cells.capturer._tracker
    tracker.close()
    cells.close()


@pytest.fixture
def new(cells: Cells, folder: Path) -> Iterator[Cells]:
    """A kernel that begins when it is first used, after the other one ended."""
    forget()
    made = make(folder, run="next", tracker=None)
    yield made
    made.close()


START = "import mine_of_tests as mine; mine.CACHE['a'] = [1]"
EDITS = [
    "mine.CACHE['a'].append(2)",
    "mine.put('b', 3)",
    "mine.count()",
    "mine.COUNT = 'text'",
    "mine.ROWS[0].append(mine.ROWS[1])",
    "mine.TABLE[7] = -1",
    "mine.TABLE = mine.TABLE[::2]",
    "mine.SHOP.goods = ['apple']",
    "mine.added = {1, 2}",
    "del mine.ROWS",
    "mine.by_name('ROWS', 'others')",
    "setattr(mine, 'RO' + 'WS', 5)",
    "held = [mine]; held[0].ROWS.append(3)",
    "vars(mine)['CACHE'][1] = 1",
    "from mine_of_tests import CACHE as c; c['c'] = c",
    "import taken_of_tests; taken_of_tests.SHARED.append(1)",
    "import operator; operator.attrgetter('CACHE.update')(mine)({'d': 4})",
]
LOOK = (
    "(mine.CACHE, mine.COUNT, getattr(mine, 'ROWS', 'gone'), mine.TABLE.tolist(),"
    " vars(mine.SHOP), getattr(mine, 'added', 'gone'), mine.SHARED)"
)


def look(cells: Cells) -> str:
    return repr(eval(LOOK, cells.namespace))


@pytest.mark.parametrize("edit", EDITS)
def test_what_a_cell_changes_in_a_module_goes_back_and_forth(
    cells: Cells, folder: Path, edit: str
) -> None:
    """Whatever a cell changed in my module is undone by going back, and is there again when I go
    forth, in this kernel or in a new one. What comes between does not hide it."""
    before = cells.run(START)
    read = look(cells)
    cells.run("unrelated = 1")
    after = cells.run(edit)
    changed = look(cells)
    assert changed != read
    last = cells.run("unrelated = 2")
    cells.go(before)
    assert look(cells) == read
    cells.go(after)
    assert look(cells) == changed
    forget()
    other = make(folder, run="next", tracker=None)
    try:
        other.go(last)
        assert look(other) == changed
        other.go(before)
        assert look(other) == read
    finally:
        other.close()


def test_everybody_has_the_same_container_after_going_back(cells: Cells, new: Cells) -> None:
    """The dict that my module, its functions, another module and my notebook share is one after a
    restore, in this kernel and in a new one."""
    state = cells.run(
        START + "\nfrom mine_of_tests import CACHE\nimport taken_of_tests as taken\n"
        "taken.SHARED.append(CACHE)"
    )
    cells.run("CACHE.clear(); taken.SHARED.clear(); mine.CACHE = {}")
    for one in (cells, new):
        if one is new:
            forget()
        one.go(state)
        one.check("CACHE is mine.CACHE is taken.SHARED[1] and taken.SHARED is mine.SHARED")
        one.check("mine.put('z', 26) is None and CACHE == {'a': [1], 'z': 26}")


def test_what_is_no_data_or_a_librarys_is_left_alone(cells: Cells) -> None:
    """Functions, classes, loggers, locks and what my module took from libraries are not kept; the
    report says which variables of mine are not."""
    state = cells.run(START)
    keys = {key for pod in cells.capturer.pods() for key in (*pod.keys, *pod.names)}
    of_mine = {key.rpartition(":")[2] for key in keys if key.startswith("m:mine_of_tests:")}
    assert of_mine == {
        *("", "CACHE", "COUNT", "ROWS", "TABLE", "SHOP", "KINDS", "SHARED"),
    }
    told = {one.name: one for one in report(cells.store, state)}
    assert told["mine"].reason.endswith("imported again; its variables are what they were")
    kinds = told["mine_of_tests.KINDS"]
    assert kinds.fidelity is Fidelity.MISSING
    assert "functions or classes that are not the notebook's" in kinds.reason
    assert set(told) == {"mine", "mine_of_tests.KINDS"}
    lock, kinds_now = eval("(mine.LOCK, mine.KINDS)", cells.namespace)
    cells.run("mine.COUNT = 9")
    cells.go(state)
    assert eval("(mine.LOCK, mine.KINDS)", cells.namespace) == (lock, kinds_now)
    cells.check("mine.COUNT == 0 and mine.environ is mine.os.environ")


def test_a_function_of_the_notebook_in_a_module_comes_back(cells: Cells, new: Cells) -> None:
    """A callback that a cell registered with my module is there again, and sees my variables."""
    state = cells.run(START + "\nrate = 3\ndef hook(x): return x * rate\nmine.put('hook', hook)")
    cells.run("mine.CACHE.clear()")
    cells.go(state)
    cells.check("mine.CACHE['hook'] is hook")
    forget()
    new.go(state)
    new.check("mine.CACHE['hook'] is hook and hook(2) == 6")


def test_the_difference_of_two_states_names_what_modules_hold(cells: Cells) -> None:
    """`%rewind diff` says `mine.CACHE`; it does not list a module that one of them has not."""
    before = cells.run("x = 1")
    middle = cells.run(START)
    after = cells.run("mine.put(1, 2); mine.count(); mine.new = []")
    assert {one.name for one in compare(cells.store, before, middle)} == {"mine"}
    changes = {one.name: one.how.value for one in compare(cells.store, middle, after)}
    assert changes == {
        "mine_of_tests.CACHE": "changed",
        "mine_of_tests.COUNT": "changed",
        "mine_of_tests.new": "added",
    }


def test_a_state_from_before_a_module_was_loaded_says_that_it_stays(cells: Cells) -> None:
    """Going back to a time before the import leaves the module as it is now, and says so."""
    before = cells.run("x = 1")
    cells.run(START)
    problems = cells.prepare(before).swap()
    assert any("mine_of_tests was loaded after that state" in one for one in problems)
    assert sys.modules["mine_of_tests"].CACHE == {"a": [1]}


def test_a_module_whose_file_has_changed_has_its_code_of_today(
    cells: Cells, new: Cells, folder: Path
) -> None:
    """After I edited the file, a new kernel has today's code, the values of then, and today's new
    variables; it says so."""
    state = cells.run(START)
    file = folder / "mine_of_tests.py"
    file.write_text(MINE.replace("into[key] = value", "into[key] = 'new'") + "\nMORE = [1]\n")
    forget()
    problems = new.prepare(state).swap()
    assert any("file of the module mine_of_tests has changed" in one for one in problems)
    new.check("mine.CACHE == {'a': [1]} and mine.MORE == [1]")
    new.check("mine.put('b', 2) is None and mine.CACHE['b'] == 'new'")


def test_a_module_that_is_gone_costs_itself_alone(cells: Cells, new: Cells, folder: Path) -> None:
    """Without the module's file the rest of the state comes back, and it is said why not more."""
    state = cells.run(
        "import mine_of_tests; mine_of_tests.CACHE[1] = 1; x = [5]; del mine_of_tests"
    )
    (folder / "mine_of_tests.py").unlink()
    forget()
    problems = new.prepare(state).swap()
    assert any("mine_of_tests could not be imported again" in one for one in problems)
    new.check("x == [5]")


def test_a_restore_that_fails_leaves_modules_as_they_were(
    cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the last step of a restore fails, my modules have what they had, too."""
    state = cells.run(START)
    cells.run("mine.CACHE['b'] = 2; mine.COUNT = 5; mine.more = 1; cache = mine.CACHE")
    before = look(cells)
    prepared = cells.prepare(state)
    modules: Any = cells.capturer.modules
    put = modules.put

    def fail(*given: Any) -> None:
        put(*given)
        raise OSError("no")

    monkeypatch.setattr(modules, "put", fail)
    with pytest.raises(OSError, match="no"):
        prepared.swap()
    assert look(cells) == before
    cells.check("cache is mine.CACHE and mine.more == 1")


def test_untouched_variables_of_modules_are_not_told_again(folder: Path) -> None:
    """What my module holds alone costs a cell nothing that does not name it; one that does is
    followed by a look."""
    (folder / "quiet_of_tests.py").write_text(
        "ONE, TWO, THREE = [1], [2], [3]\ndef get(): return ONE\n"
    )
    # Monitoring would report what runs the cells here.
    cells = make(folder, tracker=Tracker(monitor=False))
    try:
        cells.run("import quiet_of_tests as quiet; y = 0")
        cells.run("y = 1")
        least = cells.try_run("y = 2").verified
        assert cells.try_run("y = 3").verified == least
        assert cells.try_run("y = quiet.TWO[0]").verified == least + 1
        assert cells.try_run("y = 10 * len(quiet.TWO + quiet.THREE)").verified == least + 2
    finally:
        close(cells)


def test_a_large_variable_of_a_module_is_not_kept(folder: Path) -> None:
    """What is larger than the setting allows stays what the module makes it; the report says so."""
    cells = make(folder, options=CaptureOptions(budget_share=None, max_module_bytes=1 << 20))
    try:
        state = cells.run(START + "; mine.TABLE = mine.np.zeros(1 << 18)")
        told = {one.name: one.reason for one in report(cells.store, state)}
        assert "larger than the limit of 1 MB" in told["mine_of_tests.TABLE"]
        cells.run("mine.TABLE = 1; mine.COUNT = 1")
        cells.go(state)
        cells.check("mine.TABLE == 1 and mine.COUNT == 0")
    finally:
        close(cells)


def test_a_package_of_very_many_modules_counts_as_a_library(folder: Path) -> None:
    """What I have installed from its source is not mine to take back."""
    package = folder / "many_of_tests"
    package.mkdir()
    names = [f"part{number}" for number in range(65)]
    for name in names:
        (package / f"{name}.py").write_text("HELD = []\n")
    (package / "__init__.py").write_text("".join(f"from . import {name}\n" for name in names))
    cells = make(folder)
    try:
        state = cells.run("import many_of_tests.part3 as part; part.HELD.append(1)")
        cells.run("part.HELD.append(2)")
        cells.go(state)
        cells.check("part.HELD == [1, 2]")
        told = {one.name: one.reason for one in report(cells.store, state)}
        assert "what its own variables hold is not kept" in told["part"]
    finally:
        close(cells)


def test_nothing_is_kept_of_modules_where_the_user_does_not_want_it(folder: Path) -> None:
    """With the setting at 0 my modules are left alone."""
    cells = make(folder, options=CaptureOptions(budget_share=None))
    try:
        state = cells.run(START)
        cells.run("mine.CACHE['b'] = 2")
        cells.go(state)
        cells.check("mine.CACHE == {'a': [1], 'b': 2}")
    finally:
        close(cells)
