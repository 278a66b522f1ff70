"""Which checkpoints a policy keeps: a pure choice, made from their times and marks alone.

The newest `keep_last` of each history stay, and besides them as many of the last 24 hours that a
person meant: autosaves do not push those out. Then one of each of the last `hourly` hours, `daily`
days and `weekly` weeks *that have one*, so that a notebook which rests for a year loses nothing by
resting: the newest that a person meant, else the newest. Labels and pins always stay, and the
newest that can be read; one known to be lost stays only where there is room among `keep_last`.
Choosing again from what was kept changes nothing, and what one choice expired no later one would
have kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from jupyter_rewind.model.checkpoint import Checkpoint
from jupyter_rewind.model.ids import CheckpointId, HistoryId

_DAY_NS = 86_400 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Policy:
    """How much of each history stays. Zero switches a rule off; `keep_last` is at least one."""

    keep_last: int = 100
    hourly: int = 72
    daily: int = 60
    weekly: int = 104
    deleted_days: int = 180

    @property
    def most(self) -> int:
        """No history keeps more than this, labels and pins not counted."""
        return 2 * max(1, self.keep_last) + sum(max(0, n) for n in self._periods)

    @property
    def _periods(self) -> tuple[int, int, int]:
        return self.hourly, self.daily, self.weekly


@dataclass(frozen=True, slots=True)
class Decision:
    """What stays, and in words why; what goes, oldest first."""

    keep: Mapping[CheckpointId, str] = field(default_factory=dict)
    expire: tuple[CheckpointId, ...] = ()


def choose_expired(
    checkpoints: Iterable[Checkpoint],
    policy: Policy,
    now_ns: int,
    tz: tzinfo | None = None,
    *,
    deleted: Mapping[HistoryId, int] | None = None,
) -> Decision:
    """What `policy` keeps of `checkpoints`, which stand oldest first within each history.

    `deleted` tells since when (ns) a history has no file. After `deleted_days` such a history
    keeps only what is labelled or pinned. Hours, days and weeks are those of `tz`, or of this
    machine where it is None.
    """
    histories: dict[HistoryId, list[Checkpoint]] = {}
    for checkpoint in checkpoints:
        histories.setdefault(checkpoint.history, []).append(checkpoint)
    keep: dict[CheckpointId, str] = {}
    expire: list[Checkpoint] = []
    for history, members in histories.items():
        since = (deleted or {}).get(history)
        is_over = since is not None and now_ns - since > policy.deleted_days * _DAY_NS
        reasons = _by_hand(members) if is_over else _kept(members, policy, now_ns, tz)
        keep.update(reasons)
        expire.extend(one for one in members if one.id not in reasons)
    expire.sort(key=lambda one: (one.time_ns, one.id))
    return Decision(keep, tuple(one.id for one in expire))


def _by_hand(members: list[Checkpoint]) -> dict[CheckpointId, str]:
    keep = {}
    for one in members:
        if one.labels:
            keep[one.id] = "label " + ", ".join(f'"{label}"' for label in one.labels)
        elif one.pinned:
            keep[one.id] = "pinned"
    return keep


def _kept(
    members: list[Checkpoint], policy: Policy, now_ns: int, tz: tzinfo | None
) -> dict[CheckpointId, str]:
    keep = _by_hand(members)
    good = [one for one in members if one.readable]
    keep.setdefault((good or members)[-1].id, "head")
    last = max(1, policy.keep_last)
    lost = [one for one in members if not one.readable]
    for one in [*good[-last:], *lost[len(lost) - max(0, last - len(good)) :]]:
        keep.setdefault(one.id, f"one of the last {last}")
    meant = [one for one in good if _is_meant_today(one, now_ns)]
    for one in meant[-last:]:
        keep.setdefault(one.id, "made by hand in the last 24 hours")
    for count, name, period in (
        (policy.hourly, "hour", _hour),
        (policy.daily, "day", _day),
        (policy.weekly, "week", _week),
    ):
        for one in _best_of_each(good, count, period, tz):
            keep.setdefault(one.id, f"newest of its {name}")
    return keep


def _is_meant_today(one: Checkpoint, now_ns: int) -> bool:
    return one.reason.is_deliberate and now_ns - one.time_ns <= _DAY_NS


def _best_of_each(
    members: list[Checkpoint],
    count: int,
    period: Callable[[datetime], object],
    tz: tzinfo | None,
) -> Iterable[Checkpoint]:
    """Of each period, the newest that a person meant, or the newest where nobody meant one."""
    best: dict[object, Checkpoint] = {}
    for one in reversed(members):
        at = datetime.fromtimestamp(one.time_ns // 1_000_000_000, tz)
        mine = period(at if tz else at.astimezone())
        if mine not in best:
            if len(best) >= count:
                break
            best[mine] = one
        elif one.reason.is_deliberate and not best[mine].reason.is_deliberate:
            best[mine] = one
    return best.values()


# The offset is part of an hour: when the clocks go back, the repeated hour is another hour.
def _hour(at: datetime) -> object:
    return at.date(), at.hour, at.utcoffset()


def _day(at: datetime) -> object:
    return at.date()


def _week(at: datetime) -> object:
    return at.isocalendar()[:2]
