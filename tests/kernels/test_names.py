"""The names of a namespace: their order, names that are no text; and loggers, known by name."""

from __future__ import annotations

import logging
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_rewind.kernels.comparison import report
from jupyter_rewind.kernels.names import NameOrder, put_in_order
from tests.support.cells import Cells


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[Cells]:
    made = Cells(tmp_path)
    yield made
    made.close()


def names_of(cells: Cells) -> list[Any]:
    return [name for name in cells.namespace if name not in ("__name__", "_oh", "_ih")]


def test_variables_come_back_in_the_order_in_which_they_were(cells: Cells, tmp_path: Path) -> None:
    """In place and in a new kernel, whatever was bound, deleted and bound again."""
    states = []
    sources = ("b = 1; a = [2]; c = 3", "del b; b = 1", "z = a; del a", "a = [1]; x = len", "del x")
    for source in sources:
        states.append((cells.run(source), [*names_of(cells)]))
    for snapshot, names in [*states, *reversed(states)]:
        cells.go(snapshot)
        assert [name for name in names_of(cells) if name != "__builtins__"] == [
            name for name in names if name != "__builtins__"
        ]
    for number, (snapshot, names) in enumerate(states):
        again = Cells(tmp_path, run=f"again-{number}")
        again.go(snapshot)
        assert names_of(again) == [name for name in names if name != "__builtins__"]
        again.close()


def test_names_that_are_no_text_come_back(cells: Cells, tmp_path: Path) -> None:
    """Whatever a dictionary takes for a key; shared with variables like any value."""
    then = cells.run("x = [1]; globals()[5] = x; globals()[(1, 'a')] = [3]")
    cells.run("globals()[5] = 'y'; x.append(2); globals()[None] = 1; del globals()[(1, 'a')]")
    cells.go(then)
    cells.check("globals()[5] is x == [1] and globals()[(1, 'a')] == [3] and None not in globals()")
    again = Cells(tmp_path, run="again")
    again.go(then)
    again.check("globals()[5] is x == [1] and globals()[(1, 'a')] == [3]")
    again.close()


def test_a_name_of_a_class_of_text_is_a_variable(cells: Cells, tmp_path: Path) -> None:
    """It is found by its text, and so are its states."""
    then = cells.run("class S(str): pass\nglobals()[S('q')] = [1]; x = [1]")
    cells.run("q.append(2)")
    cells.go(then)
    cells.check("q == [1] and x == [1]")
    again = Cells(tmp_path, run="again")
    again.go(then)
    again.check("q == [1] and x == [1]")
    again.close()


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["set", "delete"]), st.integers(0, 6)), max_size=12),
    st.lists(st.integers(0, 20), unique=True, max_size=3),
)
def test_the_order_that_is_read_bit_by_bit_is_that_of_the_names(
    steps: list[tuple[str, int]], looks: list[int]
) -> None:
    """However the names change between two looks; and it can be set from any other order."""
    namespace: dict[str, int] = {}
    order, before = NameOrder(), list[str]()
    for number, (step, which) in enumerate(steps):
        if step == "set":
            namespace[f"n{which}"] = number
        else:
            namespace.pop(f"n{which}", None)
        if number in looks:
            continue
        names = list(namespace)
        is_new = names[: len(before)] != before
        assert order.read(names, is_new, lambda name: name != "n3") == [
            name for name in names if name != "n3"
        ]
        before = names
    wanted = sorted(namespace)
    content = dict(namespace)
    put_in_order(namespace, wanted)
    assert list(namespace) == wanted and namespace == content


def test_a_logger_has_its_level_again_and_says_what_it_has_not(cells: Cells) -> None:
    """The logger is the process's; while a state is only built, it is left alone."""
    name = "rewind.test.logger"
    then = cells.run(f"import logging\nlg = logging.getLogger({name!r}); lg.setLevel(10); x = [1]")
    cells.run("lg.setLevel(50); lg.addHandler(logging.NullHandler()); x.append(1)")
    live = logging.getLogger(name)
    prepared = cells.prepare(then)
    assert live.level == 50
    prepared.swap()
    cells.check("lg.level == 10 and x == [1]")
    assert cells.namespace["lg"] is live
    cells.store.refresh()
    told = {one.name: one.reason for one in report(cells.store, cells.run("y = 1"))}
    assert "with the level it had" in told["lg"] and "handlers are not kept" in told["lg"]


def test_a_none_that_was_not_there_goes(cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    """With or without the module that a cell may go back with, which stays."""
    before = cells.run("kept = None")
    for module in (None, types.ModuleType("jupyter_rewind.kernel")):
        monkeypatch.delitem(sys.modules, "jupyter_rewind.kernel", raising=False)
        if module is not None:
            monkeypatch.setitem(sys.modules, module.__name__, module)
        cells.run("later = None; import sys; ours = sys.modules.get('jupyter_rewind.kernel')")
        cells.go(before)
        cells.check("kept is None and 'later' not in vars() and 'sys' not in vars()")
        assert cells.namespace.get("ours", before) is (module or before)


def test_a_file_of_the_users_own_is_a_variable(cells: Cells, tmp_path: Path) -> None:
    """Notebooks set `__file__` for code that asks where it stands."""
    before = cells.run("x = 1")
    state = cells.run("__file__ = '/work/analysis.py'")
    cells.run("__file__ = '/work/other.py'")
    cells.go(state)
    cells.check("__file__ == '/work/analysis.py'")
    assert "__file__" in {one.name for one in report(cells.store, state)}
    cells.go(before)
    cells.check("'__file__' not in vars()")
    following = Cells(tmp_path, run="next")
    following.go(state)
    following.check("__file__ == '/work/analysis.py'")
    following.close()
