"""Where content stands, as far as one process has seen: one place of each, and what else there is.

What is told from other content (a delta) must never be told from itself over others: a place takes
that of another only where it hangs on fewer, and a row that goes down has an end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set

from jupyter_rewind.errors import Integrity, NotFound
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.store.framing import Record
from jupyter_rewind.store.place import Place


class Places:
    """By digest, where the content is read."""

    def __init__(self, depth: Callable[[Place], int]) -> None:
        """`depth` tells on how many others what stands there hangs."""
        self._depth = depth
        self._chosen: dict[Digest, Place] = {}
        self._others: dict[Digest, dict[str, Place]] = {}

    def __contains__(self, digest: Digest) -> bool:
        return digest in self._chosen

    def get(self, digest: Digest) -> Place | None:
        return self._chosen.get(digest)

    def put(self, digest: Digest, place: Place) -> None:
        """It is read there from now on."""
        self._chosen[digest] = place

    def drop(self, digest: Digest) -> None:
        """It does not read where it was found: nothing is known of it."""
        self._chosen.pop(digest, None)
        self._others.pop(digest, None)

    def add(self, segment: str, records: Sequence[Record]) -> None:
        """A segment was read, and holds these."""
        for one in records:
            found, before = Place.of(segment, one), self._chosen.get(one.id)
            if before is None:
                self._chosen[one.id] = found
            elif found != before:
                other = found
                if self._is_better(found, before):
                    self._chosen[one.id], other = found, before
                if other.segment != self._chosen[one.id].segment:
                    self._others.setdefault(one.id, {})[other.segment] = other

    def forget(self, gone: Set[str]) -> None:
        """These segments are no more; what stood in others as well is read there."""
        chosen, self._chosen = self._chosen, {}
        for digest, place in chosen.items():
            others = self._others.get(digest, {})
            standing = (one for one in (place, *others.values()) if one.segment not in gone)
            if (found := next(standing, None)) is not None:
                self._chosen[digest] = found
        self._others = {
            digest: left
            for digest, others in self._others.items()
            if (left := {name: one for name, one in others.items() if name not in gone})
        }

    def _is_better(self, one: Place, other: Place) -> bool:
        """True for what hangs on fewer others. Two copies could else be told from each other."""
        try:
            return self._depth(one) < self._depth(other)
        except (Integrity, NotFound):
            return True
