"""What cannot be kept, and is alive: a restore in the same kernel leaves it alive."""

from __future__ import annotations

import builtins
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_rewind.kernels.capture import CaptureOptions
from jupyter_rewind.kernels.timeline import Timeline
from jupyter_rewind.model.snapshot import Fidelity
from tests.support.cells import Cells
from tests.support.timelines import opened_timeline, run_in


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[Cells]:
    made = Cells(tmp_path)
    yield made
    made.close()
    vars(builtins).pop("unplugged", None)


@pytest.mark.parametrize(
    ("make", "check"),
    [
        ("import sqlite3; x = sqlite3.connect(':memory:')", "box['x'].execute('select 1')"),
        ("x = (i for i in range(9)); next(x)", "next(box['x']) == 1"),
        ("import tempfile; x = tempfile.TemporaryFile()", "box['x'].write(b'1') == 1"),
        ("import socket; x, y = socket.socketpair()", "y.send(b'1') and box['x'].recv(1) == b'1'"),
        ("import hashlib; x = hashlib.sha256(b'a')", "box['x'].hexdigest()"),
        ("import subprocess; x = subprocess.Popen(['true'])", "box['x'].wait() == 0"),
    ],
)
def test_a_living_thing_stays_alive(cells: Cells, make: str, check: str) -> None:
    """What shares a box with a connection comes back; the connection is still the very one."""
    state = cells.run(make + "\nbox = {'x': x, 'list': [1]}; same = id(x)")
    cells.run("box['list'].append(2); box['more'] = x")
    moved = cells.prepare(state)
    moved.swap()
    cells.check("box['list'] == [1] and box['x'] is x and id(x) == same and 'more' not in box")
    cells.check(check)
    assert not [one for one in moved.report if one.fidelity is Fidelity.MISSING]
    cells.run("del x, box")
    cells.go(state)


def test_a_thing_that_is_gone_is_told(cells: Cells) -> None:
    """A generator that I deleted stands there as a placeholder that says so."""
    state = cells.run("g = (i for i in range(9))")
    cells.run("del g")
    moved = cells.prepare(state)
    moved.swap()
    cells.check("'it cannot be kept' in repr(g)")
    assert [one.fidelity for one in moved.report if one.name == "g"] == [Fidelity.MISSING]


def test_another_thing_of_the_same_kind_is_not_taken_for_it(cells: Cells) -> None:
    """A new generator under the same name is not the one that was there."""
    state = cells.run("g = (i for i in range(9)); kept = [g]")
    cells.run("g = (i for i in range(5)); kept.append(g)")
    cells.go(state)
    cells.check("g is kept[0] and len(kept) == 1 and list(g) == list(range(9))")


BREAKS = """
import builtins
class Breaks:
    def __init__(self): self.own = [1]
    def __setstate__(self, state):
        if hasattr(builtins, 'unplugged'): raise OSError('the plug is out')
        self.__dict__.update(state)
"""


def test_a_living_value_is_not_replaced_by_a_failure(cells: Cells) -> None:
    """Where a value does not load, mine stays what it is, and I'm told; the rest comes back."""
    state = cells.run(BREAKS + "x = Breaks(); other = [1]; held = {'x': x, 'n': 1}")
    cells.run("x.own.append(2); other.append(2); builtins.unplugged = True; gone = 1")
    cells.run("same = x")
    moved = cells.prepare(state)
    moved.swap()
    cells.check("type(x) is Breaks and x.own == [1, 2] and other == [1] and held['x'] is x")
    told = next(one for one in moved.report if one.name == "x")
    assert told.fidelity is Fidelity.MISSING
    assert "the plug is out" in told.reason
    assert "stays what it is now" in told.reason


def test_what_was_too_large_is_told_as_left_and_why(tmp_path: Path) -> None:
    """It has changed, though its state is the same: it is not said to be as it was."""
    cells = Cells(tmp_path, options=CaptureOptions(budget_share=None, max_variable_bytes=1000))
    state = cells.run("x = [str(n) for n in range(5000)]; other = [1]")
    cells.run("x[4000] = 'changed'; other.append(2)")
    moved = cells.prepare(state)
    moved.swap()
    cells.check("x[4000] == 'changed' and other == [1]")
    told = next(one for one in moved.report if one.name == "x")
    assert told.left_alive
    assert not told.changed
    assert "stays what it is now: it is larger than the limit" in told.reason
    cells.close()


def test_in_a_new_kernel_a_failure_is_a_placeholder(cells: Cells, tmp_path: Path) -> None:
    """Where nothing lives, what does not load says why."""
    state = cells.run(BREAKS + "x = Breaks(); other = [1]; builtins.unplugged = 1")
    again = Cells(tmp_path, run="again")
    again.go(state)
    again.check("other == [1] and 'the plug is out' in repr(x)")
    again.close()


@pytest.fixture
def timeline(tmp_path: Path) -> Iterator[Timeline]:
    with opened_timeline(tmp_path) as made:
        yield made
    vars(builtins).pop("unplugged", None)


def test_undo_brings_back_the_very_objects(timeline: Timeline) -> None:
    """Where nothing has changed since, undo leaves no trace: the same objects, the same contents,
    and also what could not have been loaded."""
    first = run_in(timeline, "x = [1]; old = 1")
    run_in(
        timeline, BREAKS + "x = {'g': (i for i in range(3)), 'b': Breaks()}; x['b'].x = x; del old"
    )
    run_in(timeline, "y = [x, 5]; builtins.unplugged = True; import random; random.seed(5)")
    space = timeline.namespace
    before = {name: id(value) for name, value in space.items()}
    chance = random.getstate()
    timeline.go_to(first)
    random.random()
    assert "y" not in space
    assert space["x"] == [1]
    moved = timeline.undo()
    assert {name: id(value) for name, value in space.items()} == before
    assert chance == random.getstate()
    assert not [one for one in moved.report if one.fidelity is Fidelity.MISSING]
    run_in(timeline, "assert next(x['g']) == 0; x['b'].own.append(3)")
    timeline.redo()
    assert space["x"] == [1]


def test_undo_after_a_change_brings_back_the_state_that_was_kept(timeline: Timeline) -> None:
    """Where a cell has changed what came back, undo still gives what was there before the move."""
    first = run_in(timeline, "x = [1]")
    run_in(timeline, "x.append(2); y = x")
    timeline.go_to(first)
    run_in(timeline, "x.append(7); z = 1")
    timeline.undo()
    space = timeline.namespace
    assert space["x"] == [1, 2]
    assert space["y"] is space["x"]
    assert "z" not in space


def test_undo_brings_back_the_state_also_of_what_others_have_changed_since(
    timeline: Timeline,
) -> None:
    """A library that holds my list has written into it while I was elsewhere."""
    first = run_in(timeline, "import builtins; x = 1")
    run_in(timeline, "a = [1]; b = [a]; builtins.unplugged = a; c = [2]")
    space = timeline.namespace
    same = space["c"]
    timeline.go_to(first)
    run_in(timeline, "builtins.unplugged.append(9)")
    timeline.undo()
    assert space["a"] == [1]
    assert space["b"] == [[1]]
    assert space["b"][0] is space["a"] is vars(builtins)["unplugged"]
    assert space["c"] is same
    timeline.redo()
    assert space["x"] == 1
    assert "a" not in space


def test_what_came_back_is_the_users_alone(cells: Cells) -> None:
    """What I let go after a restore is gone: nothing of Rewind's holds it."""
    state = cells.run("import weakref\nclass C: pass\nx = C(); x.own = [1]; r = weakref.ref(x)")
    cells.run("x.own.append(2)")
    cells.go(state)
    cells.check("r() is x and x.own == [1]")
    cells.check("globals().pop('x') and r() is None")


@pytest.mark.parametrize("make", ["[]", "{}", "set()", "Thing()", "np.arange(8.)", "[[1], 2]"])
def test_names_that_were_exchanged_after_a_move_are_two_objects(cells: Cells, make: str) -> None:
    """What is as it was under one name is not also what another name had before."""
    first = cells.run(f"import copy, numpy as np\nclass Thing: pass\na, e = {make}, 'text'")
    state = cells.run("e = copy.deepcopy(a)")
    cells.go(first)
    cells.run("a, e = e, a")
    cells.go(state)
    cells.check("a is not e and type(a) is type(e)")
    cells.run("e = [a] if type(a) is not list else a + [1]")
    cells.go(state)
    cells.check("a is not e and type(a) is type(e)")


@pytest.mark.parametrize(
    ("make", "check"),
    [
        ("import threading; x = type(threading.Lock())", "x is type(threading.Lock())"),
        ("import csv, io; x = type(csv.writer(io.StringIO()))", "x.__name__ == 'writer'"),
    ],
)
def test_a_class_of_c_is_no_class_of_the_notebook(cells: Cells, make: str, check: str) -> None:
    """No module need name it; a move leaves it what it is, and brings back the rest."""
    state = cells.run(f"{make}\nclass T: n = 1\nk = 3")
    cells.run("same = x; del x; T.n = 2; k = 4")
    cells.go(state)
    cells.check(f"(T.n, k) == (1, 3) and {check}")


def test_a_move_that_fails_puts_back_all_that_can_be_put_back(cells: Cells) -> None:
    """One thing that refuses to be put back keeps nothing else from it, and is told."""
    state = cells.run("import numpy as np\na = np.zeros(9_000)\nclass T: n = 1\nk = 3")
    cells.run("a[5] = 1; T.n = 2; k = 4")
    moved = cells.prepare(state)

    def stuck(_: object) -> Callable[[], None]:
        def put_back() -> None:
            raise OSError("stuck")

        return put_back

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jupyter_rewind.kernels.restore.as_it_was", stuck)
        patch.setattr("jupyter_rewind.kernels.names.put_in_order", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError) as raised:
            moved.swap()
    cells.check("(a[5], k) == (1, 4)")
    assert raised.value.__notes__ == ["Something was not put back: OSError: stuck"]
