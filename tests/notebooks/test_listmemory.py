"""Long histories that are remembered: what is listed is what a fresh look lists."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.notebooks import listmemory, reading
from jupyter_rewind.notebooks.history import Histories
from tests.notebooks.support import make_notebook, open_store

A = "/home/a/analysis.ipynb"
SECOND = 1_000_000_000
STEPS = st.tuples(
    st.sampled_from(
        [
            "save",
            "save",
            "manual",
            "restore",
            "label",
            "unlabel",
            "pin",
            "delete",
            "import",
            "rename",
        ]
    ),
    st.booleans(),
    st.integers(0, 40),
)


def take_step(histories: Histories, what: str, number: int) -> None:
    found = histories.checkpoints(A)
    one = found[number % len(found)]
    raw = make_notebook(f"x = {number}")
    if what == "save":
        histories.record(A, raw, reason=Reason.SAVE)
    elif what == "manual":
        histories.record(A, histories.read(found[-1]), reason=Reason.MANUAL)
    elif what == "restore":
        histories.record(A, histories.read(one), reason=Reason.RESTORE, parent=one.id)
    elif what == "import":
        histories.record(A, raw, reason=Reason.IMPORTED, time_ns=found[0].time_ns - number)
    elif what == "label":
        histories.label(one, f"label {number % 3}")
    elif what == "unlabel" and one.labels:
        histories.unlabel(one, one.labels[0])
    elif what == "pin":
        histories.pin(one) if number % 2 else histories.unpin(one)
    elif what == "delete" and len(found) > 1:
        histories.delete_checkpoint(one, force=True)
    elif what == "rename":
        histories.rename(A, A + ".moved")
        histories.rename(A + ".moved", A)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, max_size=25))
def test_a_remembered_history_is_the_one_in_the_store(steps: list[tuple[str, bool, int]]) -> None:
    """Whoever writes, this process or another one, the next list tells it."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(listmemory, "WORTH", 2)
        patch.setattr(reading, "_FEW", 1)
        store = Path(folder) / "rewind"
        with open_store(store) as mine, open_store(store) as theirs:
            ours, others = Histories(mine), Histories(theirs)
            ours.record(A, make_notebook("first"), reason=Reason.SAVE)
            for what, by_others, number in steps:
                take_step(others if by_others else ours, what, number)
                fresh = Histories(mine).checkpoints(A)
                assert ours.checkpoints(A) == fresh
                assert others.checkpoints(A) == fresh
                assert ours.head(A) == others.head(A) == fresh[-1]
                page = list(ours.newest(A, 3).checkpoints)
                assert page[:3] == fresh[::-1][:3]


@pytest.mark.parametrize("reason", [Reason.SAVE, Reason.IMPORTED])
def test_a_page_reads_what_is_new_alone(
    histories: Histories, monkeypatch: pytest.MonkeyPatch, reason: Reason
) -> None:
    """However long the history is: one state more is one more record to read."""
    monkeypatch.setattr(listmemory, "WORTH", 10)
    for number in range(30):
        raw = make_notebook(f"x = {number}")
        histories.record(A, raw, reason=reason, time_ns=SECOND * (1 + number % 7))
    histories.checkpoints(A)
    read: list[int] = []
    original = listmemory.read_checkpoints

    def counted(entries, *rest):  # type: ignore[no-untyped-def]
        read.append(len(entries))
        return original(entries, *rest)

    monkeypatch.setattr(listmemory, "read_checkpoints", counted)
    raw = make_notebook("one more")
    histories.record(A, raw, reason=reason, time_ns=SECOND * 3)
    assert len(histories.checkpoints(A)) == 31
    assert sum(read) == 1
