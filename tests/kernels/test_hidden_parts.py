"""Values that hold something without telling it: zones of times, comparers, dicts of themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cells import Cells

ZONE = """
import datetime
class Zone(datetime.tzinfo):
    hours = 1
    def utcoffset(s, t): return datetime.timedelta(hours=s.hours)
    def dst(s, t): return None
    def tzname(s, t): return 'here'
"""
KINDS = {
    "a zone of mine": (
        ZONE + "z = Zone(); t = datetime.datetime(2020, 1, 1, tzinfo=z); u = datetime.time(1, 2, 3,"
        " tzinfo=z)",
        "z.hours = 5",
        "t.tzinfo is z and u.tzinfo is z and z.hours == 1 and t.utcoffset().seconds == 3600",
    ),
    "a zone of mine in a list": (
        ZONE + "z = Zone(); t = [datetime.datetime(2020, 1, n + 1, tzinfo=z) for n in range(9)]",
        "z.hours = 5; t.append(1)",
        "all(one.tzinfo is z for one in t) and z.hours == 1 and len(t) == 9",
    ),
    "a zone of mine that nothing names": (
        ZONE + "t = datetime.datetime(2020, 1, 1, tzinfo=Zone())",
        "zone = t.tzinfo; del t\nzone.hours = 5\nt = datetime.datetime(2020, 1, 1, tzinfo=zone)",
        "t.tzinfo.hours == 1",
    ),
    "one dict for all instances": (
        "class Borg:\n    shared = {}\n    def __init__(s): s.__dict__ = s.shared\n"
        "a, b = Borg(), Borg(); a.x = [1]; held = a.x",
        "b.x.append(2); b.y = 3",
        "a.__dict__ is b.__dict__ is Borg.shared and a.x is b.x is held and held == [1]"
        " and vars(a) == {'x': [1]} and Borg().x is held",
    ),
    "a dict that is handed on": (
        "class View:\n    __slots__ = ('__dict__', 'own')\n"
        "    def __init__(s, d): s.__dict__ = d; s.own = d\n"
        "d = {'x': [1]}; v = View(d); w = View(d)",
        "d['y'] = 1; v.x.append(2); w.own = 0",
        "vars(v) is d is vars(w) and v.own is d is w.own and v.x == [1] and not hasattr(v, 'y')",
    ),
    "a comparer": (
        "import functools\nc = functools.cmp_to_key(lambda a, b: b - a); k = c(3)",
        "k = c = 0",
        "sorted([1, 3, 2], key=c) == [3, 2, 1] and k.obj == 3 and k < c(2)",
    ),
    "a dict whose attributes are its entries": (
        "class D(dict):\n    def __init__(s, **k): super().__init__(k); s.__dict__ = s\n"
        "d = D(x=1); d.y = [2]",
        "d.y.append(3); d.w = 1",
        "d.__dict__ is d and d == {'x': 1, 'y': [2]} and d.y is d['y']",
    ),
}


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[Cells]:
    made = Cells(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(("make", "change", "check"), KINDS.values(), ids=KINDS)
def test_what_is_held_in_hiding_comes_back(
    cells: Cells, tmp_path: Path, make: str, change: str, check: str
) -> None:
    """It is the very one that other variables name, and is what it was."""
    state = cells.run(make)
    cells.check(check)
    cells.run(change)
    cells.go(state)
    cells.check(check)
    again = Cells(tmp_path, run="again")
    again.go(state)
    again.check(check)
    again.close()
