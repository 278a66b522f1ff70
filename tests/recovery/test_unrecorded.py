"""Only an old state is left, and kernels were started since: it is told as the old state it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyter_rewind.recovery.evidence import FoundKernel, Trace
from tests.support.evidence import (
    CHECKPOINT,
    TARGET,
    document,
    kernel,
    rebuilt_of,
    session,
    sources_of,
)

KEPT = replace(CHECKPOINT, words="Jupyter's checkpoint")
SAVED = document("prices = load(2025)", "model = fit(prices)", trace=KEPT)
DAY = 86_400


def test_checkpoint_alone_is_told_to_be_a_state_of_its_time() -> None:
    """Nothing says that work was done since; nothing says that it was not."""
    [lost] = rebuilt_of([SAVED]).likely_lost
    assert lost.startswith("Whatever was changed after this was saved: Jupyter's checkpoint, 1970")


def test_a_file_that_is_there_is_the_newest_state() -> None:
    """Nothing newer was there to be lost."""
    assert (
        rebuilt_of([replace(SAVED, trace=Trace("file", str(TARGET), str(TARGET)))]).likely_lost
        == ()
    )


def test_kernels_whose_work_is_in_no_history_make_a_checkpoint_an_old_state() -> None:
    """You worked on it for days in R, or with the history off: no cell is called certain."""
    kernels = [kernel(TARGET, at=day * DAY) for day in (1, 3, 2)]
    rebuilt = rebuilt_of([SAVED], kernels=kernels)
    assert all(0.5 <= each.confidence < 0.9 for each in rebuilt.cells)
    [lost] = rebuilt.likely_lost
    assert "3 kernels were started for it after that, the last 1970-01-" in lost
    assert lost.endswith("; what they ran is in no history.")
    [one] = rebuilt_of([SAVED], kernels=kernels[:1]).likely_lost
    assert " A kernel was started for it after that (1970-01-" in one


@pytest.mark.parametrize(
    "started",
    [
        kernel(TARGET, at=10),
        kernel(TARGET, at=-DAY),
        kernel("/home/ann/other.ipynb", at=DAY),
        replace(kernel(TARGET, at=DAY), started_ns=None),
    ],
    ids=["just then", "before", "another's", "nobody knows when"],
)
def test_a_kernel_that_says_nothing_of_later_work_changes_nothing(started: FoundKernel) -> None:
    """The first checkpoint is made when a notebook is opened, as its kernel starts."""
    rebuilt = rebuilt_of([SAVED], kernels=[started])
    assert all(each.confidence >= 0.9 for each in rebuilt.cells)
    assert not any("kernel" in each for each in rebuilt.likely_lost)


def test_what_a_kernel_ran_is_told_by_its_session() -> None:
    """Its history is there: what it ran is laid over the checkpoint."""
    ran = session(1, ["prices = load(2025)", "extra = more(prices)"], at=DAY)
    rebuilt = rebuilt_of([SAVED], [ran], [kernel(TARGET, at=DAY - 1)])
    assert "extra = more(prices)" in sources_of(rebuilt)
    assert not any("in no history" in each for each in rebuilt.likely_lost)
