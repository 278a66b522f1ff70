"""NaN is found by identity: the same one has to come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cells import Cells


@pytest.mark.parametrize(
    ("make", "check"),
    [
        ("d = {np.nan: 1, 'a': np.nan}", "d[np.nan] == 1 and d['a'] is np.nan"),
        ("n = float('nan'); d = {n: 1}; s = {n, 2}; x = [n]", "d[n] == 1 and n in s and n in x"),
        ("d = {math.nan: 1, np.nan: 2}", "(d[math.nan], d[np.nan], len(d)) == (1, 2, 2)"),
        ("x = [1.5, np.nan, [np.nan]]", "x[1] is np.nan and x[2][0] is np.nan and x[0] == 1.5"),
        (
            "x = struct.unpack('<d', bytes([1, 2, 3, 4, 5, 6, 0xf8, 0x7f]))[0]; y = [x]",
            "struct.pack('<d', x)[:3] == b'\\1\\2\\3' and y[0] is x",
        ),
        (
            "x = pd.DataFrame({'o': ['a', np.nan, None], 'f': [1., np.nan, 2.]})",
            "x.o.isna().tolist() == [False, True, True] and x.f.isna().sum() == 1",
        ),
        (
            "class C:\n def __init__(s): s.rows = [np.nan, 2]\n"
            " def __getstate__(s): return {'rows': s.rows}\n"
            " def __setstate__(s, d): s.rows = list(d['rows']); s.n = len(s.rows)\n"
            "x = C(); y = x.rows",
            "len(x.rows) == 2 and x.rows[1] == 2",
        ),
        (
            "n = float('nan')\ndef make(d={n: 1}): return lambda: d[n]\nx = make()",
            "x() == 1",
        ),
        (
            "class C:\n def __init__(s, v): s.v = v; s.w = {v: [v]}; s.n = 5\n"
            "n = float('nan'); x = C(n); y = [C(math.nan), C(1.5)]",
            "x.v != x.v and x.n == 5 and x.w[n][0] is n and vars(y[0]).keys() == vars(x).keys()"
            " and (y[1].v, y[1].n) == (1.5, 5)",
        ),
        (
            "import dataclasses, types\n@dataclasses.dataclass\nclass C:\n v: float = np.nan\n"
            " k: int = 2\nx = C(); y = types.SimpleNamespace(v=np.nan, k=2); s = vars(x)",
            "(x.k, y.k) == (2, 2) and x.v != x.v and y.v != y.v and s is vars(x)",
        ),
        (
            "class C(Exception): pass\nx = C('a'); x.v = np.nan; x.k = 2\n"
            "class D(dict): pass\ny = D({1: np.nan}); y.v = np.nan; y.k = 2",
            "(x.k, y.k, list(y)) == (2, 2, [1]) and y.v != y.v and x.v != x.v and x.args == ('a',)",
        ),
    ],
)
def test_a_nan_stays_the_one_it_is(cells: Cells, tmp_path: Path, make: str, check: str) -> None:
    """A key that is NaN is found again: in place, and in a new kernel."""
    state = cells.run("import math, struct, numpy as np, pandas as pd\n" + make)
    cells.check(check)
    cells.run("n = d = s = x = y = None")
    cells.go(state)
    cells.check(check)
    again = Cells(tmp_path, run="again")
    again.go(state)
    again.check(check)
    again.close()


def test_objects_of_a_column_are_told_once(cells: Cells) -> None:
    """A column of text with gaps takes no more than without them."""
    cells.run("import numpy as np, pandas as pd")
    make = "pd.DataFrame({'o': [f'{i * 7919 % 99991}' for i in range(40_000)]}, dtype=object)"
    plain = cells.run(f"x = {make}")
    gaps = cells.run(f"x = None; y = {make}; y.loc[5, 'o'] = np.nan; y['p'] = [*y.o][::-1]")
    assert gaps.new_bytes < 2.4 * plain.new_bytes


@pytest.mark.parametrize(
    ("make", "rest"),
    [
        ("iter(rows)", "[2, 3]"),
        ("reversed(rows)", "[2, nan]"),
        ("enumerate(rows)", "[(1, 2), (2, 3)]"),
        ("zip(rows, rows)", "[(2, 2), (3, 3)]"),
        ("itertools.chain(rows, [4])", "[2, 3, 4]"),
        ("map(abs, rows)", "[2, 3]"),
        ("iter({nan: 1, 2: 2, 3: 3})", "[2, 3]"),
    ],
)
def test_what_runs_over_a_nan_goes_on_where_it_was(
    cells: Cells, tmp_path: Path, make: str, rest: str
) -> None:
    """Half-way through a list that holds one, in place and in a new kernel."""
    cells.run(f"import itertools, numpy as np\nnan = np.nan; rows = [nan, 2, 3]; x = {make}")
    state = cells.run("first = next(x)")
    cells.run("del x")
    again = Cells(tmp_path, run="again")
    for one in (cells, again):
        one.go(state)
        one.check(f"list(x) == {rest}")
    again.close()


def test_a_property_in_the_place_of_attributes_is_not_asked(cells: Cells) -> None:
    """It may raise anything, in the pod of a NaN as well."""
    state = cells.run(
        "class C:\n    @property\n    def __dict__(self): raise RuntimeError('is not asked')\n"
        "x = [C(), float('nan'), {'k': float('nan')}]"
    )
    cells.run("x.append(1)")
    cells.go(state)
    cells.check("len(x) == 3 and x[1] != x[1]")
