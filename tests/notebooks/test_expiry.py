"""Old checkpoints go by policy: planned first, never those a person named, never the head."""

from __future__ import annotations

import pytest

from jupyter_rewind import clock
from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.model.retention import Policy
from jupyter_rewind.notebooks import expiry
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.upkeep import collect
from tests.notebooks.support import make_notebook

PATH = "/home/a/a.ipynb"
FEW = Policy(keep_last=2, hourly=0, daily=0, weekly=0, deleted_days=10)


@pytest.fixture
def ids(histories: Histories, fake_clock: clock.FakeClock) -> list[str]:
    """Six checkpoints, an hour apart."""
    made = []
    for number in range(6):
        raw = make_notebook(str(number))
        made.append(str(histories.record(PATH, raw, reason=Reason.SAVE).checkpoint.id))
        fake_clock.advance(3600)
    return made


def left(histories: Histories) -> list[str]:
    return [str(one.id) for one in histories.checkpoints(PATH)]


def test_a_plan_changes_nothing_and_estimates_what_it_frees(
    histories: Histories, ids: list[str]
) -> None:
    plan = expiry.plan_expiry(histories, FEW, lambda going: 1000 * len(going))
    [mine] = plan.histories
    assert (mine.path, list(mine.expire), list(mine.keep)) == (PATH, ids[:4], ids[4:][::-1])
    assert (plan.count, plan.freed_bytes) == (4, 4000)
    assert left(histories) == ids


def test_what_is_expired_is_gone_for_every_process(
    histories: Histories, others: Histories, ids: list[str]
) -> None:
    gone = expiry.expire(histories, FEW)
    assert [str(one.id) for one in gone] == ids[:4]
    assert left(histories) == left(others) == ids[4:]
    assert histories.checkpoints(PATH)[0].parent is None


def test_labels_and_pins_always_stay(histories: Histories, ids: list[str]) -> None:
    histories.label(histories.get(PATH, ids[0]), "thesis")
    histories.pin(histories.get(PATH, ids[2]))
    expiry.expire(histories, FEW)
    assert left(histories) == [ids[0], ids[2], ids[4], ids[5]]
    assert [one.labels for one in histories.checkpoints(PATH)] == [("thesis",), (), (), ()]


def test_the_head_stays_whatever_the_policy(histories: Histories, ids: list[str]) -> None:
    expiry.expire(histories, Policy(keep_last=0, hourly=0, daily=0, weekly=0))
    assert left(histories) == ids[5:]


def test_expiring_again_changes_nothing(histories: Histories, ids: list[str]) -> None:
    expiry.expire(histories, FEW)
    assert expiry.expire(histories, FEW) == []
    assert left(histories) == ids[4:]


def test_a_label_given_after_the_plan_counts(
    histories: Histories, others: Histories, ids: list[str]
) -> None:
    plan = expiry.plan_expiry(histories, FEW, lambda _: 0)
    others.label(others.get(PATH, ids[1]), "mine")
    expiry.expire(histories, plan.policy)
    assert ids[1] in left(histories)


def test_a_deleted_notebook_goes_in_the_end_but_not_what_is_named(
    histories: Histories, ids: list[str], fake_clock: clock.FakeClock
) -> None:
    histories.label(histories.get(PATH, ids[1]), "thesis")
    histories.delete(PATH)
    fake_clock.advance(9 * 86400)
    expiry.expire(histories, FEW)
    assert left(histories) == [ids[1], *ids[4:]]
    fake_clock.advance(2 * 86400)
    expiry.expire(histories, FEW)
    assert left(histories) == [ids[1]]


def test_of_a_history_that_expired_whole_nothing_is_left(
    histories: Histories, ids: list[str], fake_clock: clock.FakeClock
) -> None:
    histories.delete(PATH)
    fake_clock.advance(11 * 86400)
    assert len(expiry.expire(histories, FEW)) == len(ids)
    assert histories.all() == histories.deleted() == []
    again = histories.record(PATH, make_notebook("anew"), reason=Reason.SAVE).checkpoint
    assert left(histories) == [again.id]


def test_what_stays_is_readable_after_the_room_was_given_back(
    histories: Histories, ids: list[str]
) -> None:
    expiry.expire(histories, FEW)
    collect(histories.repository)
    states = [histories.read(one) for one in histories.checkpoints(PATH)]
    assert states == [make_notebook("4"), make_notebook("5")]
