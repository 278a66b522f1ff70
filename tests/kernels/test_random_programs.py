"""Random programs of cells, with restores between them, against running the cells again."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, seed, settings

from tests.kernels.programs.grammar import PROGRAMS, Do
from tests.kernels.programs.machine import follow


@pytest.mark.programs
@pytest.mark.timeout(0)
@pytest.mark.parametrize("number", range(1, 9))
def test_two_thousand_programs_come_back_as_running_them_again_makes_them(number: int) -> None:
    """Cells over every kind of object, with errors, threads, coroutines and functions defined
    anew; any state, brought back in place, by undo or in a new kernel, has the values and the
    sharing that running its cells again gives.

    The same ones for the same code: what fails tells of the change that it came with. Others are
    run by `python -m tests.kernels.programs`.
    """

    @seed(number)
    @settings(
        max_examples=250, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(steps=PROGRAMS)
    def run(steps: Sequence[Do]) -> None:
        follow(steps)

    run()


def test_a_program_that_changes_how_decimals_are_rounded() -> None:
    """Going back and running on finds the precision of the state, on both sides."""
    more = Do("cell", "decimal.getcontext().prec += 1")
    follow([Do("cell", "value = 0"), Do("to"), more, Do("to"), Do("cell", "value = 1"), more])
