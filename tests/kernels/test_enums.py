"""Members of enumerations: there is one of each, also after a restore."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cells import Cells

KINDS = {
    "plain": ("class E(enum.Enum):\n    A = 1\n    B = [2]", "E.A"),
    "number": ("class E(enum.IntEnum):\n    A = 1\n    B = 2", "E.A"),
    "text": ("class E(enum.StrEnum):\n    A = 'a'\n    B = 'b'", "E.A"),
    "mixed": ("class E(float, enum.Enum):\n    A = 1.5\n    B = 2.5", "E.A"),
    "flags": ("class E(enum.Flag):\n    A = 1\n    B = 2", "E.A | E.B"),
    "flags that are numbers": ("class E(enum.IntFlag):\n    A = 1\n    B = 2", "E.A | E.B"),
    "flags with unknown bits": ("class E(enum.IntFlag):\n    A = 1\n    B = 2", "E.A | 64"),
    "alias": ("class E(enum.IntEnum):\n    A = 1\n    B = 2\n    C = 1", "E.C"),
    "a function": (
        "class E(enum.Enum):\n    @enum.member\n    def A(): return 1\n    B = 2",
        "E.A",
    ),
    "flags that keep what they are given": (
        "class E(enum.Flag, boundary=enum.KEEP):\n    A = 1\n    B = 2",
        "E(9)",
    ),
    "refuses pickle": (
        "class E(int, enum.Enum):\n    A = 1\n    B = 2\n"
        "    def __reduce_ex__(self, _): raise TypeError",
        "E.A",
    ),
}


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[Cells]:
    made = Cells(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(("make", "member"), KINDS.values(), ids=KINDS)
def test_a_member_is_the_member(cells: Cells, tmp_path: Path, make: str, member: str) -> None:
    """Whoever holds a member, or a combination of flags, holds the one that the class gives."""
    state = cells.run(f"import enum\n{make}\nx = [{member}]; y = {member}; z = {{E.B: y}}")
    check = f"x[0] is y and y is ({member}) and E.B in z and z[E.B] is y and type(y) is E"
    cells.check(check)
    cells.run("x.append(E.A); z.clear()")
    cells.go(state)
    cells.check(f"{check} and len(x) == 1")
    again = Cells(tmp_path, run="again")
    again.go(state)
    again.check(f"{check} and len(x) == 1")
    again.close()


def test_what_the_value_of_a_member_holds_goes_back_too(cells: Cells, tmp_path: Path) -> None:
    """A list that is a member's value is what it was, and the member is found by it."""
    state = cells.run("import enum\nclass E(enum.Enum):\n    A = [1]\n    B = {}\nx = E.A.value")
    later = cells.run("x.append(2); E.B.value['k'] = E.A")
    check = "x == [1] and x is E.A.value and E([1]) is E.A and E.B.value == {}"
    cells.go(state)
    cells.check(check)
    cells.go(later)
    cells.check("E.A.value == [1, 2] and x is E.A.value and E.B.value['k'] is E.A")
    again = Cells(tmp_path, run="again")
    again.go(state)
    again.check(check)
    again.close()


@pytest.mark.parametrize("change", ["E.A.value.append(2)", "a = 5", "E.A.value.clear(); a = [[1]]"])
def test_the_value_of_a_member_is_what_variables_hold(cells: Cells, change: str) -> None:
    """In place and taken back: what is added to the one is added to the other."""
    state = cells.run("import enum\nclass E(enum.Enum):\n    A = [1]\na = [E.A.value]")
    cells.run(f"now = E.A.value\n{change}")
    moved = cells.prepare(state)
    moved.swap()
    cells.check("a[0] is E.A.value and a == [[1]] and E([1]) is E.A")
    assert moved.take_back() is not None
    cells.check("E.A.value is now and (a == 5 or len(a) == 1)")
    cells.go(state)
    cells.run("a[0].append(4)")
    cells.check("E([1, 4]) is E.A and E._unhashable_values_[-1] is E.A.value")


_VALUES = [
    (
        "class E(enum.Enum):\n    A = (1, [2])\n    B = collections.deque([3])",
        "E.A.value[1].append(9); E.B.value.append(9)",
        "E.A.value == (1, [2]) and E((1, [2])) is E.A and list(E.B.value) == [3]"
        " and E(collections.deque([3])) is E.B",
    ),
    (
        "class E(enum.Enum):\n    A = [1]\n    B = (1, {})\n    C = []\n"
        "E.A.value.append(E.B); E.B.value[1]['all'] = [E, E.A]",
        "E.A.value.pop(); E.B.value[1].clear()",
        "E.A.value[1:] == [E.B] and E.B.value[1] == {'all': [E, E.A]} and E(E.A.value) is E.A"
        " and [one.name for one in E] == ['A', 'B', 'C'] and E([]) is E.C",
    ),
    (
        "class T: pass\nclass E(enum.Enum):\n    A = T()\nx = [E.A.value]; x[0].y = 1",
        "x[0].y = 2",
        "x[0].y == 1 and E.A.value is x[0] and E(x[0]) is E.A",
    ),
    (
        "class B(enum.Enum):\n    def __init__(self, one, more): self.more = more\n"
        "class E(B):\n    A = (1, [2])",
        "E.A.more.append(9)",
        "E.A.more == [2] and E.A.value[1] is E.A.more",
    ),
]


@pytest.mark.parametrize(("make", "change", "check"), _VALUES)
def test_a_value_that_leads_to_what_changes_is_what_it_was(
    cells: Cells, tmp_path: Path, make: str, change: str, check: str
) -> None:
    """Tuples, other containers and objects; also one that leads to its own class."""
    state = cells.run(f"import collections, enum\n{make}\nlast = E.A.value")
    cells.check(check)
    cells.run(change)
    moved = cells.prepare(state)
    moved.swap()
    cells.check(f"{check} and last is E.A.value")
    assert moved.take_back() is not None
    cells.check(f"not ({check})")
    cells.go(state)
    again = Cells(tmp_path, run="again")
    again.go(state)
    for each in (cells, again):
        each.check(f"{check} and last is E.A.value")
    again.close()


def test_a_member_that_its_class_holds_besides_goes_away_with_it(
    cells: Cells, tmp_path: Path
) -> None:
    """An attribute of the class that holds one of its members is no member."""
    before = cells.run("import enum\nclass E(enum.Enum):\n    A = 1\n    B = 2")
    after = cells.run("E.first = E.A")
    cells.go(before)
    cells.check("'first' not in vars(E) and list(E) == [E.A, E.B]")
    cells.go(after)
    again = Cells(tmp_path, run="again")
    again.go(after)
    for each in (cells, again):
        each.check("E.first is E.A and list(E) == [E.A, E.B]")
    again.close()


_MADE = "sorted(F._value2member_map_)"


def test_combinations_of_flags_are_those_that_had_been_asked_for(
    cells: Cells, tmp_path: Path
) -> None:
    """Also in a new kernel, with what the user hung on them; there is one of each."""
    before = cells.run("import enum\nclass F(enum.Flag):\n    A = 1\n    B = 2\n    C = 4")
    both = cells.run("a = F.A | F.B; a.note = [a]")
    other = cells.run("b = ~F.A; a = None")
    check = f"{_MADE} == [1, 2, 3, 4] and (F.A | F.B) is a and a.note == [a]"
    cells.go(before)
    cells.check(f"{_MADE} == [1, 2, 4]")
    cells.go(both)
    cells.check(check)
    cells.go(other)
    cells.check("(F.B | F.C) is b and (F.A | F.B).note == [F.A | F.B] and a is None")
    again = Cells(tmp_path, run="again")
    again.go(both)
    again.check(check)
    again.close()


def test_what_is_built_aside_leaves_no_combination_behind(cells: Cells) -> None:
    """A move that is dropped or taken back changes nothing in the living class."""
    both = cells.run("import enum\nclass F(enum.Flag):\n    A = 1\n    B = 2\na = F.A | F.B")
    cells.run("del F._value2member_map_[3]; a = 1")
    cells.prepare(both).drop()
    cells.check(f"{_MADE} == [1, 2]")
    moved = cells.prepare(both)
    moved.swap()
    cells.check("(F.A | F.B) is a")
    assert moved.take_back() is not None
    cells.check(f"{_MADE} == [1, 2] and a == 1")
