"""Expiring checkpoints by policy: first a plan that can be shown, then the deed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from jupyter_rewind import clock
from jupyter_rewind.model.checkpoint import Checkpoint
from jupyter_rewind.model.ids import CheckpointId, EntryId, HistoryId
from jupyter_rewind.model.retention import Policy, choose_expired
from jupyter_rewind.notebooks.absence import gone_since, note_absences
from jupyter_rewind.notebooks.entries import CHECKPOINT, MARK, history_key
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.shut import require_open
from jupyter_rewind.store.spare import in_spare_room
from jupyter_rewind.store.transaction import Transaction

_LEAST = Policy(keep_last=1, hourly=0, daily=0, weekly=0, deleted_days=1_000_000)
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
    histories count as deleted. Raises Denied where not every segment may be read.
    """
    store = histories.repository
    store.refresh()
    # A label or a pin may stand where this user may not read.
    require_open(store.shut(), "expire checkpoints")
    moment = clock.now_ns() if now_ns is None else now_ns
    return in_spare_room(store.layout, store.files, lambda: _expire_all(histories, policy, moment))


def list_expendable(histories: Histories, now_ns: int) -> list[Checkpoint]:
    """The checkpoints that may go where room is short: all but each history's newest, the newest
    of today that a person meant, and those with a label or a pin. Changes nothing."""
    found: list[Checkpoint] = []
    for plan in _plans(histories, _LEAST, now_ns):
        names = set(plan.expire)
        found += [one for one in histories.checkpoints_of(plan.history) if one.id in names]
    return found


def expire_expendable(
    histories: Histories, wanted: Collection[CheckpointId], now_ns: int
) -> list[Checkpoint]:
    """Those of `wanted` that may still go have expired; the choice is made anew, as in `expire`."""
    gone: list[Checkpoint] = []
    histories.repository.refresh()
    require_open(histories.repository.shut(), "expire checkpoints")
    for plan in _plans(histories, _LEAST, now_ns):
        if not any(name in wanted for name in plan.expire):
            continue
        with histories.repository.transaction(exclusive=True) as tx:
            now = _plan(histories, plan.history, _LEAST, now_ns)
            names = {name for name in now.expire if name in wanted} if now is not None else set()
            gone += _expire_named(tx, histories, plan.history, names)
    return gone


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
    gone = _expire_named(tx, histories, history, set(plan.expire))
    if not plan.keep:
        # Nothing is left to be found here: the history has no place any more either.
        rest = histories.repository.entries(key=history_key(history))
        tx.expire(one.id for one in rest if one.kind not in {MARK, CHECKPOINT})
    return gone


def _expire_named(
    tx: Transaction, histories: Histories, history: HistoryId, names: Collection[CheckpointId]
) -> list[Checkpoint]:
    marks = histories.repository.entries(kind=MARK, key=history_key(history))
    tx.expire(EntryId(name) for name in names)
    tx.expire(mark.id for mark in marks if mark.body.get("c") in names)
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
