"""Refs: how people name a checkpoint, and what each spelling means.

In this order of meaning: `head` and `head~3`; a full id; a label; the start of an id; a time,
which names the newest checkpoint that is not after it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from jupyter_rewind.errors import InvalidInput

_HEAD = re.compile(r"head(?:~(\d{1,9}))?", re.IGNORECASE)
_FULL_ID = re.compile(r"[0-9a-f]{16}")
_PREFIX = re.compile(r"[0-9a-f]{4,15}")
_AGO = re.compile(
    r"(\d{1,9}|an?|one)\s*"
    r"(s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?|w|weeks?|months?|years?)(?:\s+ago)?",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_DAY = re.compile(r"(today|yesterday)(?:\s+(?:at\s+)?(.+))?", re.IGNORECASE)
_SECONDS = {
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86400,
    "w": 7 * 86400,
    "month": 30 * 86400,
    "y": 365 * 86400,
}


@dataclass(frozen=True, slots=True)
class Head:
    """The newest checkpoint, or the `back`-th before it."""

    back: int = 0


@dataclass(frozen=True, slots=True)
class Named:
    """A full id, a label, or the start of an id: whichever exists, in this order."""

    text: str

    @property
    def is_full_id(self) -> bool:
        return _FULL_ID.fullmatch(self.text) is not None

    @property
    def is_prefix(self) -> bool:
        return _PREFIX.fullmatch(self.text) is not None


@dataclass(frozen=True, slots=True)
class AtTime:
    """The newest checkpoint not after this moment (nanoseconds UTC)."""

    time_ns: int


Ref = Head | Named | AtTime


def parse_ref(text: str, now_ns: int, zone: tzinfo | None = None) -> Ref:
    """What `text` names; times without a zone are in `zone` (None: this machine's).

    Raises InvalidInput for an empty ref. Whether a name exists is for the caller to find out.
    """
    text = text.strip()
    if not text:
        raise InvalidInput(
            "A ref is empty.",
            hint='Give an id, a label, head, head~3 or a time such as "10 minutes ago".',
        )
    head = _HEAD.fullmatch(text)
    if head:
        return Head(int(head.group(1) or 0))
    named = Named(text.lower()) if _FULL_ID.fullmatch(text.lower()) else Named(text)
    if named.is_full_id or named.is_prefix:
        return named
    moment = parse_time(text, now_ns, zone)
    return named if moment is None else AtTime(moment)


def parse_time(text: str, now_ns: int, zone: tzinfo | None = None) -> int | None:
    """The moment that `text` names, in nanoseconds UTC, or None when it names none.

    A day alone means its end, a minute alone its last moment: "not after 14:05" includes what
    happened within that minute.
    """
    text = text.strip()
    ago = _AGO.fullmatch(text)
    if ago and (text.lower().endswith("ago") or text.lower() == "now"):
        return now_ns - _ago_ns(ago.group(1), ago.group(2))
    if text.lower() == "now":
        return now_ns
    now = datetime.fromtimestamp(now_ns / 1e9, tz=zone)
    day = _DAY.fullmatch(text)
    if day:
        base = now if day.group(1).lower() == "today" else _local(now, days=-1)
        return _on_day(base, day.group(2), zone)
    if _CLOCK.fullmatch(text):
        return _on_day(now, text, zone)
    return _iso(text, zone)


def check_label(text: str) -> str:
    """`text`, tidied, as it can be a label. Raises InvalidInput where a ref would misread it."""
    label = " ".join(text.split())
    if not label:
        raise InvalidInput("A label needs at least one visible character.")
    if len(label) > 200:
        raise InvalidInput("A label has at most 200 characters.")
    if _HEAD.fullmatch(label) or _FULL_ID.fullmatch(label.lower()):
        raise InvalidInput(
            f'"{label}" cannot be a label: as a ref it means another thing.',
            hint="Choose a name that is not head, head~N or an id.",
        )
    if parse_time(label, 1_700_000_000_000_000_000) is not None:
        raise InvalidInput(
            f'"{label}" cannot be a label: as a ref it means a time.',
            hint="Add a word to it.",
        )
    return label


def _ago_ns(count: str, unit: str) -> int:
    number = 1 if count.lower() in {"a", "an", "one"} else int(count)
    unit = unit.lower()
    key = "month" if unit.startswith("mon") else unit[0]
    return number * _SECONDS[key] * 1_000_000_000


def _local(now: datetime, *, days: int) -> datetime:
    return now + timedelta(days=days)


def _on_day(day: datetime, text: str | None, zone: tzinfo | None) -> int | None:
    if text is None:
        return _end(day.replace(hour=23, minute=59, second=59, microsecond=0), zone, 1)
    found = _CLOCK.fullmatch(text.strip())
    if not found:
        return None
    hour, minute, second = found.groups()
    try:
        moment = day.replace(
            hour=int(hour), minute=int(minute), second=int(second or 0), microsecond=0
        )
    except ValueError:
        return None
    return _end(moment, zone, 1 if second else 60)


def _iso(text: str, zone: tzinfo | None) -> int | None:
    if not re.match(r"\d{4}-\d{2}-\d{2}(?:[T ]|$)", text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    clock = re.split(r"[Z+]|-\d{2}:?\d{2}$", text[11:])[0] if len(text) > 10 else ""
    if "." in clock:
        return _end(moment, zone, 0)
    span = 86400 if not clock else 60 if clock.count(":") == 1 else 1
    if span == 86400:
        moment = moment.replace(hour=23, minute=59, second=59)
        span = 1
    return _end(moment, zone, span)


def _end(moment: datetime, zone: tzinfo | None, span_seconds: int) -> int | None:
    # A wall time is resolved in its zone only here, so that the clock change between now and
    # then does not shift it.
    try:
        if moment.tzinfo is None or moment.tzinfo is zone:
            naive = moment.replace(tzinfo=None)
            moment = naive.replace(tzinfo=zone) if zone is not None else naive.astimezone()
        seconds = int(moment.timestamp())
    except (OverflowError, OSError, ValueError):
        return None
    fraction = moment.microsecond * 1000
    return (seconds + span_seconds) * 1_000_000_000 + fraction - (1 if span_seconds else 0)
