"""A notebook's content as it lies in the store: rows of cells, told without reading one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jupyter_rewind.model.ids import Digest

NOTEBOOK = "notebook"
FILE = "file"


@dataclass(frozen=True, slots=True)
class CellRow:
    """One cell: what it is called, what it says, and where its bytes lie.

    `identity` is equal for cells that say the same, volatile metadata aside. The bytes are those
    of `template`, with each of `payloads` put in at its byte offset.
    """

    id: str | None
    type: str
    identity: bytes
    template: tuple[Digest, ...]
    payloads: tuple[tuple[int, tuple[Digest, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one stored state is made of.

    `first` and `last` are the bytes before and behind the cells (a file is all `first`);
    `separator` stands between two cells, but for `odd_gaps`, which are told by their index.
    """

    kind: str
    nbformat: tuple[int, int] | None
    size_bytes: int
    identity: bytes
    cells: tuple[CellRow, ...] = ()
    separator: bytes = b""
    odd_gaps: Mapping[int, bytes] = field(default_factory=dict)
    first: tuple[Digest, ...] = ()
    last: tuple[Digest, ...] = ()
