"""Containers that somebody outside the notebook holds: the right one takes the old content."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cells import Cells


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
        ("a = {1}; held = [a]", "old = a; a = {2}; held.append(a)", "held == [{1}, {2}]"),
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
    cells.check(check)
    cells.run("z = 2")
    cells.go(later)
    cells.go(state)
    cells.check("a")
