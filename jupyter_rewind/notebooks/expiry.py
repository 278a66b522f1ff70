"""Expiring checkpoints by policy: first a plan that can be shown, then the deed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from jupyter_rewind import clock
from jupyter_rewind.model.checkpoint import Checkpoint
from jupyter_rewind.model.ids import CheckpointId, EntryId, HistoryId
from jupyter_rewind.model.retention import Policy, choose_expired
from jupyter_rewind.notebooks.absence import gone_since, note_absences
from jupyter_rewind.notebooks.entries import CHECKPOINT, MARK, history_key
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.spare import in_spare_room
from jupyter_rewind.store.transaction import Transaction

Estimate = Callable[[Sequence[EntryId]], int]


@dataclass(frozen=True, slots=True)
class HistoryPlan:
    """What a policy does to one history."""

    history: HistoryId
    path: str
    expire: tuple[CheckpointId, ...]
    keep: Mapping[CheckpointId, str]


@dataclass(frozen=True, slots=True)
class ExpiryPlan:
    """What a policy does to the store; `freed_bytes` is an estimate of what collect frees."""

    policy: Policy
    histories: tuple[HistoryPlan, ...]
    freed_bytes: int

    @property
    def count(self) -> int:
        return sum(len(plan.expire) for plan in self.histories)


def plan_expiry(histories: Histories, policy: Policy, estimate: Estimate) -> ExpiryPlan:
    """What `policy` would expire now; changes nothing, and notes no file that is gone."""
    histories.repository.refresh()
    found = _plans(histories, policy, clock.now_ns())
    plans = tuple(plan for plan in found if plan.expire or plan.keep)
    going = [EntryId(name) for plan in plans for name in plan.expire]
    return ExpiryPlan(policy, plans, estimate(going) if going else 0)


def expire(histories: Histories, policy: Policy, now_ns: int | None = None) -> list[Checkpoint]:
    """What `policy` expires now (or at `now_ns`) has expired; returns those checkpoints.

    Other processes are kept out for one history at a time, and the choice is made anew then, so
    that a label given a moment ago counts. Files that are gone are noted: from then on their
    histories count as deleted.
    """
    store = histories.repository
    moment = clock.now_ns() if now_ns is None else now_ns
    return in_spare_room(store.layout, store.files, lambda: _expire_all(histories, policy, moment))


def _expire_all(histories: Histories, policy: Policy, now_ns: int) -> list[Checkpoint]:
    gone: list[Checkpoint] = []
    histories.repository.refresh()
    note_absences(histories)
    for plan in _plans(histories, policy, now_ns):
        if plan.expire or not plan.keep:
            with histories.repository.transaction(exclusive=True) as tx:
                gone += _expire_in(tx, histories, plan.history, policy, now_ns)
    return gone


def _expire_in(
    tx: Transaction, histories: Histories, history: HistoryId, policy: Policy, now_ns: int
) -> list[Checkpoint]:
    plan = _plan(histories, history, policy, now_ns)
    if plan is None:
        return []
    names = set(plan.expire)
    key = history_key(history)
    marks = histories.repository.entries(kind=MARK, key=key)
    tx.expire(EntryId(name) for name in plan.expire)
    tx.expire(mark.id for mark in marks if mark.body.get("c") in names)
    if not plan.keep:
        # Nothing is left to be found here: the history has no place any more either.
        rest = histories.repository.entries(key=key)
        tx.expire(one.id for one in rest if one.kind not in {MARK, CHECKPOINT})
    return [one for one in histories.checkpoints_of(history) if one.id in names]


def _plans(histories: Histories, policy: Policy, now_ns: int) -> list[HistoryPlan]:
    plans = (_plan(histories, one, policy, now_ns) for one in histories.bindings.histories())
    return [plan for plan in plans if plan is not None]


def _plan(
    histories: Histories, history: HistoryId, policy: Policy, now_ns: int
) -> HistoryPlan | None:
    """What happens to one history; None when it is none, or begun and without a checkpoint yet."""
    place = histories.bindings.place(history)
    if place is None:
        return None
    found = histories.checkpoints_of(history)
    if not found and place.bound:
        return None
    since = gone_since(histories, history, place)
    deleted = {} if since is None else {history: since}
    decision = choose_expired(found, policy, now_ns, deleted=deleted)
    return HistoryPlan(history, place.path, decision.expire, decision.keep)
