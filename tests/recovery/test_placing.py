"""Cells of which only the code tells where they stand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind.recovery.placing import place_by_need
from jupyter_rewind.recovery.slots import Slot
from tests.support.evidence import document, rebuilt_of, session, sources_of


def old(source: str, at: int) -> Slot:
    return Slot(source, origin=at)


def new(source: str) -> Slot:
    return Slot(source, born=0, ran=1)


def placed(*slots: Slot) -> list[str]:
    cells = list(slots)
    place_by_need(cells)
    return [cell.source for cell in cells]


def test_new_cell_stands_below_what_it_needs() -> None:
    """A new cell that uses what only a cell below it defines goes behind that one."""
    user, helper = new("answer(solve(3))"), new("def solve(n):\n    return n")
    assert placed(old("a = 1", 0), user, helper) == ["a = 1", helper.source, user.source]


def test_new_cell_stands_above_what_needs_it() -> None:
    """A new cell that a cell above it cannot do without goes before that one."""
    user, helper = old("print(solve(3))", 1), new("def solve(n):\n    return n")
    assert placed(old("a = 1", 0), user, helper) == ["a = 1", helper.source, user.source]


def test_function_may_use_what_comes_later() -> None:
    """What a function uses only when it is called moves nothing."""
    user, helper = new("def late():\n    return solve(3)"), new("def solve(n):\n    return n")
    assert placed(user, helper) == [user.source, helper.source]


def test_cells_that_need_each_other_stay() -> None:
    """Where each of two needs the other, their order tells nothing."""
    one, other = new("a = b"), new("b = a")
    assert placed(one, other) == ["a = b", "b = a"]


sources = st.lists(
    st.builds(lambda a, b: f"{a} = {b} + 1", *[st.sampled_from("pqrstuv")] * 2), max_size=9
)


@given(sources, st.lists(st.booleans(), min_size=9, max_size=9))
def test_cells_of_the_document_keep_their_order(texts: list[str], kept: list[bool]) -> None:
    """Nothing is lost or doubled, and what the document has stays in its order."""
    cells = [
        old(text, at) if is_old else new(text)
        for at, (text, is_old) in enumerate(zip(texts, kept, strict=False))
    ]
    before = list(cells)
    place_by_need(cells)
    assert sorted(map(id, cells)) == sorted(map(id, before))
    assert [c for c in cells if c.origin is not None] == [c for c in before if c.origin is not None]


def test_rebuilt_notebook_defines_before_it_uses() -> None:
    """You tried a call first and wrote its function then: the notebook has them in order."""
    book = ["rows = read('rows.csv')", "rows = rows.dropna()", "prices = rows.pivot('price')"]
    call = "totals = summarise(rows, by='year')\ntotals.plot(kind='bar', stacked=True)"
    helper = "def summarise(table, by):\n    return table.groupby(by).sum()"
    rebuilt = rebuilt_of([document(*book)], [session(2, [*book, call, helper])])
    assert sources_of(rebuilt) == [*book, helper, call]
