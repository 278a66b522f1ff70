"""What a state is without holds what lives: that it is apart from what comes back is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.kernels import apart
from tests.support.cells import Cells

MADE = """
import collections
import numpy as np
arr, queue, alone, many = np.arange(5), collections.deque([1]), [1], [5]
view = arr[1:]
big = [{"i": i, "arr": arr, "queue": (queue,)} for i in range(3000)]
"""


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[Cells]:
    made = Cells(tmp_path)
    made.capturer.exclude("big")
    yield made
    made.close()


def test_what_no_longer_shares_is_named(cells: Cells) -> None:
    """No cell ever saw them apart."""
    first = cells.run(MADE)
    cells.run("arr[0] = 7; queue.append(2); alone.append(2)")
    problems = cells.prepare(first).swap()
    cells.check("arr[0] == 0 and big[0]['arr'] is not arr and big[0]['arr'][0] == 7")
    (told,) = [one for one in problems if "apart" in one]
    assert "big, which stays" in told
    assert "arr" in told and "queue" in told
    assert "alone" not in told and "many" not in told


def test_what_is_filled_in_place_goes_on_sharing(cells: Cells) -> None:
    first = cells.run("rows = [1]; big = [(rows, i, [i]) for i in range(3000)]")
    cells.run("rows.append(2)")
    problems = cells.prepare(first).swap()
    cells.check("rows == [1] and big[0][0] is rows")
    assert not problems


def test_what_is_too_large_to_be_looked_through_is_said_to_be(
    cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "_MOST_OBJECTS", 100)
    first = cells.run("big = [[i] for i in range(5000)]; x = [big[2500]]")
    cells.run("x.append(2)")
    assert any("too large" in one for one in cells.prepare(first).swap())


def test_where_nothing_is_shared_nothing_is_said(cells: Cells) -> None:
    first = cells.run("x = [1]; big = [[i] for i in range(3000)]")
    cells.run("x.append(2)")
    assert cells.prepare(first).swap() == ()
