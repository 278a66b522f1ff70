"""Variables that are left out, and taken in again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.errors import InvalidInput
from tests.support.runs import QuickKernel


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[QuickKernel]:
    made = QuickKernel(tmp_path, {})
    yield made
    made.session.close("exit")


def test_a_move_says_nothing_of_what_is_left_out(kernel: QuickKernel) -> None:
    """Not even where the state has it: no move touches it."""
    kernel.run("a = [1]; g = (n for n in a); x = 1")
    kernel.verbs.exclude("a", "g")
    kernel.run("x = 2; a = [2]")
    back = kernel.verbs.to(1)
    assert [one.name for one in back.variables] == ["x"]
    assert kernel.namespace["a"] == [2]
    undone = kernel.verbs.undo()
    assert "a" not in [one.name for one in undone.variables]


@pytest.mark.parametrize("value", ["7", "'text'", "[1, 2]"])
def test_what_was_left_out_can_be_taken_in_again(kernel: QuickKernel, value: str) -> None:
    """From the next state on it is kept, though nothing was bound to it since."""
    kernel.run(f"a = {value}; b = 'other'")
    kernel.verbs.exclude("a", "b")
    kernel.run("x = 1")
    kernel.run("x = 2")
    assert "Left out: a, b." in str(kernel.verbs.status())
    assert "from this cell on: a." in str(kernel.verbs.include("a"))
    assert "Left out: b." in str(kernel.verbs.status())
    kernel.run("x = 3")
    kernel.run("a = None")
    names = [one.name for one in kernel.verbs.to(4).variables]
    assert names == ["a", "x"]
    assert kernel.namespace["a"] == eval(value)


def test_only_what_is_left_out_can_be_taken_in(kernel: QuickKernel) -> None:
    """Nothing is taken in where one of the names is wrong."""
    kernel.verbs.exclude("a")
    for names in (("a", "nosuch"), ()):
        with pytest.raises(InvalidInput):
            kernel.verbs.include(*names)
    assert "Left out: a." in str(kernel.verbs.status())


def test_what_a_state_left_out_stays_what_it_is(kernel: QuickKernel) -> None:
    """I took it in again since: no move to that state takes it away, and says why it stays."""
    kernel.run("a = 1; big = [1]")
    kernel.verbs.exclude("big")
    kernel.run("a = 2")
    kernel.verbs.include("big")
    kernel.run("a = 3; big.append(2); later = 1")
    back = kernel.verbs.to(2)
    assert "big was left out of that state, and stays what it is now." in str(back)
    assert back.removed == ("later",)
    assert (kernel.namespace["a"], kernel.namespace["big"]) == (2, [1, 2])
    kernel.verbs.undo()
    assert (kernel.namespace["a"], kernel.namespace["big"]) == (3, [1, 2])
    kernel.verbs.redo()
    assert (kernel.namespace["a"], kernel.namespace["big"]) == (2, [1, 2])
    kernel.verbs.to(1)
    assert kernel.namespace["big"] == [1]
