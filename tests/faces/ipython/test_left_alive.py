"""What cannot be kept, and is alive: a move says that it stays what it is now."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.faces.ipython.answers import Back
from jupyter_rewind.model.snapshot import Fidelity
from tests.support.runs import QuickKernel


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[QuickKernel]:
    made = QuickKernel(tmp_path, {})
    yield made
    made.session.close("exit")


def counted(back: Back) -> str:
    """What became of how many."""
    return str(back).splitlines()[0].rpartition(": ")[2]


LEFT = "  What was not kept of {} is still alive, and stays what it is now."


@pytest.mark.parametrize(
    ("make", "use", "told"),
    [
        ("x = (i for i in range(9)); next(x)", "next(x)", "x (generator)"),
        (f"x = open({os.devnull!r})", "x.close()", "x (_io.TextIOWrapper)"),
        ("import sqlite3; x = sqlite3.connect('')", "x.close()", "x (sqlite3.Connection)"),
    ],
)
def test_what_is_left_alive_is_told_and_not_counted_as_brought_back(
    kernel: QuickKernel, make: str, use: str, told: str
) -> None:
    """A generator that has gone on, a file or a connection that was closed: no move changes it, and
    each says so, also where its state tells nothing else of it."""
    kernel.run(make + "; n = 1; del sqlite3" if "sqlite3" in make else make + "; n = 1")
    kernel.run(use + "; n = 2")
    kernel.run("n = 3")
    same = kernel.namespace["x"]
    for ref in (1, 2):
        back = kernel.verbs.to(ref)
        assert kernel.namespace["x"] is same
        assert counted(back) == "1 variable brought back, 1 left as they are now."
        assert LEFT.format(told) in str(back).splitlines()
        assert [one.changed for one in back.variables] == [True, False]


def test_undo_tells_what_it_leaves_as_it_is(kernel: QuickKernel) -> None:
    """What went on between a move and its undo has gone on."""
    kernel.run("x = (i for i in range(9)); n = 1")
    kernel.run("n = 2")
    kernel.verbs.to(1)
    next(kernel.namespace["x"])
    undone = kernel.verbs.undo()
    assert next(kernel.namespace["x"]) == 1
    assert counted(undone) == "1 variable brought back, 1 left as they are now."
    assert LEFT.format("x (generator)") in str(undone).splitlines()


@pytest.mark.parametrize("use", ["next(x)", "pass"])
def test_undo_counts_what_holds_it_and_not_the_thing_itself(kernel: QuickKernel, use: str) -> None:
    """It was left as it is by the move, and is by its undo; the list beside it is brought back."""
    kernel.run("x = (i for i in range(9)); box = [x, 1]")
    kernel.run(f"{use}; box.append(2); n = 1")
    kernel.verbs.to(1)
    undone = kernel.verbs.undo()
    assert kernel.namespace["box"] == [kernel.namespace["x"], 1, 2]
    assert counted(undone) == "2 variables brought back, 1 left as they are now."
    assert LEFT.format("box (list), x (generator)") in str(undone).splitlines()


def test_what_comes_back_around_it_counts_as_brought_back(kernel: QuickKernel) -> None:
    """A list is back, and what it holds is alive: both are told. So is a name that has come to
    stand for something else."""
    kernel.run("g = (i for i in range(9)); box = [g, 1]")
    kernel.run("box.append(2); next(g); g = None")
    back = kernel.verbs.to(1)
    assert kernel.namespace["box"] == [kernel.namespace["g"], 1]
    assert next(kernel.namespace["g"]) == 1
    assert counted(back) == "2 variables brought back."
    assert LEFT.format("box (list), g (generator)") in str(back).splitlines()


def test_what_is_gone_or_named_alike_is_not_told_as_left(kernel: QuickKernel) -> None:
    """A placeholder stands for what is gone; a module is the module."""
    kernel.run("import math; g = (i for i in range(9)); n = [1]")
    kernel.run("g = None; n.append(2)")
    back = kernel.verbs.to(1)
    assert counted(back) == "1 variable brought back, 1 as they were, 1 missing."
    assert "stays what it is now" not in str(back)
    assert [one.name for one in back.variables if one.fidelity is Fidelity.MISSING] == ["g"]


def test_a_value_that_refuses_to_be_kept_is_told_as_left(kernel: QuickKernel) -> None:
    """It may have changed unseen: it is not said to be as it was."""
    kernel.run("class Stub:\n def __reduce_ex__(self, _): raise TypeError('no')\nx = Stub(); n = 1")
    kernel.run("x.v = 2; n = 2")
    back = kernel.verbs.to(1)
    assert kernel.namespace["x"].v == 2
    assert counted(back) == "1 variable brought back, 1 as they were, 1 left as they are now."
    assert LEFT.format("x (Stub)") in str(back).splitlines()


def test_what_only_stands_for_what_is_gone_is_never_called_alive(tmp_path: Path) -> None:
    """A kernel that took a state over has placeholders: later moves, undo and redo say that what
    they stand for is missing."""
    first = QuickKernel(tmp_path, {})
    first.run("g = (i for i in range(9)); d = {'g': g}; n = 1")
    first.run("n = 2")
    first.session.close("exit")
    kernel = QuickKernel(tmp_path, {})
    kernel.verbs.resume(None)
    kernel.run("n = 3")
    kernel.run("n = 4")
    for back in (kernel.verbs.to("head~1"), kernel.verbs.undo(), kernel.verbs.redo()):
        assert "alive" not in str(back)
        assert "  g (generator) is missing: a generator `<genexpr>`" in str(back)
        assert not any(one.left_alive for one in back.variables)
    kernel.session.close("exit")


def test_what_takes_the_place_of_a_placeholder_is_alive(tmp_path: Path) -> None:
    """A living generator comes back under the name that a placeholder has now."""
    first = QuickKernel(tmp_path, {})
    first.run("g = (i for i in range(9)); n = 1")
    first.session.close("exit")
    kernel = QuickKernel(tmp_path, {})
    kernel.verbs.resume(None)
    kernel.run("h = (i for i in range(9)); n = 2")
    kernel.run("g = h; n = 3")
    living = kernel.namespace["h"]
    kernel.verbs.to("head~1")
    back = kernel.verbs.undo()
    assert kernel.namespace["g"] is living
    assert "is missing" not in str(back)
    kernel.session.close("exit")


def test_of_very_many_that_are_left_a_few_are_named(kernel: QuickKernel) -> None:
    """One line, however many generators there are."""
    kernel.run("for i in range(30): globals()[f'g{i}'] = (each for each in 'abc')\nn = 1")
    kernel.run("n = 2")
    [line] = [each for each in str(kernel.verbs.to(1)).splitlines() if "still alive" in each]
    assert (line.count("(generator)"), "and 25 more" in line) == (5, True)
