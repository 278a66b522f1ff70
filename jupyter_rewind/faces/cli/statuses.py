"""What the exit status of a command means: one table, for the program, its help and the docs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from jupyter_rewind import errors


class Status(IntEnum):
    """The number a command leaves behind."""

    DONE = 0
    BUG = 1
    USAGE = 2
    NOT_FOUND = 3
    CONFLICT = 4
    DAMAGE = 5
    STORAGE = 6
    REFUSED = 7


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `errors` are the classes that end a command with this status."""

    status: Status
    meaning: str
    errors: tuple[type[errors.RewindError], ...]


TABLE: tuple[Row, ...] = (
    Row(Status.DONE, "done", ()),
    Row(Status.BUG, "a bug of ours", (errors.Internal,)),
    Row(Status.USAGE, "wrong usage", (errors.InvalidInput,)),
    Row(Status.NOT_FOUND, "not found", (errors.NotFound,)),
    Row(Status.CONFLICT, "conflict", (errors.Conflict,)),
    Row(Status.DAMAGE, "damage found", (errors.Integrity, errors.Format)),
    Row(
        Status.STORAGE,
        "storage full, denied or unavailable",
        (errors.Storage, errors.Unavailable, errors.Full, errors.Denied),
    ),
    Row(Status.REFUSED, "refused, nothing was changed", (errors.RestoreRefused, errors.Newer)),
)

_BY_ERROR = {error: row.status for row in TABLE for error in row.errors}


def status_of(error: BaseException) -> Status:
    """The exit status for `error`: that of its nearest class in the table, else a bug of ours."""
    for kind in type(error).__mro__:
        if kind in _BY_ERROR:
            return _BY_ERROR[kind]
    return Status.BUG


def as_text() -> str:
    """The table as lines of text, for `--help`."""
    return "\n".join(f"{row.status.value}  {row.meaning}" for row in TABLE)


def as_markdown() -> str:
    """The table as Markdown, for the docs."""
    lines = ["| status | meaning | errors |", "| --- | --- | --- |"]
    for row in TABLE:
        names = ", ".join(f"`{error.default_code}`" for error in row.errors)
        lines.append(f"| {row.status.value} | {row.meaning} | {names} |")
    return "\n".join(lines)
