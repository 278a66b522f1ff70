"""Objects of a place that may be failing: what cannot be read there while other things can is lost.

A disk that has lost sectors answers with an error for what lay on them, a bucket refuses what was
moved to an archive. Where nothing can be read, it is the place that is away, and nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterator

from jupyter_rewind.errors import Denied, Integrity, Unavailable
from jupyter_rewind.store.replica.objects import Listed, Objects
from jupyter_rewind.store.replica.opening import CONFIG

UNREADABLE = "unreadable"
"""The code of the error where one object cannot be read, and others can."""


class EnduringObjects:
    """Objects of another place; reading one raises Integrity (`UNREADABLE`) where it alone cannot
    be read."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    @property
    def place(self) -> str:
        return self._objects.place

    def create(self, key: str, data: bytes | bytearray) -> bool:
        return self._objects.create(key, data)

    def get(self, key: str) -> bytes:
        try:
            return self._objects.get(key)
        except (Unavailable, Denied):
            self._require_answer()
        try:
            return self._objects.get(key)
        except (Unavailable, Denied) as error:
            raise _lost(error) from error

    def get_range(self, key: str, start: int, end: int) -> bytes:
        try:
            return self._objects.get_range(key, start, end)
        except (Unavailable, Denied):
            self._require_answer()
        try:
            return self._objects.get_range(key, start, end)
        except (Unavailable, Denied) as error:
            raise _lost(error) from error

    def size(self, key: str) -> int | None:
        return self._objects.size(key)

    def find(self, prefix: str, *, after: str = "") -> Iterator[Listed]:
        return self._objects.find(prefix, after=after)

    def folders(self, prefix: str) -> list[str]:
        return self._objects.folders(prefix)

    def delete(self, key: str) -> None:
        self._objects.delete(key)

    def _require_answer(self) -> None:
        """Raises Unavailable, Denied where nothing can be read."""
        self._objects.get(CONFIG)


def _lost(error: Unavailable | Denied) -> Integrity:
    return Integrity(error.message, code=UNREADABLE, hint=error.hint)
