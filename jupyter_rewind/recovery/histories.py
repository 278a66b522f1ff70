"""IPython's history database as kernel runs: which sessions there were, and what they ran.

Reads copies only. What SQLite refuses is taken from the pages that still read, and a row that
damage may have changed is given as a fragment, never as something that was run.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from jupyter_rewind.recovery.leaves import Row, open_damaged, salvage_index, salvage_rows
from jupyter_rewind.recovery.pages import Pages, Value

Line = tuple[int, int]
_MARK = b"SQLite format 3\0"
_WORD = re.compile(r"\w+")
_ESCAPE = re.compile(r"\\+[ntr]")
_PROMPT = re.compile(r"^[ \t]*(>>>|\.\.\.+:?|In \[\d+\]:)", re.MULTILINE)
_REWRITING = frozenset(
    {
        "get_ipython", "run_line_magic", "run_cell_magic", "magic", "system", "getoutput",
        "pinfo", "pinfo2", "psearch",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Session:
    """What IPython says of one session; its number is unique within one file only."""

    number: int
    started_ns: int | None = None
    ended_ns: int | None = None
    commands: int | None = None
    remark: str = ""
    utc_end_ns: int | None = None


@dataclass(slots=True)
class Rows:
    """What was read of one history: filled by the functions below, then only looked at.

    `doubtful` are texts that damage may have changed, with their session and line where known.
    """

    sessions: dict[int, Session] = field(default_factory=dict)
    lines: dict[Line, str] = field(default_factory=dict)
    outputs: dict[Line, str] = field(default_factory=dict)
    doubtful: dict[Line, tuple[str, ...]] = field(default_factory=dict)
    damages: list[str] = field(default_factory=list)

    def add(self, other: Rows) -> None:
        """What `other` has and this has not; what this has stays as it is."""
        self.sessions = {**other.sessions, **self.sessions}
        self.lines = {**other.lines, **self.lines}
        self.outputs = {**other.outputs, **self.outputs}
        doubtful = {**other.doubtful, **self.doubtful}
        self.doubtful = {at: one for at, one in doubtful.items() if at not in self.lines}
        self.damages += [words for words in other.damages if words not in self.damages]


def connect(path: Path) -> sqlite3.Connection:
    """A connection to a copy of ours; its texts come as bytes."""
    connection = sqlite3.connect(path)
    connection.text_factory = bytes
    return connection


@dataclass(frozen=True, slots=True)
class Tables:
    """What the tables are called here: IPython's own names, or those of old recipes."""

    history: str
    source: str
    sessions: str | None
    outputs: str | None


def find_tables(connection: sqlite3.Connection) -> Tables | None:
    """The tables of a history, known by their columns; None where this is no history.

    Raises sqlite3.DatabaseError where the file is damaged.
    """
    history = sessions = outputs = None
    source = "source_raw"
    query = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    for (raw,) in connection.execute(query).fetchall():
        name = raw.decode("utf-8", "replace")
        told = connection.execute(f'PRAGMA table_info("{_quoted(name)}")').fetchall()
        columns = {row[1].decode("utf-8", "replace") for row in told}
        if {"session", "line"} <= columns and columns & {"source", "source_raw"}:
            if history is None or name == "history":
                history = name
                source = _source_column(columns)
        elif {"session", "start"} <= columns:
            sessions = name if sessions is None or name == "sessions" else sessions
        elif {"session", "line", "output"} <= columns:
            outputs = name
    if history is None:
        return None
    return Tables(_quoted(history), source, sessions, outputs)


def _source_column(columns: set[str]) -> str:
    if {"source", "source_raw"} <= columns:
        return "coalesce(nullif(source_raw, ''), source)"
    return "source_raw" if "source_raw" in columns else "source"


def _quoted(name: str) -> str:
    return name.replace('"', '""')


def read_sessions(connection: sqlite3.Connection, tables: Tables) -> dict[int, Session]:
    """All sessions, whether or not they ran anything. Raises sqlite3.DatabaseError."""
    if tables.sessions is None:
        return {}
    found = {}
    rows = connection.execute(f'SELECT * FROM "{_quoted(tables.sessions)}"')
    names = [column[0] for column in rows.description]
    for row in rows:
        told = dict(zip(names, row, strict=True))
        number = told.get("session")
        if isinstance(number, int):
            found[number] = _session(
                number,
                told.get("start"),
                told.get("end"),
                told.get("num_cmds"),
                told.get("remark"),
            )
    return found


def _session(number: int, start: Value, end: Value, commands: Value, remark: Value) -> Session:
    started, ended = read_time(start), read_time(end)
    if started is not None and ended is not None and ended < started:
        # Newer IPython writes the end in UTC, the start in local time; some lose the zone.
        ended = read_time(end, naive_utc=True)
        ended = ended if ended is not None and ended >= started else None
    count = commands if isinstance(commands, int) else None
    return Session(number, started, ended, count, _text(remark) or "", _utc_time(end))


def _utc_time(value: Value) -> int | None:
    """A timestamp that says in which time zone it is, as nanoseconds since 1970."""
    text = _text(value) or ""
    is_told = "+" in text[10:] or "-" in text[10:] or text.endswith("Z")
    return read_time(value) if is_told else None


def read_time(value: Value, *, naive_utc: bool = False) -> int | None:
    """IPython's timestamp as nanoseconds since 1970; one without a zone is in local time."""
    text = _text(value)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None and naive_utc:
            moment = moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1_000_000) * 1000
    except (ValueError, OverflowError, OSError):
        return None


def _text(value: Value) -> str | None:
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return None
    return value if isinstance(value, str) else None


def read_sources(
    connection: sqlite3.Connection, tables: Tables, sessions: Collection[int] | None = None
) -> Iterator[tuple[int, int, str]]:
    """What these sessions (None: all) ran. Raises sqlite3.DatabaseError where damage is met."""
    columns = f"session, line, {tables.source}"
    for number, line, raw in _select(connection, columns, tables.history, sessions):
        if not isinstance(number, int) or not isinstance(line, int):
            raise sqlite3.DatabaseError("a row without its numbers")
        source = _text(raw)
        if source is None and raw is not None:
            raise sqlite3.DatabaseError("a row whose text is no text")
        if source:
            yield number, line, source


def read_rows(
    connection: sqlite3.Connection, tables: Tables, sessions: Collection[int] | None = None
) -> Rows:
    """What these sessions (None: all) ran, with outputs. Raises sqlite3.DatabaseError."""
    rows = Rows()
    for number, line, source in read_sources(connection, tables, sessions):
        rows.lines[number, line] = source
    if tables.outputs is not None:
        columns = "session, line, output"
        for session, at, raw in _select(connection, columns, tables.outputs, sessions):
            output = _text(raw)
            if output is not None and isinstance(session, int) and isinstance(at, int):
                rows.outputs[session, at] = output
    return rows


def _select(
    connection: sqlite3.Connection, columns: str, table: str, sessions: Collection[int] | None
) -> Iterator[tuple[Value, Value, Value]]:
    query = f'SELECT {columns} FROM "{_quoted(table)}"'
    if sessions is None:
        yield from connection.execute(query)
        return
    for number in sorted(sessions):
        yield from connection.execute(f"{query} WHERE session = ? ORDER BY line", (number,))


# --- damage ----------------------------------------------------------------------------


def salvage_history(path: Path, only: Collection[int] | None = None) -> Rows:
    """What the pages of a damaged history still hold (`only`: of these pages).

    A row whose two texts (as typed, as run) differ in a way that IPython does not make, of which
    one does not read, or whose numbers its index denies, is doubtful.
    """
    rows = Rows()
    with open_damaged(path) as pages:
        index = _numbers_by_rowid(pages)
        for row in salvage_rows(pages, _fits, frozenset({3, 4, 5}), only):
            _take(rows, row, index)
    rows.doubtful = {
        at: texts for at, texts in rows.doubtful.items() if texts and at not in rows.lines
    }
    words = f"{len(rows.lines)} executions were read from the pages that are whole"
    if rows.doubtful:
        words += f", {len(rows.doubtful)} more may be changed by the damage"
    if not rows.lines and not rows.doubtful and not rows.sessions and not _is_database(path):
        rows.damages.append("This is no SQLite database, and no history of IPython.")
    else:
        rows.damages.append(f"The database is damaged: {words}.")
    return rows


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MARK)) == _MARK


def _take(rows: Rows, row: Row, index: dict[int, set[Line]]) -> None:
    values = row.values
    if len(values) == 5:
        number = row.rowid
        session = _session(number, values[1], values[2], values[3], values[4])
        kept = rows.sessions.get(number)
        rows.sessions[number] = session if kept is None else _richer(kept, session)
        return
    session_number, line = values[0], values[1]
    if not isinstance(session_number, int) or not isinstance(line, int):
        return
    at = (session_number, line)
    known = index.get(row.rowid)
    if len(values) == 3:
        if row.whole and (known is None or at in known):
            rows.outputs.setdefault(at, str(values[2]))
        return
    text, raw = (str(one) if _reads(one) else "" for one in values[2:])
    is_whole = row.whole and all(one is None or _reads(one) for one in values[2:])
    sound = is_whole and is_same_code(text, raw) and (known is None or at in known)
    if sound and at not in rows.lines:
        rows.lines[at] = raw or text
    elif not sound:
        texts = dict.fromkeys((*rows.doubtful.get(at, ()), raw, text))
        rows.doubtful[at] = tuple(each for each in texts if each)


def _richer(one: Session, other: Session) -> Session:
    return replace(
        one,
        started_ns=one.started_ns or other.started_ns,
        ended_ns=one.ended_ns or other.ended_ns,
        utc_end_ns=one.utc_end_ns or other.utc_end_ns,
        commands=one.commands if one.commands is not None else other.commands,
        remark=one.remark or other.remark,
    )


def _fits(values: tuple[Value, ...]) -> bool:
    if len(values) == 5:
        started = read_time(values[1]) is not None and values[0] is None
        return started and isinstance(values[3], int | None) and isinstance(values[4], str | None)
    numbers = values[:2]
    if not all(isinstance(one, int) and 0 <= one < 1 << 40 for one in numbers):
        return False
    texts = [one for one in values[2:] if one is not None]
    # Where one of a cell's two texts is hurt, the other may be whole.
    enough = any if len(values) == 4 and texts else all
    return all(isinstance(one, str) for one in texts) and enough(map(_reads, texts))


def _reads(text: Value) -> bool:
    return isinstance(text, str) and "\0" not in text


def _numbers_by_rowid(pages: Pages) -> dict[int, set[Line]]:
    # The indexes of history and output_history look alike: both may speak of a rowid.
    found: dict[int, set[Line]] = {}
    for session, line, rowid in salvage_index(pages, 3):
        if isinstance(session, int) and isinstance(line, int) and isinstance(rowid, int):
            found.setdefault(rowid, set()).add((session, line))
    return found


def is_same_code(run: str, typed: str) -> bool:
    """Whether `typed` became `run` by nothing but IPython's own rewriting of magics and prompts."""
    if run.strip() == typed.strip() or not run or not typed:
        return True
    if "get_ipython()" not in run and not _PROMPT.search(typed):
        return False
    return _words(run) == _words(_PROMPT.sub("", typed))


def _words(text: str) -> list[str]:
    # A magic's body stands in the rewritten text as a literal, its line ends escaped.
    found = _WORD.findall(_ESCAPE.sub(" ", text))
    return [word for word in found if word not in _REWRITING]
