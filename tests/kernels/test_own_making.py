"""Instances of classes whose `__new__` is the notebook's, or a library's."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_rewind.kernels.comparison import report
from jupyter_rewind.kernels.origins import library_folders
from tests.support.cells import Cells

pytestmark = pytest.mark.matrix


UNIT = """class Unit:
    known = {}
    def __new__(cls, name):
        if name not in cls.known: cls.known[name] = object.__new__(cls)
        cls.known[name].name = name
        return cls.known[name]
kg = Unit('kg'); data = {'unit': kg, 'rows': [1, 2, 3]}"""
FIRST = """class One:
    made = None
    def __new__(cls, name='first'):
        one = object.__new__(cls); one.name = name
        cls.made = cls.made or one
        return cls.made if name == 'first' else one
a, b = One(), One('second')"""
CACHING = """class C:
    def __new__(cls):
        one = object.__new__(cls); one.cache = {}; one.x = 0
        return one
    def __getstate__(self): return {'x': self.x}
class S:
    def __new__(cls, n=1):
        one = object.__new__(cls); one.n, one.memo = n, []
        return one
    def __setstate__(self, state): self.n = state['n']
c, s = C(), S(5)"""
SLOTTED = """class P:
    __slots__ = ('x', 'y')
    def __new__(cls, x, y):
        one = super().__new__(cls); one.x, one.y = x, y
        return one
class Q(P):
    def __getstate__(self): return [self.x, self.y]
    def __setstate__(self, state): self.x, self.y = state
p, q = P(1, [2]), Q(3, [4])"""


@pytest.mark.parametrize(
    ("make", "change", "holds"),
    [
        (
            UNIT,
            "data['rows'].append(4); kg.name = 'g'",
            "data == {'unit': kg, 'rows': [1, 2, 3]} and kg.name == 'kg' and Unit('kg') is kg"
            " and list(Unit.known) == ['kg']",
        ),
        (
            FIRST,
            "a.name = 'later'; b.name = 'later'",
            "(a.name, b.name) == ('first', 'second') and One.made is a is One() and b is not a",
        ),
        (
            CACHING,
            "c.x = 4; s.n = 4",
            "(c.x, c.cache, s.n, s.memo) == (0, {}, 5, [])",
        ),
        (
            SLOTTED,
            "p.x = q.x = 0; p.y.append(1)",
            "(p.x, p.y, q.x, q.y) == (1, [2], 3, [4]) and type(q) is Q",
        ),
    ],
)
def test_an_object_whose_class_makes_it_in_its_own_way_comes_back(
    cells: Cells, next_cells: Cells, make: str, change: str, holds: str
) -> None:
    """What `__new__` wants, or does, is not asked again: the object is made without it."""
    state = cells.run(make)
    cells.check(holds)
    assert [one.reason for one in report(cells.store, state) if one.reason] == []
    cells.run(change)
    for each in (cells, next_cells):
        prepared = each.prepare(state)
        assert [one.reason for one in prepared.report if one.reason] == []
        prepared.swap()
        each.check(holds)


LIBRARY = """
class Counted:
    made = []
    def __new__(cls, *_, name='it'): cls.made.append(1); return object.__new__(cls)
class Asking:
    def __new__(cls, name): return object.__new__(cls)
"""


def test_what_a_library_does_when_it_makes_an_object_is_done_again(
    cells: Cells,
    next_cells: Cells,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """It may count on that, as pickle does it; where it wants arguments, it cannot be done."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "rewind_counts.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(str(folder))
    library_folders.cache_clear()
    request.addfinalizer(library_folders.cache_clear)
    state = cells.run("import rewind_counts as r; a, b = r.Counted(), r.Asking('x'); b.y = [1]")
    before = list(cells.namespace["r"].Counted.made)
    next_cells.go(state)
    next_cells.check("type(a) is r.Counted and type(b) is r.Asking and b.y == [1]")
    assert len(next_cells.namespace["r"].Counted.made) > len(before)
