"""Containers that somebody outside the notebook holds: the right one takes the old content."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cells import Cells

THING = """
class Thing:
    def __init__(s): s.n = 0
    def add(s):
        s.n += 1
        return s.n
"""
MADE_THERE = """
del a
made = [{} for _ in range(500)]
a = next((one for one in made if id(one) == held[0]), made[0])
held.append(a)
del made
"""


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[Cells]:
    made = Cells(tmp_path)
    yield made
    made.close()
    vars(builtins).pop("held", None)


@pytest.mark.parametrize(
    ("make", "change", "check"),
    [
        ("a = [1]; held = [a]", "a.append(2)", "held[0] is a and a == [1]"),
        ("a = [1]; b = [2]; held = [a, b]", "a, b = b, a; a.append(3)", "held == [[1], [2]]"),
        ("a = {1: [2]}; held = [a]", "c = a; del a; c.clear()", "held[0] is a and a == {1: [2]}"),
        ("a = [1]; held = []", "a = [5]; held.append(a)", "held == [[5]] and a == [1]"),
        (
            "a = [1]; b = {'k': a}; held = [a]",
            "a.append(2); b['z'] = 5",
            """
            held[0] is a and b == {'k': [1]} and b['k'] is a""",
        ),
        (
            "a = [1]; b = {'k': a}; held = [a, b]",
            "a.append(2); b['z'] = 5",
            """
            held[0] is a and held[1] is b and b == {'k': [1]} and b['k'] is a""",
        ),
        (
            "a = [1]; a.append(a); held = [a]",
            "a.append(2)",
            """
            held[0] is a and len(a) == 2 and a[1] is a""",
        ),
        (
            THING + "a = Thing(); held = [a.add]",
            "a.add(); a.n",
            """
            held[0].__self__ is a and a.n == 0 and held[0]() == 1 == a.n""",
        ),
        (
            THING + "a = Thing(); b = Thing(); a.b = b; b.a = [a]; held = [a, b]",
            "b.n = a.n = 3",
            """
            held == [a, b] and a.b is b and b.a[0] is a and a.n == b.n == 0""",
        ),
        (
            THING + "a = Thing(); c = (lambda v: lambda: v)(a); Thing.last = a; held = [a]",
            "a.n = 5",
            "held[0] is a and c() is a and Thing.last is a and a.n == 0",
        ),
        (
            THING + "a = Thing(); t = (a,); d = {a: 1}; held = [a]",
            "a.n = 5",
            "t[0] is a and list(d)[0] is a and a.n == 0",
        ),
        (
            THING + "import weakref; a = Thing(); w = weakref.ref(a); held = [a]",
            "a.n = 5",
            "w() is a and a.n == 0",
        ),
        (
            "a = [1]; t = (a, 5); u = ((a,), [(a, 2)]); a.append(t); held = [a]",
            "a.append(2)",
            "held[0] is a and a == [1, t] and t[0] is u[0][0] is u[1][0][0] is a",
        ),
        (
            "import functools; a = [1]; p = functools.partial(len, a); held = [a]\n"
            "def f(x=a): return x\nq = functools.partial(f, x=a)",
            "a.append(2)",
            "held[0] is a and a == [1] and p.args[0] is f() is q() is a and p() == 1",
        ),
        (
            "class C:\n def __call__(s): return s.n\n"
            "import functools, types; a = C(); a.n = 1; p = functools.partial(a); held = [a]\n"
            "m = types.MethodType(lambda s: s, a)",
            "a.n = 2",
            "held[0] is a and p() == a.n == 1 and p.func is a and m() is a",
        ),
        (
            "import collections; a = [1]; d = {(1, 2): (a,)}; q = collections.deque([(a,)]);"
            " held = [a]",
            "a.append(2)",
            "held[0] is a and a == [1] and d[1, 2][0] is a and q[0][0] is a",
        ),
        ("a = {1}; held = [a]", "old = a; a = {2}; held.append(a)", "held == [{1}, {2}]"),
        (
            "a = [open]; held = []",
            "a = None; b = []; held.append(b); b.append('log')",
            "held == [['log']] and held[0] is not a",
        ),
        ("a = [1]; held = [a]", "b = a; a = [5]; b.append(2)", "held[0] is a and a == [1]"),
        (
            "import random\nclass R(random.Random): pass\na = R(3); held = []; then = a.getstate()",
            "a.random()",
            "a.getstate() == then",
        ),
    ],
)
def test_the_container_of_then_takes_its_content(
    cells: Cells, make: str, change: str, check: str
) -> None:
    """What was `a` then is `a` again, whatever it is called now; another's list is left alone."""
    hold = "\nimport builtins; builtins.held = held; del held"
    state = cells.run(make + hold)
    cells.run("z = 1")
    later = cells.run(change)
    cells.go(state)
    cells.check(check.strip())
    cells.run("z = 2")
    cells.go(later)
    cells.go(state)
    cells.check("a")


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ("a[5] = 3", "held[0] is a and a[5] == 0"),
        ("a = np.ones(9_000); held.append(a)", "(held[0][0], held[1][0], a[0]) == (0, 1, 0)"),
        ("a, b = b, a", "(held[0][0], a[0], b[0]) == (0, 0, 1)"),
        ("a[5] = 3; held.append(b); b = a * 2", "(held[0][5], held[1][5], b[5]) == (0, 1, 1)"),
    ],
)
def test_the_array_of_then_takes_its_content(cells: Cells, change: str, check: str) -> None:
    """Its memory is changed where it lies; that of another one under its name is left alone."""
    hold = "import builtins; builtins.held = held = [a]; del held"
    state = cells.run(f"import numpy as np; a, b = np.zeros(9_000), np.ones(9_000)\n{hold}")
    cells.run("z = 1")
    later = cells.run(f"import builtins; held = builtins.held\n{change}\ndel held")
    cells.go(state)
    cells.check(check)
    cells.run("z = 2")
    cells.go(later)
    cells.go(state)
    cells.check("a[5] == 0 and b[5] == 1")


def test_a_move_that_was_taken_back_forgets_nobody_outside(cells: Cells) -> None:
    """What was filled before it is filled after it."""
    first = cells.run("x = 0")
    then = cells.run("import builtins; a = [1]; builtins.held = a")
    cells.run("a.append(2)")
    moved = cells.prepare(first)
    moved.swap()
    assert moved.take_back() is not None
    cells.check("builtins.held is a and a == [1, 2]")
    cells.go(then)
    cells.check("builtins.held is a and a == [1]")


def test_an_array_made_where_the_one_of_then_had_lain_is_left_alone(cells: Cells) -> None:
    """Its place is the same, it is another one: who holds it outside keeps what was put in it."""
    cells.run("import numpy as np, builtins; builtins.held = []")
    state = cells.run("a = np.zeros(3_000); held.append(id(a))")
    cells.run(MADE_THERE.format("np.ones(3_000)"))
    cells.go(state)
    cells.check("a.sum() == 0 and held[1].sum() == 3_000")


def test_an_object_made_where_the_one_of_then_had_lain_is_left_alone(cells: Cells) -> None:
    """Under the same name, in the same cell in which that one went."""
    cells.run("import builtins; builtins.held = []\nclass T:\n def __init__(s, n): s.n = n")
    state = cells.run("a = T(1); held.append(id(a))")
    cells.run(MADE_THERE.format("T(2)"))
    cells.go(state)
    cells.check("a.n == 1 and held[1].n == 2")
