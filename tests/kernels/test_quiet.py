"""Instances of classes that answer for themselves, or say to be what they are not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.kernels.comparison import report
from jupyter_rewind.model.snapshot import Fidelity
from tests.support.cells import Cells

SAYS_INT = """
class E:
    __class__ = property(lambda s: int)
    def __init__(s): s.v = [1]
value = E(); also = [value]
"""
PROXY = """
class Proxy:
    def __init__(s, o): object.__setattr__(s, '_o', o)
    def __getattribute__(s, n): return getattr(object.__getattribute__(s, '_o'), n)
    def __setattr__(s, n, v): setattr(object.__getattribute__(s, '_o'), n, v)
held = [1]; value = Proxy(held)
"""
SLOTTED = """
class S:
    __slots__ = ('a', '_b', 'gone')
    __class__ = property(lambda s: dict)
class T(S):
    __slots__ = ('__dict__', '__own')
    def __init__(s): s.a, s._b, s.__own, s.free = [1], s, [2], [3]
    def own(s): return s.__own
value = T(); held = value.a
"""
REFUSING = """
class M(type):
    def __getattribute__(c, n): raise RuntimeError('no ' + n)
class A(metaclass=M): pass
a = object.__new__(A); x = [1]
"""


WATCHED = """
class M(type):
    def __setattr__(c, n, v): told.append(n); super().__setattr__(n, v)
class Frozen(type):
    def __setattr__(c, n, v): raise TypeError('frozen')
told = []
class A(metaclass=M):
    __slots__ = ('a', '__own', '__dict__', '__weakref__')
    def __init__(s): s.a, s.__own, s.free = [1], [2], [3]
    def own(s): return s.__own
class B(metaclass=Frozen): pass
a, b = A(), B(); b.v = [4]
"""


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[Cells]:
    made = Cells(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("make", "change", "check"),
    [
        (SAYS_INT, "value.v.append(2)", "value.v == [1] and also[0] is value and type(value) is E"),
        (
            PROXY,
            "value.append(3)",
            "held == [1] and object.__getattribute__(value, '_o') is held and type(value) is Proxy",
        ),
        (
            SLOTTED,
            "value.a.append(5); value.free = 0",
            "value.a == [1] and value.a is held and value._b is value and value.own() == [2]"
            " and value.free == [3] and type(value) is T and not hasattr(value, 'gone')",
        ),
        (
            "from unittest import mock; value = mock.Mock(spec=list); value.append(1); also = [1]",
            "value.append(2); also.append(value)",
            "value.append.call_count == 1 and isinstance(value, list) and also == [1]",
        ),
    ],
    ids=["says to be an int", "passes everything on", "slots", "a mock of a list"],
)  # fmt: skip
def test_what_pretends_to_be_something_else_comes_back(
    cells: Cells, tmp_path: Path, make: str, change: str, check: str
) -> None:
    """An object that says to be of another class, or hands everything on to another, comes back as
    what it is, with what it had, here and in a new kernel."""
    state = cells.run(make)
    assert {one.fidelity for one in report(cells.store, state) if one.name == "value"} == {
        Fidelity.EXACT
    }
    cells.run(change)
    cells.go(state)
    cells.check(check)
    again = Cells(tmp_path, run="again")
    again.go(state)
    again.check(check)
    again.close()


def test_a_class_that_refuses_every_question_costs_itself_alone(cells: Cells) -> None:
    """Where even asking a value for its class fails, everything else comes back all the same."""
    state = cells.run(REFUSING)
    cells.run("x.append(2)")
    cells.go(state)
    cells.check("x == [1] and type(a) is A")
    told = {one.name: one for one in report(cells.store, state)}
    assert told["x"].fidelity is Fidelity.EXACT
    assert told["A"].fidelity is Fidelity.MISSING
    assert "rebuild" not in told["A"].type_name


def test_a_class_that_watches_what_is_set_in_it_sees_nothing(cells: Cells) -> None:
    """Keeping an instance sets nothing through the class's own class, which may print or refuse;
    slots and attributes are kept."""
    first = cells.run(WATCHED)
    cells.check("told == []")
    cells.run("a.a, a.free, b.v = 1, 2, 3")
    cells.go(first)
    cells.check("told == [] and a.a == [1] and a.own() == [2] and a.free == [3] and b.v == [4]")


SUPER = """
class A:
    def f(s): return [s]
class B(A):
    def f(s): return 'B'
    def __init__(s): s.n, s.up = [1], super()
b = B(); up = b.up; other = super(B, b); free = super(B); x = 1
"""


def test_a_super_answers_for_the_same_object(cells: Cells) -> None:
    """Also one that its own object holds, and one of no object."""
    first = cells.run(SUPER)
    assert {one.fidelity for one in report(cells.store, first)} == {Fidelity.EXACT}
    cells.run("del b, up, other, free; x = 2")
    cells.go(first)
    cells.check("b.up is up and up.f()[0] is b and other.f()[0] is b and b.n == [1]")
    cells.check("type(other) is super and other.__thisclass__ is B and other.__self__ is b")
    cells.check("free.__self__ is None and free.__thisclass__ is B")
