"""What a command found, before anybody decides how to show it.

A command builds one `Answer`: `data` for programs, `parts` for people. Only `render` prints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from jupyter_rewind.faces.cli.statuses import Status
from jupyter_rewind.model.entry import Json

SCHEMA = 1
"""The number of the shape of `--json`. Within one number names are added, never taken away."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; `style` is rich's and counts on a terminal alone, as does `gives_way`:
    on a narrow one the columns with the greatest number are left out, never those with 0."""

    name: str
    style: str = ""
    right: bool = False
    fold: bool = False
    gives_way: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under named columns. In a pipe: a header and tab-separated rows."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    empty: str = ""
    """What a person is told, beside the output, where there is no row."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values, one a line."""

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Words:
    """A sentence that is the answer."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence beside the answer: never in the way of a pipe."""

    text: str


@dataclass(frozen=True, slots=True)
class Patch:
    """Text that was made for the eye already, with colours where the terminal has them."""

    text: str


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook's cells and outputs."""

    content: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a file; `name` tells its language."""

    text: str
    name: str


Document: TypeAlias = Mapping[str, Json]
"""What `--json` shows of an answer."""

Part: TypeAlias = Table | Facts | Words | Remark | Patch | Notebook | Source


@dataclass(frozen=True, slots=True)
class Answer:
    """One command's outcome. `status` is not DONE where the command worked and found damage."""

    data: Document
    parts: Sequence[Part] = field(default_factory=tuple)
    status: Status = Status.DONE


def envelope(command: str, answer: Answer) -> dict[str, Json]:
    """The document that `--json` prints for `answer`."""
    return {
        "schema": SCHEMA,
        "command": command,
        "status": int(answer.status),
        "data": answer.data,
    }
