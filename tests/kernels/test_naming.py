"""What is said of a state that is asked for and is not there."""

from __future__ import annotations

import pytest

from jupyter_rewind.errors import NotFound
from jupyter_rewind.kernels.naming import find_snapshot
from jupyter_rewind.model.ids import Digest, ExecutionId, RunId, SnapshotId
from jupyter_rewind.model.snapshot import FidelityCounts, Snapshot


def a_state(count: int, *merged: str) -> Snapshot:
    return Snapshot(
        SnapshotId(f"state {count}"), RunId("r"), ExecutionId(f"cell {count}"), count, "", count,
        count, Digest(b""), FidelityCounts(), merged=tuple(map(ExecutionId, merged)),
    )  # fmt: skip


def words_for(ref: str, *snapshots: Snapshot) -> str:
    with pytest.raises(NotFound) as caught:
        find_snapshot(ref, snapshots)
    return str(caught.value)


def test_a_state_that_went_into_a_later_one_is_told_as_such() -> None:
    """There was no time for it: the next one has the work of its cell."""
    told = words_for("2", a_state(1), a_state(3, "cell 2"))
    assert "The state after In[2] was not kept by itself: it went into a later one." in told
    assert "after In[1] and In[3]" in told


@pytest.mark.parametrize("states", [(a_state(1), a_state(3)), (a_state(1), a_state(4, "cell 3"))])
def test_a_state_that_is_gone_did_not_go_into_a_later_one(states: tuple[Snapshot, ...]) -> None:
    """Somebody deleted it, or it expired: the later ones do not count its cell as theirs."""
    told = words_for("2", *states)
    assert "no state after In[2]: it was deleted, it expired or was not kept." in told
    assert "`%rewind to 2 --rerun`" in told


def test_no_cell_has_the_number_0() -> None:
    """States that came after no cell, as the one before a move, have no number to be named by."""
    told = words_for("0", a_state(0), a_state(1), a_state(0))
    assert "There is no state after In[0]." in told
    assert "after In[1]" in told
    assert "In[0] and" not in told
