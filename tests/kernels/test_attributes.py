"""Attributes of an object that are held apart from it, too."""

from __future__ import annotations

import gc

import pytest

from jupyter_rewind.kernels.comparison import report
from jupyter_rewind.model.snapshot import Fidelity
from tests.support.cells import Cells

pytestmark = pytest.mark.matrix


EXACT = {Fidelity.EXACT, Fidelity.REFERENCE}
MAKE = "class A: pass\na = A(); a.x = [1]; d = vars(a); e = a.__dict__"


@pytest.mark.parametrize(
    ("make", "holds"),
    [
        (MAKE, "d is vars(a) and e is d and d == {'x': [1]} and type(a) is A"),
        ("class A: pass\nz = A(); z.x = 1; d = vars(z)\n", "d is vars(z) and d == {'x': 1}"),
        (
            "class A: __slots__ = ('q', '__dict__')\na = A(); a.q = 1; a.z = 2; d = a.__dict__",
            "d is a.__dict__ and (d, a.q, a.z) == ({'z': 2}, 1, 2)",
        ),
        (
            "from functools import *\np = partial(print, 1); p.x = [1]; d = vars(p); q = [p, d]",
            "d is vars(p) and p.x is d['x'] == [1] and q[0] is p and q[1] is d",
        ),
        (
            "from functools import *\np = partial(len, 'a'); p.x = d = [1]",
            "p() == 1 and p.x == [1] and d is p.x",
        ),
        ("class A: pass\nl = [A()]; l[0].x = l; d = vars(l[0])", "d is vars(l[0]) and d['x'] is l"),
        (
            "class A: pass\na = A(); a.me = vars(a); d = [0, {'k': vars(a)}]",
            "a.me is vars(a) is d[1]['k'] and len(d[1]['k']) == 1",
        ),
        (
            "class A:\n def __getattr__(self, name): return name\na = A(); a.x = 1; d = [vars(a)]",
            "d[0] is vars(a) and a.x == 1 and a.y == 'y'",
        ),
        (
            "class A:\n def __hash__(self): return self.n\n def __eq__(self, o): return self is o\n"
            "a = A(); a.n = 3; a.s = {a}; d = vars(a)",
            "d is vars(a) and a in d['s'] and d['n'] == 3",
        ),
        (
            "class A: pass\nl = [A() for _ in range(3000)]\nfor n, one in enumerate(l): one.n = n\n"
            "d = vars(l[2000])",
            "d is vars(l[2000]) and l[2000].n == 2000 == d['n']",
        ),
    ],
)
def test_attributes_held_in_a_variable_are_those_of_their_object(
    cells: Cells, next_cells: Cells, make: str, holds: str
) -> None:
    """`d = vars(a)` is `vars(a)` again: in the same kernel and in a new one."""
    state = cells.run(make)
    cells.check(holds)
    assert [one.reason for one in report(cells.store, state) if one.reason] == []
    cells.run("d.clear(); n = 1")
    cells.go(state)
    cells.check(holds)
    next_cells.go(state)
    next_cells.check(holds)


def test_changes_of_either_are_changes_of_both_after_going_back(cells: Cells) -> None:
    """The object and what holds its attributes stay one through moves to and fro."""
    first = cells.run(MAKE)
    second = cells.run("a.x.append(2); d['y'] = 3")
    third = cells.run("d = e = dict(d)")
    for state, holds in (
        (first, "d is vars(a) and a.x == [1] and e is d"),
        (third, "d is not vars(a) and d == vars(a) == {'x': [1, 2], 'y': 3}"),
        (second, "d is vars(a) and a.y == 3 and a.x == [1, 2]"),
        (first, "d is vars(a) and not hasattr(a, 'y')"),
    ):
        cells.go(state)
        cells.check(holds)


def test_attributes_of_what_is_pickled_its_own_way_are_told(
    cells: Cells, next_cells: Cells
) -> None:
    """Where a class says how its objects are pickled, what holds the attributes of one comes back
    with a dict of its own, and the report says where."""
    state = cells.run(
        "class A:\n def __setstate__(self, state): self.__dict__.update(state)\n"
        "a = A(); a.x = 1; l = [0, vars(a)]; other = {'x': 1}"
    )
    found = {one.name: one for one in report(cells.store, state)}
    assert found["l"].fidelity is Fidelity.REBUILT
    assert found["l"].reason.startswith("l[1]: the attributes of an object of A, held")
    assert found["a"].fidelity is found["other"].fidelity is Fidelity.EXACT
    next_cells.go(state)
    next_cells.check("l[1] is not vars(a) and l[1] == vars(a) == {'x': 1}")


@pytest.mark.parametrize("more", ["", "; import gc; gc.callbacks.append(held)"])
def test_one_of_many_is_found(cells: Cells, next_cells: Cells, more: str) -> None:
    """Among thousands of objects, the one whose attributes a list holds is found, whether somebody
    outside holds them all or not."""
    make = "class A: n = 0\nmany = [A() for _ in range(5000)]\nfor one in many: one.n += 1"
    state = cells.run(
        f"{make}\ndef held(*_, many=many): pass{more}\nl = ('a', {{'k': many[4000].__dict__}})"
    )
    gc.callbacks[:] = [one for one in gc.callbacks if one is not cells.namespace["held"]]
    cells.namespace.pop("gc", None)
    assert {one.fidelity for one in report(cells.store, state)} <= EXACT
    next_cells.go(state)
    next_cells.check("l[1]['k'] is vars(many[4000]) and l[1]['k'] == {'n': 1}")


def test_dicts_with_several_names_are_no_attributes(cells: Cells) -> None:
    """Objects beside dicts that have many holders are exact."""
    make = "class A: pass\na = A(); a.x = d = {'k': 1}; b = d; l = [d, d, a]"
    state = cells.run(make + "; byid = {1: a}; again = byid")
    assert {one.fidelity for one in report(cells.store, state)} == {Fidelity.EXACT}
    cells.run("d['k'] = 2")
    cells.go(state)
    cells.check("a.x is d is b is l[0] is l[1] and d == {'k': 1} and again is byid")


@pytest.mark.parametrize(
    "make",
    [
        "import pandas as pd\nx = pd.DataFrame({'d': pd.date_range('2020', periods=5)})\n"
        "y = x[x.d > '2020-01-02']",
        "import sympy\nx = sympy.Function('f'); y = x.default_assumptions",
    ],
)
def test_a_class_that_tells_its_attributes_among_others_holds_no_others(
    cells: Cells, next_cells: Cells, make: str
) -> None:
    """Dates of pandas, functions of sympy: the tuple that pickle is told is nobody's, and all is
    exact."""
    state = cells.run(make)
    names = {one.name: one.fidelity for one in report(cells.store, state)}
    assert names["x"] is names["y"] is Fidelity.EXACT
    next_cells.go(state)
    next_cells.check("x is not None and y is not None")


def test_attributes_told_among_others_are_held_where_they_are(
    cells: Cells, next_cells: Cells
) -> None:
    """The same, where a variable does hold the attributes: the report says so."""
    state = cells.run(
        "import pandas as pd\nx = pd.DataFrame({'d': pd.date_range('2020', periods=5)})\n"
        "y = x.d.array; d = (vars(y),)"
    )
    found = {one.name: one for one in report(cells.store, state)}
    assert found["d"].reason.startswith("d[0]: the attributes of an object of pandas")


def test_a_partial_without_attributes_is_given_none(cells: Cells) -> None:
    """Python makes one of two that are put into each other, unless the inner one has attributes."""
    cells.run(
        "from functools import partial\nheld, more = [partial(print, [1])], [partial(print, [2])]"
    )
    cells.run("outer = partial(held[0])")
    cells.run("other = partial(more[0])")
    cells.check("outer.func is other.func is print")


def test_a_dict_of_a_partial_that_is_empty_is_its_own_again(cells: Cells) -> None:
    cells.run("from functools import partial\np = partial(print); d = vars(p)")
    state = cells.run("d.clear()")
    cells.run("p.x = 1")
    cells.go(state)
    cells.check("vars(p) is d == {}")
