"""The power fails at each step of each scenario, and nothing acknowledged is lost.

The default run tries every step with the telling states and a few by chance. All of it, with
many more states at each step (some ten minutes):

    python -m pytest tests/crash -m long
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.scenarios import (
    SCENARIOS,
    check_drafts,
    check_histories,
    check_notebook,
    hand_over_drafts,
    replace_notebook,
    restore_notebook,
)
from tests.crash.sweep import record, sweep

pytestmark = pytest.mark.crash


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_power_cut_at_any_step_loses_nothing_acknowledged(name: str, tmp_path: Path) -> None:
    """Whatever was saved when the power failed is there; the rest is whole or absent."""
    tally = sweep(record(SCENARIOS[name], tmp_path / "work"))
    assert tally.images > 3 * tally.steps


def test_a_notebook_that_is_replaced_is_never_torn(tmp_path: Path) -> None:
    """A power cut during a restore leaves the old notebook or the new one."""
    run = record(replace_notebook, tmp_path / "work")
    tally = sweep(run, check=check_notebook, samples=100)
    assert tally.images > 200


def test_a_history_survives_a_power_cut_at_any_step_of_save_and_restore(tmp_path: Path) -> None:
    """Every checkpoint that was acknowledged reads byte for byte, and no notebook is torn."""
    run = record(restore_notebook, tmp_path / "work")
    tally = sweep(run, check=check_histories(tmp_path / "work"), exhaustive_up_to=64, samples=6)
    assert tally.images > 100


def test_a_draft_survives_a_power_cut_at_any_step(tmp_path: Path) -> None:
    """What was typed and acknowledged is there; what was saved or discarded does not come back."""
    run = record(hand_over_drafts, tmp_path / "work")
    tally = sweep(run, check=check_drafts(tmp_path / "work"), exhaustive_up_to=64, samples=6)
    assert tally.images > 100


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", SCENARIOS)
def test_many_more_states_of_each_step(name: str, seed: int, tmp_path: Path) -> None:
    """As above, thousands of states at a step where the default run takes a hundred."""
    run = record(SCENARIOS[name], tmp_path / "work")
    sweep(run, exhaustive_up_to=20_000, samples=1_000, seed=seed)
