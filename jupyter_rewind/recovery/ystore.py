"""The updates that JupyterLab's collaboration keeps of a document, played again.

An update that does not read costs itself and what was built on it. Needs pycrdt, which every
environment with collaboration has. Nothing is ever written back. Damaged updates can make pycrdt
panic, or take gigabytes and minutes: so they are played in a process of their own, within bounds.
"""

from __future__ import annotations

import importlib.util
import json
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_rewind.errors import Format, NotFound, Unavailable
from jupyter_rewind.recovery.databases import opened

MOST_STATES = 4
_DROP = 0.5
_STEPS = 1000
_SECONDS = 120
_MOST_BYTES = 3 << 30
_NO_PYCRDT = 77


@dataclass(frozen=True, slots=True)
class Update:
    """A change, or all changes up to one (`whole`), with when it was made."""

    data: bytes
    time_ns: int | None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """A notebook as it was after some update; `path` is what the server called it."""

    notebook: dict[str, Any]
    path: str
    time_ns: int | None
    last: bool


@dataclass(frozen=True, slots=True)
class Played:
    """The last state and, where much was lost at once, those before; `lost` updates don't read."""

    states: tuple[State, ...]
    lost: int


def read_keys(copy: Path) -> dict[str, tuple[int, int | None]]:
    """The documents of a store: how many updates each has and when the last one was.

    Raises sqlite3.DatabaseError.
    """
    with opened(copy) as connection:
        columns = {row[1] for row in connection.execute("PRAGMA table_info(yupdates)")}
        if not {"path", "yupdate"} <= columns:
            raise sqlite3.DatabaseError("it has no table of updates")
        time = "max(timestamp)" if "timestamp" in columns else "NULL"
        rows = connection.execute(f"SELECT path, count(*), {time} FROM yupdates GROUP BY path")
        return {str(key): (count, _nanoseconds(when)) for key, count, when in rows}


def read_updates(copy: Path, key: str) -> list[Update]:
    """All updates of one document, oldest first. Raises sqlite3.DatabaseError."""
    found: list[Update] = []
    with opened(copy) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        if "ycheckpoints" in tables:
            query = "SELECT checkpoint, timestamp FROM ycheckpoints WHERE path = ?"
            for data, when in connection.execute(query, (key,)):
                found.append(Update(bytes(data), _nanoseconds(when), True))
        columns = [row[1] for row in connection.execute("PRAGMA table_info(yupdates)")]
        time = "timestamp" if "timestamp" in columns else "NULL"
        query = f"SELECT yupdate, {time} FROM yupdates WHERE path = ? ORDER BY rowid"
        for data, when in connection.execute(query, (key,)):
            if isinstance(data, bytes):
                found.append(Update(data, _nanoseconds(when)))
    return found


def _nanoseconds(seconds: object) -> int | None:
    try:
        return round(float(seconds) * 1e6) * 1000  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def play_apart(copy: Path, key: str) -> Played:
    """`play` of what `read_updates` gives, in another process.

    Raises NotFound where pycrdt is not installed, Format where playing fails.
    """
    # Without -P, files of the folder we are in would be imported.
    command = [sys.executable, "-P", "-m", __name__, str(copy), key]
    words = "What collaboration kept of the notebook cannot be played again"
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise Format(f"{words}: it took more than {_SECONDS} seconds.") from error
    except OSError as error:
        raise Unavailable(f"{words}: no process could be started ({error}).") from error
    if done.returncode == _NO_PYCRDT:
        raise NotFound(
            "To read what collaboration kept, the package pycrdt is needed.",
            hint="Install it beside Rewind: pip install pycrdt. The store is as it was.",
        )
    if done.returncode != 0:
        raise Format(f"{words}: its updates are damaged. The store is as it was.")
    told = json.loads(done.stdout)
    return Played(tuple(State(*each) for each in told["states"]), told["lost"])


def main() -> None:
    """Prints what `play_apart` is asked for."""
    try:
        import resource
    except ImportError:
        # Windows has no such bound.
        pass
    else:
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    if importlib.util.find_spec("pycrdt") is None:
        raise SystemExit(_NO_PYCRDT)
    played = play(read_updates(Path(sys.argv[1]), sys.argv[2]))
    states = [[each.notebook, each.path, each.time_ns, each.last] for each in played.states]
    json.dump({"states": states, "lost": played.lost}, sys.stdout, default=str)


def play(updates: Sequence[Update]) -> Played:
    """The document's last state, and what it was before each sudden loss of its cells."""
    sizes, lost = _sizes(updates)
    wanted = list(_before_losses(sizes))[-MOST_STATES + 1 :]
    if sizes:
        wanted.append(len(updates) - 1)
    states = []
    for index, state in _states(updates, wanted):
        notebook, path = state
        if notebook["cells"] or index == wanted[-1]:
            last = index == wanted[-1]
            states.append(State(notebook, path, updates[index].time_ns, last))
    return Played(tuple(states), lost)


def _document() -> Any:
    from pycrdt import Doc

    return Doc()


def _apply(document: Any, update: Update) -> bool:
    """Whether the update read, as it is or unpacked."""
    for data in (update.data, None):
        try:
            document.apply_update(zlib.decompress(update.data) if data is None else data)
        except (ValueError, RuntimeError, TypeError, OverflowError, zlib.error):
            continue
        except BaseException as error:
            # A fault inside pycrdt's Rust half is no Exception.
            if type(error).__name__ != "PanicException":
                raise
            continue
        return True
    return False


def _sizes(updates: Sequence[Update]) -> tuple[list[int], int]:
    """How much text the cells hold after each update, and how many updates do not read."""
    document, lost, sizes = _document(), 0, []
    step = max(1, len(updates) // _STEPS)
    for index, update in enumerate(updates):
        lost += not _apply(document, update)
        if index % step == 0 or index == len(updates) - 1:
            sizes.append(_size(document))
        else:
            sizes.append(sizes[-1])
    return sizes, lost


def _size(document: Any) -> int:
    from pycrdt import Array

    cells = document.get("cells", type=Array)
    try:
        return sum(1 + len(str(cell.get("source", ""))) for cell in cells)
    except (AttributeError, TypeError):
        return 0


def _before_losses(sizes: Sequence[int]) -> Iterator[int]:
    for index in range(1, len(sizes)):
        if sizes[index] < _DROP * sizes[index - 1]:
            yield index - 1


def _states(
    updates: Sequence[Update], wanted: Sequence[int]
) -> Iterator[tuple[int, tuple[dict[str, Any], str]]]:
    document = _document()
    for index, update in enumerate(updates):
        _apply(document, update)
        if index in wanted:
            yield index, _notebook(document)


def _notebook(document: Any) -> tuple[dict[str, Any], str]:
    """The notebook in a document, as nbformat has it, and what the server calls it."""
    from pycrdt import Array, Map

    state = _plain(document.get("state", type=Map).to_py() or {})
    meta = _plain(document.get("meta", type=Map).to_py() or {})
    cells, seen = [], set()
    for cell in _plain(document.get("cells", type=Array).to_py() or []):
        if not isinstance(cell, dict):
            continue
        cell.pop("execution_state", None)
        key = repr(cell)
        # Two servers that open a document at once put each cell in twice, id and all.
        if cell.get("id") and key in seen:
            continue
        seen.add(key)
        cells.append(cell)
    metadata = meta.get("metadata")
    minor = meta.get("nbformat_minor", 5)
    notebook = {
        "cells": cells,
        "metadata": metadata if isinstance(metadata, dict) else {},
        "nbformat": 4,
        "nbformat_minor": minor if isinstance(minor, int) else 5,
    }
    path = state.get("path")
    return notebook, path if isinstance(path, str) else ""


def _plain(value: Any) -> Any:
    """Yjs has only floating numbers: whole ones become what nbformat asks for."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value


if __name__ == "__main__":
    main()
