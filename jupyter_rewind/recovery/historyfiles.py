"""A history file of any size and in any condition, read through copies.

A small one is read whole. Of a large one only what is needed is copied and held. One that SQLite
refuses is read page by page.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind.errors import Full, RewindError
from jupyter_rewind.recovery import histories
from jupyter_rewind.recovery.copying import copy_database
from jupyter_rewind.recovery.databases import opened
from jupyter_rewind.recovery.evidence import Problem, Scope
from jupyter_rewind.recovery.histories import Line, Rows, Session
from jupyter_rewind.recovery.largehistories import read_large, survey_large

LARGE_BYTES = 64 << 20
_STEADY = "A program went on writing to it while it was copied; its very last lines may lack."


@dataclass(frozen=True, slots=True)
class Ran:
    """One execution of a history, as a search meets it; damage may have `changed` it."""

    session: int
    line: int
    source: str
    changed: bool = False


def load(path: Path, scope: Scope) -> tuple[Rows | None, list[Problem]]:
    """What a history holds, all its variants together; None where it is no history at all. Of one
    for whose copy there is no room, what counts.

    Raises NotFound, Denied, Full, Unavailable.
    """
    if path.stat().st_size > LARGE_BYTES:
        with suppress(sqlite3.DatabaseError):
            return read_large(path, scope), []
    scope.progress(f"copying {path}", None)
    try:
        copy = copy_database(path, scope.scratch)
    except Full:
        with suppress(sqlite3.DatabaseError, OSError):
            return read_large(path, scope), []
        raise
    problems = [] if copy.steady else [Problem(str(path), _STEADY)]
    scope.progress(f"reading {path}", None)
    found = read_variant(copy.path)
    if found is not None and copy.bare is not None:
        # Half a change: recovery takes back what it wrote, the pages themselves still have it.
        unfinished = histories.salvage_history(copy.bare, copy.taken_back())
        unfinished.damages.clear()
        found.add(unfinished)
    return found, problems


def read_variant(path: Path) -> Rows | None:
    """A copy's rows, those that SQLite cannot give taken from its pages; None: no history."""
    if path.stat().st_size == 0:
        return Rows(damages=["The file is empty (0 bytes)."])
    try:
        with opened(path, histories.connect) as connection:
            tables = histories.find_tables(connection)
            if tables is None:
                return None
            rows = histories.read_rows(connection, tables)
            rows.sessions = histories.read_sessions(connection, tables)
            return rows
    except sqlite3.DatabaseError:
        return histories.salvage_history(path)


def session_of(path: Path, number: int, scope: Scope) -> Session | None:
    """What a history says of one session; None where it cannot be told."""
    try:
        if path.stat().st_size > LARGE_BYTES:
            survey = survey_large(path, scope)
            return None if survey is None else survey.sessions.get(number)
        copy = copy_database(path, scope.scratch)
        with opened(copy.path, histories.connect) as connection:
            tables = histories.find_tables(connection)
            if tables is None:
                return None
            return histories.read_sessions(connection, tables).get(number)
    except (sqlite3.DatabaseError, RewindError, OSError):
        return None


class Stream:
    """Everything that a history holds, one execution at a time, however large it is.

    `sessions` and `problems` are whole once the executions have been read to their end.
    """

    def __init__(self, path: Path, scope: Scope) -> None:
        self.path = path
        self.scope = scope
        self.sessions: dict[int, Session] = {}
        self.problems: list[Problem] = []

    def __iter__(self) -> Iterator[Ran]:
        copy = copy_database(self.path, self.scope.scratch)
        if not copy.steady:
            self.problems.append(Problem(str(self.path), _STEADY))
        given: set[Line] = set()
        keep = copy.bare is not None or self.path.stat().st_size <= LARGE_BYTES
        try:
            for ran in self._through(copy.path):
                if keep:
                    given.add((ran.session, ran.line))
                yield ran
        except sqlite3.DatabaseError:
            yield from self._salvaged(copy.path, given, None)
        if copy.bare is not None:
            told = len(self.problems)
            yield from self._salvaged(copy.bare, given, copy.taken_back())
            del self.problems[told:]

    def _through(self, path: Path) -> Iterator[Ran]:
        with opened(path, histories.connect) as connection:
            tables = histories.find_tables(connection)
            if tables is None:
                words = "This is no history of IPython (no table with session, line and source)."
                self.problems.append(Problem(str(self.path), words))
                return
            self.sessions = histories.read_sessions(connection, tables)
            for number, line, source in histories.read_sources(connection, tables):
                yield Ran(number, line, source)

    def _salvaged(
        self, path: Path, given: set[Line], only: Collection[int] | None
    ) -> Iterator[Ran]:
        rows = histories.salvage_history(path, only)
        self.sessions = {**rows.sessions, **self.sessions}
        self.problems += [Problem(str(self.path), words) for words in rows.damages]
        for (number, line), source in sorted(rows.lines.items()):
            if (number, line) not in given:
                yield Ran(number, line, source)
        for (number, line), texts in sorted(rows.doubtful.items()):
            if (number, line) not in given:
                yield from (Ran(number, line, source, changed=True) for source in texts)
