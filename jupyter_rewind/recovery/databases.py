"""Opening copies of SQLite databases that may be damaged: damage is always told as damage."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path


@contextmanager
def opened(
    copy: Path, connect: Callable[[Path], sqlite3.Connection] = sqlite3.connect
) -> Iterator[sqlite3.Connection]:
    """A connection to a copy; closed at the end.

    Raises sqlite3.DatabaseError for every damage: what SQLite says of a damaged name has that name
    in it, and need be no text itself.
    """
    try:
        with closing(connect(copy)) as connection:
            yield connection
    except UnicodeDecodeError as error:
        raise sqlite3.DatabaseError(f"its names do not read: {error}") from error
