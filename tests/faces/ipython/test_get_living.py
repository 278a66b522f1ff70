"""One variable out of the past never lays a placeholder over what lives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.errors import RestoreRefused
from tests.support.runs import QuickKernel


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[QuickKernel]:
    made = QuickKernel(tmp_path, {})
    yield made
    made.session.close("exit")


@pytest.mark.parametrize(
    "make",
    [
        "import sqlite3; x = sqlite3.connect(':memory:'); x.execute('create table t(a)')",
        "x = (i for i in range(9)); next(x)",
        f"x = open({os.devnull!r})",
    ],
    ids=["connection", "generator", "file"],
)
@pytest.mark.parametrize("new", [None, "then"])
def test_what_was_not_kept_is_refused_with_how_to_get_it(
    kernel: QuickKernel, make: str, new: str | None
) -> None:
    """The living connection, with its rows, stays; no name is given to what only stands for it."""
    kernel.run(make)
    kernel.run("n = 2")
    living = kernel.namespace["x"]
    with pytest.raises(RestoreRefused, match="x was not kept in the state after") as refused:
        kernel.verbs.take("x", at="1", new=new, replace=True)
    assert "Nothing was changed. To get it back: " in (refused.value.hint or "")
    assert kernel.namespace["x"] is living
    assert "then" not in kernel.namespace


def test_what_may_hold_the_living_one_is_not_replaced_by_what_lacks_it(
    kernel: QuickKernel,
) -> None:
    """A dictionary with a generator inside: under its own name it would cost the generator; under
    another it is there, and says what it lacks."""
    kernel.run("d = {'g': (i for i in range(9)), 'n': 1}; next(d['g'])")
    kernel.run("d['n'] = 2")
    living = kernel.namespace["d"]["g"]
    with pytest.raises(RestoreRefused, match="which nothing could bring back") as refused:
        kernel.verbs.take("d", at="1", new=None, replace=True)
    assert "%rewind get d --at 1 --as d_then" in (refused.value.hint or "")
    assert kernel.namespace["d"]["g"] is living
    _, lost = kernel.verbs.take("d", at="1", new="d_then", replace=True)
    assert kernel.namespace["d_then"]["n"] == 1
    assert "a generator" in lost


def test_a_function_that_holds_what_was_not_kept_replaces_no_living_one(
    kernel: QuickKernel,
) -> None:
    """What its closure holds is a part of it."""
    kernel.run(
        "def make():\n    g = iter(x for x in range(9))\n    return lambda: next(g)\nf = make()"
    )
    kernel.run("f()")
    living = kernel.namespace["f"]
    with pytest.raises(RestoreRefused, match="Nothing was changed"):
        kernel.verbs.take("f", at="1", new=None, replace=True)
    assert kernel.namespace["f"] is living
    assert living() == 1


@pytest.mark.parametrize(
    "living", ["(i for i in range(9))", "[1, (i for i in range(9))]"], ids=["itself", "in a list"]
)
def test_what_lives_now_is_not_replaced_by_what_was_kept(kernel: QuickKernel, living: str) -> None:
    """A generator has the name now, and no state could hold it: undo would not bring it back."""
    kernel.run("y = [1]; x = [2]")
    kernel.run(f"y = {living}")
    now = kernel.namespace["y"]
    for name in ("y", "x"):
        with pytest.raises(RestoreRefused, match="What y holds now is not kept") as refused:
            kernel.verbs.take(name, at="1", new="y", replace=True)
        assert "--as y_then" in (refused.value.hint or "")
    assert kernel.namespace["y"] is now
    kernel.verbs.take("y", at="1", new="y_then", replace=True)
    assert kernel.namespace["y_then"] == [1]


def test_what_is_missing_is_told_of_the_state_that_was_asked_for(kernel: QuickKernel) -> None:
    """`head~1` is counted before the present is kept as a state of its own."""
    kernel.run("v = [1]; w = [1]")
    kernel.run("del v")
    kernel.run("w.append(3)")
    kernel.namespace["w"].append(4)
    kept, lost = kernel.verbs.take("v", at="head~2", new="w", replace=True)
    assert (kernel.namespace["w"], lost) == ([1], "")
    assert kept is not None


def test_what_was_kept_whole_replaces_whatever_has_its_name(kernel: QuickKernel) -> None:
    """Nothing is lost there, so nothing is refused."""
    kernel.run("rows = [3, 1, 2]")
    kernel.run("rows.sort()")
    kept, lost = kernel.verbs.take("rows", at="1", new=None, replace=True)
    assert kept is not None
    assert lost == ""
    assert kernel.namespace["rows"] == [3, 1, 2]


def test_what_was_left_out_is_not_replaced(kernel: QuickKernel) -> None:
    """You said that it is not to be kept: so nothing could bring it back."""
    kernel.run("big = [1, 2]")
    kernel.verbs.exclude("big")
    kernel.run("big.append(3)")
    with pytest.raises(RestoreRefused, match="is not kept: you left it out"):
        kernel.verbs.take("big", at="1", new=None, replace=True)
    assert kernel.namespace["big"] == [1, 2, 3]


def test_the_command_that_is_proposed_names_the_state_that_was_asked_for(
    kernel: QuickKernel,
) -> None:
    """Also where `head~N` said which: to refuse keeps a state more."""
    for source in ("y = [1]", "y = [1, 2]", "y = (i for i in range(9))"):
        kernel.run(source)
    with pytest.raises(RestoreRefused) as refused:
        kernel.verbs.take("y", at="head~2", new=None, replace=True)
    words = (refused.value.hint or "").split()
    at, new = words[words.index("--at") + 1], words[words.index("--as") + 1]
    kernel.verbs.take("y", at=at, new=new, replace=True)
    assert kernel.namespace["y_then"] == [1]
