"""IPython's own names in a state that came back: `Out`, `_`, and the namespace itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernels.programs.grammar import Do
from tests.kernels.programs.machine import follow
from tests.support.cells import Cells


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[Cells]:
    made = Cells(tmp_path)
    yield made
    made.close()


def run(*steps: Do | str) -> None:
    follow([step if isinstance(step, Do) else Do("cell", step) for step in steps])


def test_the_results_go_on_after_a_restore() -> None:
    """IPython goes on setting `_` and `__` after I went back."""
    run("1 + 1", "2 + 2", Do("to", "", 1), "3 + 3", Do("to", "", 0), "4 + 4")


def test_a_name_that_the_user_took_from_ipython_stays_the_users() -> None:
    """Where my loop ran over `_`, going back doesn't make it IPython's again."""
    run("1 + 1", "for _ in range(3): pass", "2 + 2", Do("to", "", 2), "3 + 3", "4 + 4")


def test_outputs_stand_in_their_order() -> None:
    """`Out` lists the outputs as the cells put them out."""
    run(*(f"[{number}]" for number in range(12)), Do("new kernel", "", 12))


@pytest.mark.parametrize("key", ["1", "-1", "'word'", "(1, 'x')"])
def test_what_i_put_into_out_stands_where_i_put_it(key: str) -> None:
    """Behind what came after it, under the very key; also where only that came back."""
    last = "[4]"
    run("[1]", "pass", "[3]", f"Out.pop(1, None); Out[{key}] = 5", last, Do("to", "", 3))
    run("[1]", "pass", "[3]", f"Out.pop(1, None); Out[{key}] = 5", last, Do("to", "", 4))
    run("[1]", f"Out[{key}] = Out.pop(1)", last, Do("new kernel", "", 1), Do("to", "", 0))


@pytest.mark.parametrize("name", ["Out", "globals()", "vars(__builtins__)"])
def test_a_second_name_of_the_namespace_is_not_filled(name: str) -> None:
    """`b = globals()`: going back to where `b` was another dict leaves the namespace alone."""
    run("b = {'x': 1}", f"b = {name}", Do("to", "", 1), Do("undo"))


def test_an_output_under_a_name_of_the_users_comes_back(cells: Cells) -> None:
    """What I put into `Out` under a word is there again."""
    cells.run("_oh['word'] = [1]; _oh[2] = [2]")
    state = cells.run("pass")
    cells.run("_oh['word'].append(2)")
    cells.go(state)
    assert cells.namespace["_oh"] == {2: [2], "word": [1]}
