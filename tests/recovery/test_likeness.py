"""What makes two pieces of code alike, and what makes one a passing look."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind.recovery.likeness import Likeness, is_look, is_slip, parses

FIT = "model = Ridge(alpha=3)\nmodel.fit(rows, sold)\nmodel.score(rows, sold)"


def test_rare_words_count_more_than_common_ones() -> None:
    """That two cells both show a plot says little."""
    plots = [f"plt.plot({name})\nplt.show()" for name in "abcdefghij"]
    like = Likeness([*plots, "plt.plot(rare_thing)\nplt.show()"])
    changed = "plt.scatter(rare_thing)\nplt.show()"
    assert like(changed, "plt.plot(rare_thing)\nplt.show()") > like(changed, plots[0])


def test_half_written_cell_is_contained_in_the_whole() -> None:
    """A cell that was run before it was finished belongs to what it became."""
    like = Likeness([FIT, "other = 1", "more = 2"])
    half = FIT.split("\n")[0]
    assert like.contained(half, FIT) == pytest.approx(1)
    assert like(half, FIT) < 1


@given(st.text(max_size=80), st.text(max_size=80))
def test_likeness_is_symmetric_and_bounded(a: str, b: str) -> None:
    """The order of the two does not matter."""
    like = Likeness([a, b])
    assert like(a, b) == like(b, a)
    assert 0 <= like(a, b) <= 1
    assert 0 <= like.contained(a, b) <= 1 + 1e-9
    assert is_slip(a, b) == is_slip(b, a)


@pytest.mark.parametrize("slip", ["pritn(y)", "prnt(y)", "print(y))", "print y)"])
def test_slip_of_the_fingers_is_small(slip: str) -> None:
    """A letter too many, too few or exchanged is a slip."""
    assert is_slip("print(y)", slip)
    assert not is_slip("print(y)", "print(every_other_thing)")


@pytest.mark.parametrize(
    "look", ["x", "df.head()", "%who", "f?", "!ls", "len(x)", "x.shape", "1 + 1", "rows[:5]"]
)
def test_looks(look: str) -> None:
    """One line that only shows a value is a look."""
    assert is_look(look)


@pytest.mark.parametrize("cell", ["x = 1", "plot(x)", "for x in y:\n    print(x)", FIT])
def test_cells_are_no_looks(cell: str) -> None:
    """What does something is not."""
    assert not is_look(cell)


@pytest.mark.parametrize(
    "good",
    ["%matplotlib inline\nx = 1", "!pip list", "files = !ls", "%%bash\nls |", "df?", "await f()"],
)
def test_what_ipython_runs_counts_as_code(good: str) -> None:
    """Magics, shell lines and questions are no syntax errors."""
    assert parses(good)


@pytest.mark.parametrize("bad", ["f(", "impor x", "def f(:", "x = = 1"])
def test_what_cannot_run_is_seen(bad: str) -> None:
    """A try with a syntax error is known as one."""
    assert not parses(bad)
