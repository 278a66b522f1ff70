"""A history of gigabytes: only the sessions that matter are copied and read.

First comes what tells sessions apart (IPython's own table and index, a few megabytes). Then the
newest pages are looked through for cells of the notebook, by their length before anything else.
Then the rows of the chosen sessions are copied and read by SQLite as ever.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from jupyter_rewind import clock
from jupyter_rewind.recovery import histories
from jupyter_rewind.recovery.copying import journal_pages
from jupyter_rewind.recovery.databases import opened
from jupyter_rewind.recovery.evidence import Scope
from jupyter_rewind.recovery.histories import Rows, Session, Tables
from jupyter_rewind.recovery.pages import (
    Pages,
    cell_pointers,
    read_cell,
    read_payload,
    read_record,
)
from jupyter_rewind.recovery.selection import Choice, Tally, choose_sessions
from jupyter_rewind.recovery.sparse import SparseCopy, indexes_of, root_of
from jupyter_rewind.store.durable import Files

SEARCHED_BYTES = 1 << 31
_BLOCK_BYTES = 1 << 22


@dataclass(frozen=True, slots=True)
class Overview:
    """The sessions of a history and how much each ran, without one line of code."""

    sessions: Mapping[int, Session]
    tallies: Mapping[int, Tally]


def read_large(path: Path, scope: Scope) -> Rows | None:
    """What the chosen sessions ran; None where this is no history.

    Raises sqlite3.DatabaseError where the file is damaged, or has a WAL: read it whole then.
    """
    if _size(Path(f"{path}-wal")):
        raise sqlite3.DatabaseError("there is a write-ahead log")
    overlay = journal_pages(Path(f"{path}-journal"))
    with _copy(path, scope, overlay) as copy:
        found = _read(copy, path, scope)
    if found is not None and overlay:
        try:
            with _copy(path, scope, {}) as copy:
                unfinished = _read(copy, path, scope)
        except sqlite3.DatabaseError:
            # Half a change need not hold together; what recovery makes of it has been read.
            return found
        if unfinished is not None:
            found.add(replace(unfinished, damages=[]))
    return found


def survey_large(path: Path, scope: Scope) -> Overview | None:
    """All sessions with how many executions each has; raises as `read_large`."""
    with _copy(path, scope, journal_pages(Path(f"{path}-journal"))) as copy:
        frame = _frame(copy)
        return None if frame is None else frame[1]


def _copy(path: Path, scope: Scope, overlay: Mapping[int, bytes]) -> SparseCopy:
    folder = scope.scratch / clock.new_id()
    Files().make_folder(folder)
    return SparseCopy(path, folder / "sparse.sqlite", overlay)


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _frame(copy: SparseCopy) -> tuple[Tables, Overview] | None:
    """The tables and the sessions, once what tells of them is copied."""
    roots = copy.roots()
    with opened(copy.target, histories.connect) as connection:
        tables = histories.find_tables(connection)
    if tables is None:
        return None
    indexes = indexes_of(roots, tables.history)
    if not indexes:
        raise sqlite3.DatabaseError("the history has no index")
    for root in indexes:
        copy.copy_tree(root)
    if tables.sessions is not None:
        copy.copy_tree(root_of(roots, tables.sessions))
    with opened(copy.target, histories.connect) as connection:
        sessions = histories.read_sessions(connection, tables)
        query = f'SELECT session, count(*) FROM "{tables.history}" GROUP BY session'
        counts = dict(connection.execute(query).fetchall())
    total = max(1, sum(counts.values()))
    each = copy.pages.size_bytes // 2 // total + 1
    tallies = {number: Tally(count, count * each) for number, count in counts.items()}
    return tables, Overview(sessions, tallies)


def _read(copy: SparseCopy, path: Path, scope: Scope) -> Rows | None:
    scope.progress(f"reading the sessions of {path}", None)
    frame = _frame(copy)
    if frame is None:
        return None
    tables, overview = frame
    searched = 1.0
    if scope.hints.sources and not scope.sessions:
        scope.progress(f"looking through {path} for the notebook's cells", None)
        searched = _mark_hits(copy.pages, overview.tallies, scope)
    choice = choose_sessions(overview.sessions, overview.tallies, scope)
    scope.progress(f"reading {len(choice.sessions)} sessions of {path}", None)
    _copy_sessions(copy, tables, choice.sessions)
    with opened(copy.target, histories.connect) as connection:
        rows = histories.read_rows(connection, tables, choice.sessions)
    rows.sessions = dict(overview.sessions)
    if choice.left_out:
        rows.damages.append(_words(choice, copy.pages.size_bytes, searched))
    return rows


def _words(choice: Choice, size: int, searched: float) -> str:
    words = (
        f"The history is large ({size / 1e9:.1f} GB): {len(choice.sessions)} sessions were read,"
        " those that tell of the notebook and the newest;"
        f" {choice.left_out} others were not. `--session`, `--since` and `--until` reach them."
    )
    if searched < 1:
        words += f" Only the newest {searched:.0%} was searched for cells of the notebook."
    return words


def _copy_sessions(copy: SparseCopy, tables: Tables, sessions: tuple[int, ...]) -> None:
    roots = copy.roots()
    for root in indexes_of(roots, tables.outputs) if tables.outputs else ():
        copy.copy_tree(root)
    for table in filter(None, (tables.history, tables.outputs)):
        with opened(copy.target, histories.connect) as connection:
            # No row is looked at here: the index alone answers.
            query = f'SELECT rowid FROM "{table}" WHERE session = ?'
            rowids = [row[0] for one in sessions for row in connection.execute(query, (one,))]
        copy.copy_rows(root_of(roots, table), sorted(rowids))


# --- looking for the notebook's cells ----------------------------------------------------


def _mark_hits(pages: Pages, tallies: Mapping[int, Tally], scope: Scope) -> float:
    """Each session knows which of the known sources it ran; returns the share looked through."""
    wanted: dict[int, dict[bytes, int]] = {}
    for key, source in enumerate(sorted(scope.hints.sources)):
        # IPython keeps a cell without the line ends behind it; a person's spaces may differ.
        for typed in {source.rstrip("\n"), source.rstrip()} - {""}:
            text = typed.encode("utf-8", "surrogatepass")
            wanted.setdefault(len(text), {})[text] = key
    for session, key in _hits(pages, wanted):
        tally = tallies.get(session)
        if tally is not None:
            tally.hits.add(key)
    return min(1.0, SEARCHED_BYTES / pages.size_bytes)


def _hits(pages: Pages, wanted: Mapping[int, Mapping[bytes, int]]) -> Iterator[tuple[int, int]]:
    """The session and the key of each known source that was run, newest pages first.

    A row's record head tells the length of its text: nearly all rows are done with it.
    """
    types = {2 * length + 13: known for length, known in wanted.items()}
    for number, page in _leaves_backwards(pages):
        for at in cell_pointers(page, number, pages.usable) or ():
            found = _place_of_text(page, at)
            if found is None or found.kind not in types:
                continue
            size = found.kind // 2 - 6
            if found.size <= pages.usable - 35:
                text = page[found.end - size : found.end]
                session = int.from_bytes(page[found.first : found.first + found.width], "big")
            else:
                session, text = _row(pages, page, at)
            key = types[found.kind].get(text)
            if key is not None:
                yield session, key


def _leaves_backwards(pages: Pages) -> Iterator[tuple[int, bytes]]:
    step = _BLOCK_BYTES // pages.page_size
    size, left = pages.page_size, SEARCHED_BYTES // pages.page_size
    last = pages.count
    while last > 0 and left > 0:
        first = max(1, last - step + 1)
        block = pages.block(first, last - first + 1)
        for index in range(last - first, -1, -1):
            if block[index * size] == 13:
                yield first + index, block[index * size : (index + 1) * size]
        left -= last - first + 1
        last = first - 1


class _Place(NamedTuple):
    """A row of four columns: its size and end, the last one's type, where the first one lies."""

    size: int
    end: int
    kind: int
    first: int
    width: int


def _place_of_text(page: bytes, at: int) -> _Place | None:
    # Each row of a large file passes here: no function is called, nothing is made, until it fits.
    try:
        size = 0
        while page[at] & 128:
            size = size << 7 | page[at] & 127
            at += 1
        size = size << 7 | page[at]
        at += 1
        while page[at] & 128:
            at += 1
        start = at + 1
        head = page[start]
        width = page[start + 1]
        if head > 24 or width > 4:
            # Session 0 and 1 have types of their own (8, 9), which few rows have.
            return None
        at = start + 3
        while page[at] & 128:
            at += 1
        at += 1
        kind = 0
        while page[at] & 128:
            kind = kind << 7 | page[at] & 127
            at += 1
        kind = kind << 7 | page[at]
        if at + 1 != start + head:
            return None
        return _Place(size, start + size, kind, start + head, width)
    except IndexError:
        return None


def _row(pages: Pages, page: bytes, at: int) -> tuple[int, bytes]:
    cell = read_cell(page, at, pages.usable)
    payload = None if cell is None else read_payload(pages, cell)
    values = None if payload is None else read_record(payload, pages.encoding)
    if values is None or len(values) != 4:
        return 0, b""
    session, text = values[0], values[3]
    if not isinstance(session, int) or not isinstance(text, str):
        return 0, b""
    return session, text.encode("utf-8", "surrogatepass")
