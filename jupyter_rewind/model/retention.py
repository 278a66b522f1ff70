"""Which checkpoints a policy keeps: pure, so that it can be tried before anything is dropped.

Heads, labelled and pinned checkpoints always stay. Of the rest, the newest `keep_last` stay, and
the last one of each of the newest `hourly` hours, `daily` days and `weekly` weeks that have any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.model.checkpoint import Checkpoint
from jupyter_rewind.model.ids import CheckpointId

_DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Policy:
    """How many checkpoints of one notebook stay; growth is bounded by the sum of the four.

    A deleted notebook's history goes whole `deleted_days` after its deletion, but for what is
    labelled or pinned; 0 keeps it for ever.
    """

    keep_last: int = 100
    hourly: int = 72
    daily: int = 60
    weekly: int = 104
    deleted_days: int = 180

    def __post_init__(self) -> None:
        for name in ("keep_last", "hourly", "daily", "weekly", "deleted_days"):
            if getattr(self, name) < 0:
                raise InvalidInput(f"retention.{name} cannot be negative.")
        if self.keep_last < 1:
            raise InvalidInput("retention.keep_last must be at least 1: the head always stays.")


@dataclass(frozen=True, slots=True)
class Decision:
    """What stays and why, and what goes; both oldest first."""

    keep: dict[CheckpointId, str] = field(default_factory=dict)
    expire: tuple[CheckpointId, ...] = ()


def choose_expired(
    checkpoints: Sequence[Checkpoint],
    policy: Policy,
    now_ns: int,
    zone: tzinfo | None = None,
    *,
    deleted_ns: int | None = None,
) -> Decision:
    """What `policy` keeps of one history (`checkpoints` oldest first).

    `deleted_ns` is when the notebook was deleted, if it is. Hours, days and weeks are those of
    `zone` (None: this machine's).
    """
    if not checkpoints:
        return Decision()
    gone = (
        deleted_ns is not None
        and policy.deleted_days > 0
        and now_ns - deleted_ns > policy.deleted_days * _DAY_NS
    )
    why: dict[CheckpointId, str] = {}
    for checkpoint in checkpoints:
        if checkpoint.pinned:
            why[checkpoint.id] = "pinned"
        elif checkpoint.labels:
            why[checkpoint.id] = f"label {checkpoint.labels[0]}"
    if not gone:
        newest = list(reversed(checkpoints))
        why.setdefault(newest[0].id, "head")
        for checkpoint in newest[: policy.keep_last]:
            why.setdefault(checkpoint.id, f"one of the last {policy.keep_last}")
        for name, count, bucket in (
            ("hour", policy.hourly, _hour),
            ("day", policy.daily, _day),
            ("week", policy.weekly, _week),
        ):
            for checkpoint in _last_of_each(newest, count, bucket, zone):
                why.setdefault(checkpoint.id, f"last of its {name}")
    return Decision(
        {one.id: why[one.id] for one in checkpoints if one.id in why},
        tuple(one.id for one in checkpoints if one.id not in why),
    )


def _last_of_each(
    newest: Sequence[Checkpoint],
    count: int,
    bucket: Callable[[datetime], tuple[int, ...]],
    zone: tzinfo | None,
) -> list[Checkpoint]:
    found: dict[tuple[int, ...], Checkpoint] = {}
    for checkpoint in newest:
        if len(found) >= count:
            break
        found.setdefault(bucket(_moment(checkpoint.time_ns, zone)), checkpoint)
    return list(found.values())


def _moment(time_ns: int, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(time_ns / 1e9, tz=UTC).astimezone(zone)


def _hour(moment: datetime) -> tuple[int, ...]:
    # The UTC offset tells the two hours apart that a clock change gives the same name.
    offset = moment.utcoffset()
    shift = int(offset.total_seconds()) if offset is not None else 0
    return (moment.year, moment.month, moment.day, moment.hour, shift)


def _day(moment: datetime) -> tuple[int, ...]:
    return (moment.year, moment.month, moment.day)


def _week(moment: datetime) -> tuple[int, ...]:
    return tuple(moment.isocalendar()[:2])
