"""What a history must hold, kept in plain dicts; never told by the code under test.

`Oracle` is fed with what was done and answers what there must be. Of the store it knows nothing
but the ids of checkpoints and histories, which stand for themselves.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

WEIGHT = {
    "autosave": 0,
    "save": 1,
    "external-change": 1,
    "before-restore": 1,
    "before-delete": 1,
    "restore": 2,
    "manual": 3,
}
TELLS_NOTHING = {"restore", "external-change", "before-delete"}
MEANT = {"manual", "restore", "before-restore", "before-delete"}
DAY = 86_400 * 10**9


@dataclass
class State:
    """One checkpoint that there must be."""

    id: str
    raw: bytes
    reason: str
    labels: list[str] = field(default_factory=list)
    pinned: bool = False
    made_at: int = 0

    @property
    def is_named(self) -> bool:
        return self.pinned or bool(self.labels)


@dataclass
class Line:
    """One history that there must be."""

    path: str
    id: str = ""
    states: list[State] = field(default_factory=list)
    bound: bool = True
    deleted_at: int = 0
    came_from: str = ""


def said_by(raw: bytes) -> Any:
    """What a state says, volatile metadata aside; bytes for what is no notebook."""
    try:
        book = json.loads(raw)
        for cell in book["cells"]:
            cell["metadata"].pop("execution", None)
    except (ValueError, TypeError, KeyError):
        return raw
    return json.dumps(book, sort_keys=True)


def is_same(before: bytes, after: bytes) -> bool:
    """Whether `after` makes no new checkpoint behind `before`."""
    if before == after:
        return True
    # Equal but for volatile metadata; a mere reformatting has other bytes that must come back.
    return said_by(before) == said_by(after) and json.loads(before) != json.loads(after)


class Oracle:
    """All histories, the paths that have one, and the files on the disk."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.at: dict[str, Line] = {}
        self.files: dict[str, bytes] = {}

    # --- files and bindings ---------------------------------------------------------------

    def unbind(self, path: str, now: int) -> None:
        line = self.at.pop(path, None)
        if line is not None:
            line.bound, line.deleted_at = False, now

    def bind(self, path: str, line: Line, now: int) -> None:
        if self.at.get(path) is not line:
            self.unbind(path, now)
        if line.bound and self.at.get(line.path) is line:
            del self.at[line.path]
        line.path, line.bound = path, True
        self.at[path] = line

    def begin(self, path: str, came_from: str = "") -> Line:
        line = Line(path, came_from=came_from)
        self.lines.append(line)
        self.at[path] = line
        return line

    # --- what a record must do ------------------------------------------------------------

    def expect(self, line: Line, raw: bytes, reason: str) -> bool:
        """Whether recording `raw` makes a new checkpoint; a stronger reason is noted."""
        if not line.states or not is_same(line.states[-1].raw, raw):
            return True
        head = line.states[-1]
        if reason not in TELLS_NOTHING and WEIGHT[reason] > WEIGHT[head.reason]:
            head.reason = reason
        return False

    def line_for(self, path: str, raw: bytes, now: int) -> Line:
        """The history that a state appearing at `path` belongs to."""
        if path in self.at:
            return self.at[path]
        kin = self.holders(raw)
        assert len(kin) <= 1, "the machine must not ask what has several answers"
        if kin and kin[0].states[-1].raw == raw:
            [line] = kin
            gone = line.bound and line.path not in self.files
            if gone or (not line.bound and line.path == path):
                self.bind(path, line, now)
                return line
        return self.begin(path, came_from=kin[0].path if kin else "")

    def holders(self, raw: bytes) -> list[Line]:
        """The histories that hold what `raw` says."""
        said = said_by(raw)
        return [
            line for line in self.lines if any(said_by(state.raw) == said for state in line.states)
        ]

    # --- upkeep ---------------------------------------------------------------------------

    def expire(self, keep_last: int, deleted_days: int, now: int) -> set[str]:
        """Ids that a policy without hours, days and weeks lets go."""
        gone = set()
        for line in list(self.lines):
            if not line.states:
                continue
            over = not line.bound and now - line.deleted_at > deleted_days * DAY
            meant = [
                state
                for state in line.states
                if state.reason in MEANT and now - state.made_at <= DAY
            ]
            last = [state.id for state in line.states[-keep_last:] + meant[-keep_last:]]
            last = [] if over else last
            kept = [state for state in line.states if state.is_named or state.id in last]
            gone |= {state.id for state in line.states} - {state.id for state in kept}
            line.states = kept
            if not kept:
                self.lines.remove(line)
        return gone
