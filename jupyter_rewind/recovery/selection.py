"""Which sessions of a large history are read: those that tell of the notebook, then new ones.

A history of a million executions is not held in memory whole. Sessions that started when a kernel
of the notebook did come first, then those that ran its cells (a rare cell counts more than a
common one), then the newest, as far as the budget goes. What is left out is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jupyter_rewind.recovery.evidence import Hints, Scope
from jupyter_rewind.recovery.histories import Session

BUDGET_BYTES = 32 << 20
NEWEST_BYTES = 6 << 20
"""Of the budget, so much goes to sessions that tell nothing but are new."""
_TELLING = 0.05


@dataclass(slots=True)
class Tally:
    """What a first, quick look saw of a session; `hits` are keys of known sources that it ran."""

    executions: int = 0
    size_bytes: int = 0
    hits: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Choice:
    """The sessions to read, and how many others hold executions that the scope would allow."""

    sessions: tuple[int, ...]
    left_out: int


def choose_sessions(
    sessions: Mapping[int, Session],
    tallies: Mapping[int, Tally],
    scope: Scope,
) -> Choice:
    """The sessions of a history that are read for this scope, as far as the budget goes."""
    allowed = [
        number
        for number in tallies
        if is_allowed(number, sessions.get(number), scope) and tallies[number].executions
    ]
    if scope.sessions:
        return Choice(tuple(allowed), 0)
    weights = _weights(tallies[number].hits for number in allowed)

    def rank(number: int) -> tuple[bool, bool, float, int]:
        weight = sum(weights[key] for key in tallies[number].hits)
        session = sessions.get(number)
        started = _starts_within(session, scope.hints)
        telling = weight >= _TELLING
        return (not started, not telling, -weight if telling else 0.0, -number)

    chosen: list[int] = []
    left = BUDGET_BYTES
    # With nothing known of the notebook, new is all there is to go by.
    new = NEWEST_BYTES if scope.hints.sources or scope.hints.windows else BUDGET_BYTES
    for number in sorted(allowed, key=rank):
        size = tallies[number].size_bytes
        telling = not all(rank(number)[:2])
        new -= 0 if telling else size
        left -= size
        if chosen and (left < 0 or new < 0):
            break
        chosen.append(number)
    return Choice(tuple(chosen), len(allowed) - len(chosen))


def is_allowed(
    number: int, session: Session | None, scope: Scope, written_ns: int | None = None
) -> bool:
    """Whether the user's own bounds (`--session`, `--since`, `--until`) let this session in.

    One that was killed has no end: it ran nothing after its history was last written.
    """
    if scope.sessions:
        return number in scope.sessions
    if session is None:
        return True
    first, last = session.started_ns, session.ended_ns
    if last is None and first is not None and written_ns is not None:
        last = max(first, written_ns)
    if scope.until_ns is not None and first is not None and first > scope.until_ns:
        return False
    return scope.since_ns is None or last is None or last >= scope.since_ns


def _starts_within(session: Session | None, hints: Hints) -> bool:
    if session is None or session.started_ns is None:
        return False
    return any(first <= session.started_ns <= last for first, last in hints.windows)


def _weights(hits: Iterable[set[int]]) -> Mapping[int, float]:
    seen: Counter[int] = Counter()
    for one in hits:
        seen.update(one)
    return {key: 1 / count for key, count in seen.items()}
