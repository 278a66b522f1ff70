"""A ref: the words with which a human names a checkpoint of a notebook or a snapshot of a kernel.

In this order, the first that fits wins: `head` and `head~3`, a whole id, a label, the unique
beginning of an id (four digits or more), a time. A time means the newest checkpoint that is not
after it; one given to the day, minute or second means the end of that day, minute or second, so
that what a list shows as "14:05" is what "14:05" finds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as clock_time
from typing import Protocol, TypeAlias, TypeVar

from jupyter_rewind.errors import Conflict, InvalidInput, NotFound

ID_LENGTH = 16
SHORTEST_PREFIX = 4
LONGEST_LABEL = 200


@dataclass(frozen=True, slots=True)
class Head:
    """The newest checkpoint, or the one `back` before it. Those known to be lost do not count,
    as long as there is another."""

    back: int = 0


@dataclass(frozen=True, slots=True)
class ById:
    """The checkpoint whose id is `prefix`, or the only one whose id begins so."""

    prefix: str

    @property
    def is_whole(self) -> bool:
        return len(self.prefix) == ID_LENGTH


@dataclass(frozen=True, slots=True)
class ByLabel:
    """The newest checkpoint that carries this label."""

    label: str


@dataclass(frozen=True, slots=True)
class AtTime:
    """The newest checkpoint that is not after this moment."""

    time_ns: int


Meaning: TypeAlias = Head | ById | ByLabel | AtTime

_HEAD = re.compile(r"head(?:~(\d{1,9}))?", re.IGNORECASE)
_ID = re.compile(rf"[0-9a-f]{{{SHORTEST_PREFIX},{ID_LENGTH}}}")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_AGO = re.compile(
    r"(?P<count>\d{1,9}|an?)\s*"
    r"(?P<unit>seconds?|secs?|s|minutes?|mins?|m|hours?|h|days?|d|weeks?|w)\s+ago",
    re.IGNORECASE,
)
_MOMENT = re.compile(
    r"(?:(?P<day>\d{4}-\d{2}-\d{2}|yesterday|today)(?:[T\s]\s*(?=\d)|\Z))?"
    r"(?:(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<part>\d{1,9}))?)?"
    r"\s*(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)?)?",
    re.IGNORECASE,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_NS = 1_000_000_000


def parse_ref(text: str, now_ns: int, tz: tzinfo | None = None) -> tuple[Meaning, ...]:
    """What `text` can mean, in the order in which to try.

    Times without a zone are read in `tz`, or where it is None in this machine's local zone.
    Raises InvalidInput for an empty text.
    """
    text = text.strip()
    if not text:
        raise InvalidInput("An empty ref names no checkpoint.", hint=_HINT)
    if head := _HEAD.fullmatch(text):
        return (Head(int(head[1] or 0)),)
    meanings: list[Meaning] = [ByLabel(text)]
    if _ID.fullmatch(text.lower()):
        by_id = ById(text.lower())
        meanings.insert(0 if by_id.is_whole else 1, by_id)
    moment = parse_time(text, now_ns, tz)
    if moment is not None:
        meanings.append(AtTime(moment))
    return tuple(meanings)


class State(Protocol):
    """What a ref can name."""

    @property
    def id(self) -> str: ...
    @property
    def time_ns(self) -> int: ...
    @property
    def labels(self) -> tuple[str, ...]: ...


S = TypeVar("S", bound=State)


def resolve_ref(
    text: str,
    states: Sequence[S],
    now_ns: int,
    tz: tzinfo | None = None,
    *,
    noun: str = "checkpoint",
) -> S:
    """The one of `states` (oldest first), each a `noun`, that `text` names.

    Raises InvalidInput (no words at all), NotFound, Conflict (the beginning of several ids).
    """
    for meaning in parse_ref(text, now_ns, tz):
        found = _find(meaning, states, noun)
        if found is not None:
            return found
    if not states:
        raise NotFound(f"There is no {noun} yet.")
    if any(isinstance(meaning, AtTime) for meaning in parse_ref(text, now_ns, tz)):
        first_ns = min(one.time_ns for one in states)
        oldest = datetime.fromtimestamp(first_ns / _SECOND_NS, tz)
        raise NotFound(
            f'No {noun} is as old as "{text.strip()}": the oldest is of'
            f" {oldest:%Y-%m-%d %H:%M:%S}.",
            hint=_HINT,
        )
    raise NotFound(f'No {noun} is meant by "{text.strip()}".', hint=_HINT)


_HINT = (
    "A ref is an id or its beginning, a label, head, head~3, or a time "
    'such as "2026-11-20 14:05" or "10 minutes ago".'
)


def _find(meaning: Meaning, states: Sequence[S], noun: str) -> S | None:
    newest_first = reversed(states)
    if isinstance(meaning, Head):
        # A checkpoint says whether its content is known to be lost; a snapshot has no such word.
        counted = [one for one in states if getattr(one, "readable", True)] or states
        return counted[-1 - meaning.back] if meaning.back < len(counted) else None
    if isinstance(meaning, ByLabel):
        return next((one for one in newest_first if meaning.label in one.labels), None)
    if isinstance(meaning, AtTime):
        # Clocks differ, and what is imported may be of any time: order does not tell the newest.
        before = [one for one in newest_first if one.time_ns <= meaning.time_ns]
        return max(before, key=lambda one: one.time_ns, default=None)
    fitting = [one for one in states if one.id.startswith(meaning.prefix)]
    if len(fitting) > 1:
        raise Conflict(
            f'"{meaning.prefix}" begins the ids of {len(fitting)} checkpoints.',
            hint="Give more of the id: " + ", ".join(one.id for one in fitting[:4]) + ".",
        )
    return fitting[0] if fitting else None


def check_label(text: str, tz: tzinfo | None = None) -> str:
    """`text` without the space around it, fit to be a label: it can be meant by nothing else.

    Raises InvalidInput.
    """
    label = text.strip()
    if not label:
        raise InvalidInput("A label needs at least one letter.")
    if len(label) > LONGEST_LABEL:
        raise InvalidInput(f"A label has at most {LONGEST_LABEL} letters.")
    if not label.isprintable():
        raise InvalidInput("A label stands on one line and has no control characters.")
    if label.lower() == "head" or label.lower().startswith("head~"):
        raise InvalidInput(f'"{label}" already means a place in the history.', hint=_OTHER)
    if len(label) == ID_LENGTH and _ID.fullmatch(label.lower()):
        raise InvalidInput(f'"{label}" looks like the id of a checkpoint.', hint=_OTHER)
    if parse_time(label, 0, tz) is not None:
        raise InvalidInput(f'"{label}" looks like a time.', hint=_OTHER)
    return label


_OTHER = "Choose other words for the label."


def parse_time(text: str, now_ns: int, tz: tzinfo | None = None) -> int | None:
    """The moment that `text` tells, in nanoseconds since 1970 UTC, or None if it tells none.

    A time of day alone is the last such time that has begun; in the hour that a change of clocks
    repeats, the second one; in the hour that it leaves out, as if the clocks had not changed.
    """
    text = text.strip()
    if text.lower() == "now":
        return now_ns
    if ago := _AGO.fullmatch(text):
        count = 1 if ago["count"].lower() in ("a", "an") else int(ago["count"])
        return now_ns - count * _UNITS[ago["unit"][0].lower()] * _SECOND_NS
    found = _MOMENT.fullmatch(text)
    if not text or found is None or (found["day"] is None and found["zone"] is not None):
        return None
    try:
        return _moment(found, now_ns, tz)
    except (ValueError, OverflowError, OSError):
        return None


def _moment(found: re.Match[str], now_ns: int, tz: tzinfo | None) -> int:
    if found["zone"] is not None:
        tz = _zone(found["zone"])
    today = _local_date(now_ns, tz)
    day = _day(found["day"], today)
    if found["hour"] is None:
        return _to_ns(datetime.combine(day, clock_time(23, 59, 59)), tz) + _SECOND_NS - 1
    second = int(found["second"] or 0)
    wall = datetime.combine(day, clock_time(int(found["hour"]), int(found["minute"]), second))
    if found["day"] is None and _to_ns(wall.replace(fold=0), tz, fold=0) > now_ns:
        wall -= timedelta(days=1)
    start = _to_ns(wall, tz)
    if found["part"] is not None:
        digits: str = found["part"]
        return start + int(digits.ljust(9, "0")) + int("1".ljust(10 - len(digits), "0")) - 1
    length = 60 if found["second"] is None else 1
    return start + length * _SECOND_NS - 1


def _day(text: str | None, today: date) -> date:
    if text is None or text.lower() == "today":
        return today
    if text.lower() == "yesterday":
        return today - timedelta(days=1)
    return date.fromisoformat(text)


def _zone(text: str) -> tzinfo:
    zone = datetime.fromisoformat(f"2000-01-01T00:00:00{text.upper()}").tzinfo
    return zone or UTC


def _local_date(now_ns: int, tz: tzinfo | None) -> date:
    return datetime.fromtimestamp(now_ns // _SECOND_NS, tz).date()


def _to_ns(wall: datetime, tz: tzinfo | None, *, fold: int = 1) -> int:
    """`wall` as a clock in `tz` shows it; `fold` chooses in the hour that is shown twice."""
    if tz is None:
        shown = wall.replace(fold=fold).timestamp()
        before = wall.replace(fold=0).timestamp()
        return int(max(shown, before) if fold else before) * _SECOND_NS
    first = (wall.replace(tzinfo=tz, fold=0) - _EPOCH) // timedelta(seconds=1)
    second = (wall.replace(tzinfo=tz, fold=1) - _EPOCH) // timedelta(seconds=1)
    return (max(first, second) if fold else first) * _SECOND_NS
