"""Attributes of classes under names that their metaclass has, too."""

from __future__ import annotations

import pytest

from jupyter_rewind.kernels.comparison import report
from jupyter_rewind.model.snapshot import Fidelity
from tests.support.cells import Cells

pytestmark = pytest.mark.matrix


PROXY = """class A:
    def __init__(self, of): object.__setattr__(self, '_of', of)
    @property
    def __class__(self): return type(self._of)
    def __getattr__(self, name): return getattr(self._of, name)
a = A([1])"""
NAMED = """class A:
    @property
    def __name__(self): return 'mine'
    @property
    def __bases__(self): return ()
    @property
    def __mro__(self): return 'of its own'
a = A()"""
DESCRIBED = """class D:
    def __get__(self, made, kind): return self.held[0]
class A: __name__ = D(); other = 1
A.__dict__['__name__'].held = [5]; a = A()"""
ANSWERED = """class M(type):
    @property
    def x(cls): raise RuntimeError('is not asked')
class A(metaclass=M): x = [7]
a = A()"""


@pytest.mark.parametrize(
    ("make", "holds"),
    [
        (PROXY, "a.__class__ is list and isinstance(a, list) and type(a) is A and a.index(1) == 0"),
        (NAMED, "(a.__name__, a.__bases__, a.__mro__) == ('mine', (), 'of its own')"),
        ("class A: __name__ = 'x'\na = A()", "a.__name__ == 'x' and A.__name__ == 'A'"),
        (DESCRIBED, "a.__name__ == 5 and A.__name__ == 'A'"),
        (ANSWERED, "vars(A)['x'] == [7]"),
    ],
)
def test_what_a_class_gives_its_instances_comes_back_under_any_name(
    cells: Cells, next_cells: Cells, make: str, holds: str
) -> None:
    """A proxy that says to be a list says so in a new kernel, too, which goes from state to state;
    and the other variables come back with it."""
    first = cells.run(make + "\nwork = [1, 2]")
    cells.check(holds)
    assert {one.fidelity for one in report(cells.store, first)} == {Fidelity.EXACT}
    second = cells.run("work.append(3); A.more = 1")
    for each in (cells, next_cells):
        for state, more in ((first, False), (second, True), (first, False)):
            prepared = each.prepare(state)
            assert [one.reason for one in prepared.report if one.reason] == []
            prepared.swap()
            each.check(f"{holds} and hasattr(A, 'more') is {more}")
            each.check(f"work == {[1, 2, 3] if more else [1, 2]}")


def test_a_body_that_changed_is_put_back_and_an_undo_gives_it_again(cells: Cells) -> None:
    """Where the metaclass answers for a name, the class has what it had under it all the same."""
    first = cells.run(ANSWERED)
    body = "next(one for one in gc.get_referents(vars(A)) if type(one) is dict)"
    cells.run(f"import gc\n{body}['x'] = 9; {body}['y'] = 1; del gc")
    prepared = cells.prepare(first)
    prepared.swap()
    cells.check("vars(A)['x'] == [7] and 'y' not in vars(A)")
    assert prepared.take_back() is not None
    cells.check("vars(A)['x'] == 9 and vars(A)['y'] == 1")


FRAGILE = """class D:
    def __set_name__(self, owner, name): pass
    def __setstate__(self, state): raise ValueError('not here')
    def __getstate__(self): return {'of': 1}
class A:
    held = D()
    def ask(self): return 1
a = A()"""


def test_a_class_that_does_not_load_whole_is_missing_from_then_on(
    cells: Cells, next_cells: Cells
) -> None:
    """What stands there says that it is missing, in each state that follows; a class that lacks
    half of what it had would be told as if it were whole."""
    state = cells.run(FRAGILE)
    prepared = next_cells.prepare(state)
    assert {one.name for one in prepared.report if one.fidelity is Fidelity.MISSING} == {"A", "a"}
    prepared.swap()
    later = {one.name: one for one in report(next_cells.store, next_cells.run("b = 1"))}
    assert later["A"].fidelity is later["a"].fidelity is Fidelity.MISSING
    assert "not here" in later["a"].reason


def test_an_object_in_a_class_body_is_made_by_its_own_class(
    cells: Cells, next_cells: Cells
) -> None:
    """`__setstate__` of a class that comes later in the alphabet is there when it is needed."""
    state = cells.run(FRAGILE.replace("raise ValueError('not here')", "self.of = [state['of']]"))
    next_cells.go(state)
    next_cells.check("vars(A)['held'].of == [1]")


def test_what_a_class_derives_from_is_not_asked_of_its_own_class(
    cells: Cells, next_cells: Cells
) -> None:
    """It might answer with anything, or refuse."""
    make = """class M(type):
    def __getattribute__(cls, name):
        return 1 / 0 if name == '__mro__' else super().__getattribute__(name)
"""
    state = cells.run(f"{make}class A(metaclass=M): x = [1]\nclass B(A): y = [2]\nb = 1")
    cells.run("b = 2")
    for each in (cells, next_cells):
        prepared = each.prepare(state)
        assert [one.reason for one in prepared.report if one.reason] == []
        prepared.swap()
        each.check("b == 1 and B.y == [2] and B.x is A.x and type(B) is M")
