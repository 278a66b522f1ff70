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
    kernel.verbs.take("d", at="1", new="d_then", replace=True)
    assert kernel.namespace["d_then"]["n"] == 1
    assert "a generator" in kernel.verbs.missing_part("d", at="1")


def test_what_was_kept_whole_replaces_whatever_has_its_name(kernel: QuickKernel) -> None:
    """Nothing is lost there, so nothing is refused."""
    kernel.run("rows = [3, 1, 2]")
    kernel.run("rows.sort()")
    assert kernel.verbs.take("rows", at="1", new=None, replace=True) is not None
    assert kernel.namespace["rows"] == [3, 1, 2]
    assert kernel.verbs.missing_part("rows", at="1") == ""
