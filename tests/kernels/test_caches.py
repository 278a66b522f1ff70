"""Caches of functions: a living one never answers with what belongs to another state."""

from __future__ import annotations

import pytest

from jupyter_rewind.model.snapshot import Fidelity
from tests.support.cells import Cells


@pytest.mark.parametrize(
    ("make", "change", "check"),
    [
        (
            "factor = 2\n@functools.lru_cache\ndef f(x): return x * factor\nf(3)",
            "factor = 5; f.cache_clear(); f(3)",
            "f(3) == 6",
        ),
        (
            "class C:\n n = 2\n @functools.cache\n def f(self): return self.n\nc = C(); c.f()",
            "C.n = 7; C.f.cache_clear(); c.f()",
            "c.f() == 2",
        ),
        (
            "@functools.cache\ndef rows(): return [0]\nrows()",
            "rows().append(2)",
            "rows() == [0]",
        ),
        (
            "@functools.lru_cache(8, typed=True)\ndef f(x, y=0): return x\nf(1, y=2); f(1.5)",
            "f.cache_clear(); f(1, y=2); f(2.5)",
            "f.cache_info().currsize == 0",
        ),
    ],
)
def test_a_cache_answers_with_nothing_of_later_cells(
    cells: Cells, make: str, change: str, check: str
) -> None:
    """Going back in place; as many results, but others."""
    then = cells.run(f"import functools\n{make}")
    later = cells.run(change)
    cells.go(then)
    cells.check(check)
    cells.go(later)


def test_a_cache_that_holds_the_same_stays_as_it_is(cells: Cells) -> None:
    """Where all of it are plain values, what was worked out need not be worked out again."""
    calls = "calls = []\n@functools.cache\ndef f(x, *more, **named):\n calls.append(x)\n return x"
    cells.run(f"import functools\n{calls}\nf(3); f('a', 1, b=(2, None))")
    then = cells.run("z = 1")
    cells.run("z = 2")
    move = cells.prepare(then)
    move.swap()
    cells.check("f(3) == 3 and f('a', 1, b=(2, None)) == 'a' and len(calls) == 2 and z == 1")
    assert {one.name: one.fidelity for one in move.report}["f"] is Fidelity.EXACT
