"""Objects that do something when they go away: no restore makes them do it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.kernels.onevariable import load_variable
from jupyter_rewind.model.snapshot import Fidelity
from tests.support.cells import Cells

CLASS = """
import gc
class Closing:
    def __init__(self, kept=None):
        self.log = []
        self.n = 0
        self.kept = kept
    def __del__(self):
        rewind_gone.append(self.n)
"""


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What went away, outside of every state."""
    found: list[object] = []
    monkeypatch.setattr("builtins.rewind_gone", found, raising=False)
    return found


@pytest.fixture
def cells(tmp_path: Path, gone: list[object]) -> Iterator[Cells]:
    found = Cells(tmp_path)
    yield found
    found.close()
    found.namespace.clear()
    gc.collect()


@pytest.mark.parametrize("change", ["a.n = 1", "a.log.append(1)", "a.more = 1", "del a.log"])
def test_an_object_with_del_lives_on_and_is_what_it_was(
    cells: Cells, gone: list[object], change: str
) -> None:
    """What its `__del__` would close or delete belongs to the living one."""
    first = cells.run(CLASS + "a = Closing(iter([1, 2, 3]))\nwhere = id(a)")
    cells.run("it = a.kept")
    cells.run(change)
    cells.go(first)
    cells.run("x = 1")
    cells.run("x = 2\ngc.collect()")
    assert gone == []
    cells.check("id(a) == where and (a.n, a.log, next(a.kept)) == (0, [], 1)")
    cells.check("set(vars(a)) == {'log', 'n', 'kept'}")


def test_undo_gives_the_object_back_what_it_had(cells: Cells, gone: list[object]) -> None:
    first = cells.run(CLASS + "a = Closing()\nlog = a.log")
    cells.run("a.n = 1; a.log.append(1); a.extra = log")
    moved = cells.prepare(first)
    moved.swap()
    cells.check("(a.n, log, hasattr(a, 'extra')) == (0, [], False) and a.log is log")
    assert moved.take_back() is not None
    cells.check("(a.n, log) == (1, [1]) and a.extra is log and a.log is log")
    assert gone == []


def test_all_that_refers_to_it_refers_to_the_living_one(cells: Cells, gone: list[object]) -> None:
    first = cells.run(CLASS + "a = Closing(); held = (a, {'a': a}, [a]); d = {a: 1}")
    cells.run("a.n = 5; held[2].append(2)")
    cells.go(first)
    cells.check("held[0] is a and held[1]['a'] is a and held[2] == [a] and list(d) == [a]")
    cells.check("a.n == 0 and d[a] == 1")
    cells.run("gc.collect()")
    assert gone == []


def test_one_with_slots_is_what_it_was(cells: Cells, gone: list[object]) -> None:
    first = cells.run(
        "class Slotted:\n    __slots__ = ('n', 'more')\n"
        "    def __del__(self): rewind_gone.append(1)\n"
        "a = Slotted(); a.n = 1; where = id(a)"
    )
    cells.run("a.n = 2; a.more = 3")
    cells.go(first)
    cells.run("x = 1")
    cells.check("a.n == 1 and not hasattr(a, 'more') and id(a) == where")
    assert gone == []


def test_what_cannot_be_filled_stays_and_is_named(cells: Cells, gone: list[object]) -> None:
    first = cells.run(
        "class Rows(list):\n    def __del__(self): rewind_gone.append(1)\na = Rows([1])"
    )
    cells.run("a.append(2)")
    prepared = cells.prepare(first)
    (told,) = [one for one in prepared.report if one.name == "a"]
    assert told.fidelity is Fidelity.MISSING and "stays what it is" in told.reason
    prepared.swap()
    cells.run("x = 1")
    cells.check("a == [1, 2]")
    assert gone == []


def test_one_that_is_gone_is_made_again(cells: Cells, gone: list[object]) -> None:
    first = cells.run(CLASS + "a = Closing(); a.n = 7")
    cells.run("del a")
    assert gone == [7]
    cells.go(first)
    cells.run("x = 1")
    cells.check("a.n == 7")
    assert gone == [7]
    cells.run("a.n = 8")
    cells.run("del a")
    assert gone == [7, 8]


def test_a_new_process_has_the_object_once(
    tmp_path: Path, cells: Cells, gone: list[object]
) -> None:
    first = cells.run(CLASS + "a = Closing(); a.n = 7; rows = [a, a]")
    cells.capturer.flush()
    other = Cells(tmp_path, run="other")
    other.go(first)
    other.check("a.n == 7 and rows[0] is rows[1] is a")
    again = other.run("a.n = 9")
    other.run("a.n = 10")
    other.go(again)
    other.run("x = 1")
    other.check("a.n == 9")
    assert gone == []
    other.close()
    other.namespace.clear()


def test_one_variable_alone_goes_away_in_silence(cells: Cells, gone: list[object]) -> None:
    """It is a copy beside the living one, whose folder or file it would take away."""
    first = cells.run(CLASS + "a = Closing()")
    cells.run("a.n = 4")
    cells.store.refresh()
    made = load_variable(cells.store, first, "a", cells.namespace, cells.capturer)
    assert made.n == 0 and isinstance(made, cells.namespace["Closing"])
    del made
    assert gone == []


def test_a_restore_that_fails_leaves_nothing_to_go_away(
    cells: Cells, gone: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cells.run(CLASS + "a = Closing(); b = [1]")
    cells.run("del a")
    gone.clear()
    prepared = cells.prepare(first)
    monkeypatch.setattr(type(prepared), "_set_names", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        prepared.swap()
    del prepared
    cells.run("gc.collect()")
    assert gone == []
    cells.check("'a' not in globals()")


def test_code_that_runs_while_values_are_built_has_a_copy_that_is_let_go_in_silence(
    cells: Cells, gone: list[object]
) -> None:
    first = cells.run(
        CLASS
        + "a = Closing()\n"
        + "class Asks:\n"
        + "    def __init__(self): self.n = 1\n"
        + "    def __getstate__(self): return {'n': self.n}\n"
        + "    def __setstate__(self, state): self.n = state['n'] + a.n\n"
        + "asks = Asks()"
    )
    cells.run("a.n = 5; asks.n = 3")
    cells.go(first)
    cells.run("x = 1")
    cells.check("(asks.n, a.n) == (1, 0)")
    assert gone == []


def test_what_weakref_finalize_was_given_is_not_run(cells: Cells, gone: list[object]) -> None:
    first = cells.run(
        "import weakref, builtins\n"
        "class Folder:\n    pass\n"
        "a = Folder(); a.n = 0\n"
        "a.end = weakref.finalize(a, builtins.rewind_gone.append, 'gone')"
    )
    cells.run("a.n = 1")
    cells.go(first)
    cells.run("x = 1")
    assert gone == []
    cells.check("a.n == 0 and a.end.alive")


def test_many_objects_with_del_cost_nothing_where_nothing_changed(
    cells: Cells, gone: list[object]
) -> None:
    cells.run(CLASS + "rows = [Closing() for _ in range(3000)]")
    cells.run("rows[0].n = 1")
    first = cells.run("rows[1].n = 1")
    done = cells.try_run("rows[1].n = 1")
    assert done.changed == 0
    cells.run("rows[1].n = 2")
    cells.go(first)
    cells.check("[one.n for one in rows[:3]] == [1, 1, 0]")
    cells.run("x = 1")
    assert gone == []
