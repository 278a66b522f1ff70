"""Whose session a kernel's was, told by the moments at which both began."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind.recovery.evidence import FoundKernel, FoundRun
from jupyter_rewind.recovery.kernelruns import kernels_of

T0 = 1_700_000_000_000_000_000
ANY: Any = None


def pairs(kernels: list[float], sessions: list[float]) -> dict[int, int]:
    """The kernel's place by that of its session, from the seconds at which they began."""
    files = [
        FoundKernel(ANY, f"{at}.ipynb", T0 + int(began * 1e9), kernel=f"k{at}")
        for at, began in enumerate(kernels)
    ]
    runs = [FoundRun(ANY, at, (), T0 + int(began * 1e9)) for at, began in enumerate(sessions)]
    return {at: files.index(kernel) for at, kernel in kernels_of(runs, files).items()}


@pytest.mark.parametrize(
    ("kernels", "sessions"),
    [
        ([0, 0.9], [0.2, 1.1]),  # one after the other, on a fast machine
        ([0, 0.5], [2, 2.6]),  # together, on a slow one
        ([0, 4], [3.5, 5.1]),  # the first was slow, the second was not
        ([0, 0.5, 1], [1.5, 1.6, 1.7]),
    ],
)
def test_kernels_that_start_close_together_keep_their_sessions(
    kernels: list[float], sessions: list[float]
) -> None:
    """What was run in one notebook is not taken for the other's, however slow the machine is."""
    assert pairs(kernels, sessions) == {at: at for at in range(len(kernels))}


def test_a_session_without_another_goes_to_the_nearest_kernel() -> None:
    """A kernel that keeps no history takes no other's."""
    assert pairs([0, 4], [4.8]) == {0: 1}
    assert pairs([0, 100], [101]) == {0: 1}


@given(
    st.lists(st.tuples(st.floats(0.1, 3), st.floats(0, 3)), min_size=1, max_size=6),
)
def test_sessions_of_kernels_that_start_in_order_are_all_found(
    starts: list[tuple[float, float]],
) -> None:
    """Each kernel waits for the one before it, as a person's clicks do: each has its session."""
    kernels, sessions, now = [], [], 0.0
    for delay, pause in starts:
        kernels.append(now)
        sessions.append(now + delay)
        now += delay + pause + 0.1
    assert pairs(kernels, sessions) == {at: at for at in range(len(starts))}
