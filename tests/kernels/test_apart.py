"""What a state is without holds what lives: that it is apart from what comes back is said."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind import clock
from jupyter_rewind.kernels import apart
from jupyter_rewind.kernels.apart import Shared
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


def test_what_many_variables_lead_to_is_walked_through_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Models that hold one set of rows, beside one small variable that was left out."""
    walked = 0
    get_referents = gc.get_referents

    def counted(*objects: Any) -> list[Any]:
        nonlocal walked
        walked += len(objects)
        return get_referents(*objects)

    monkeypatch.setattr(gc, "get_referents", counted)
    rows = [([number], number) for number in range(5_000)]
    models: dict[str, Any] = {f"model{number}": {"rows": rows} for number in range(20)}
    left_out = [1]
    last = {"rows": rows, "left_out": left_out}
    shared = Shared({"left_out": left_out}, {**models, "last": last})
    assert walked < 2 * 10_000
    assert shared.words({**models, "last": last}) == ()
    (told,) = shared.words({**models, "last": {"rows": rows, "left_out": [1]}})
    assert told.startswith("last shared objects with left_out")


class Hurrying(clock.FakeClock):
    """At each look at it a hundredth of a second has passed."""

    looks = 0

    def working(self) -> float:
        self.looks += 1
        return self.looks / 100


def test_a_search_that_takes_too_long_ends_and_says_so() -> None:
    """What was met until then is told, and the rest is not taken for searched."""
    left_out = [[1]]
    coming = {f"v{number}": [[number], left_out[0]] for number in range(1000)}
    with clock.use(Hurrying()) as hurrying:
        shared = Shared({"left_out": left_out, "number": 1}, coming)
        assert isinstance(hurrying, Hurrying) and hurrying.looks < 1400
        apart_now, in_doubt = shared.words({name: [[]] for name in coming})
    assert apart_now.startswith("v0, v1,")
    assert "too large" in in_doubt and "with left_out, which" in in_doubt


def test_what_comes_back_too_large_to_be_looked_through_is_said_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whether it shared anything with what stays is not known, and nobody is told that it did
    not."""
    monkeypatch.setattr(apart, "_MOST_OBJECTS", 100)
    left_out = [1]
    rows = [left_out, *([number] for number in range(5_000))]
    (told,) = Shared({"left_out": left_out}, {"rows": rows}).words({"rows": rows})
    assert "too large" in told and "left_out" in told
