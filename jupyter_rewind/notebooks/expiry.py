"""Expiring checkpoints by policy: first a plan that can be shown, then the deed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from jupyter_rewind import clock
from jupyter_rewind.model.checkpoint import Checkpoint
from jupyter_rewind.model.ids import CheckpointId, EntryId, HistoryId
from jupyter_rewind.model.retention import Policy, choose_expired
from jupyter_rewind.notebooks.entries import MARK, history_key
from jupyter_rewind.notebooks.history import Histories

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
    """What `policy` would expire now; changes nothing."""
    histories.repository.refresh()
    plans = tuple(_plans(histories, policy))
    going = [EntryId(name) for plan in plans for name in plan.expire]
    return ExpiryPlan(policy, plans, estimate(going) if going else 0)


def expire(histories: Histories, policy: Policy) -> list[Checkpoint]:
    """What `policy` expires now has expired; returns those checkpoints.

    The choice is made anew while no other process can write, so that a label given a moment ago
    counts.
    """
    gone: list[Checkpoint] = []
    with histories.repository.transaction(exclusive=True) as tx:
        for plan in _plans(histories, policy):
            if not plan.expire:
                continue
            names = set(plan.expire)
            found = histories.checkpoints(plan.history)
            gone += [one for one in found if one.id in names]
            marks = histories.repository.entries(kind=MARK, key=history_key(plan.history))
            tx.expire(EntryId(name) for name in plan.expire)
            tx.expire(mark.id for mark in marks if mark.body.get("c") in names)
            if len(names) == len(found):
                rest = histories.repository.entries(key=history_key(plan.history))
                tx.expire(one.id for one in rest if one.kind not in {MARK, "checkpoint"})
    return gone


def _plans(histories: Histories, policy: Policy) -> list[HistoryPlan]:
    now = clock.now_ns()
    plans = []
    for history in histories.bindings.histories():
        place = histories.bindings.place(history)
        found = histories.checkpoints(history)
        if place is None or not found:
            continue
        deleted = {} if place.bound else {history: place.order}
        decision = choose_expired(found, policy, now, deleted=deleted)
        plans.append(HistoryPlan(history, place.path, decision.expire, decision.keep))
    return plans
