"""What a replica asks of the place where it lies: named objects that appear whole or not at all.

Deliberately little: create-only puts, reads, lists. Nothing is overwritten, so no condition but
"only if there is none yet" is asked for; servers get that one right or are refused (`probe`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Listed:
    """One object of a list."""

    key: str
    size: int


class Objects(Protocol):
    """Objects under one prefix. Thread-safe; every method raises Unavailable, Denied, Full."""

    @property
    def place(self) -> str:
        """Where this is, in words that hold no secret."""

    def create(self, key: str, data: bytes | bytearray) -> bool:
        """True when the object was made, durably; False when there was one of this name.

        After an Unavailable nobody knows: read it back.
        """

    def get(self, key: str) -> bytes:
        """The whole object. Raises NotFound."""

    def get_range(self, key: str, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`. Raises NotFound."""

    def size(self, key: str) -> int | None:
        """The object's size; None where there is none."""

    def find(self, prefix: str, *, after: str = "") -> Iterator[Listed]:
        """The objects whose keys begin so and sort behind `after`, in that order.

        `prefix` ends with a slash.
        """

    def folders(self, prefix: str) -> list[str]:
        """The distinct next parts of the keys that begin with `prefix`, which ends with a slash."""

    def delete(self, key: str) -> None:
        """The object is gone; no error when it was gone before."""
