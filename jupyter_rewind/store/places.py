"""Where content stands, as far as one process has seen: one place of each, and what else there is.

What is told from other content (a delta) must never be told from itself over others: a place takes
that of another only where it hangs on fewer, and a row that goes down has an end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set

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
        before, self._chosen[digest] = self._chosen.get(digest), place
        self._lay_by(digest, before)

    def drop(self, digest: Digest) -> None:
        """It does not read where it was found: it is looked for where else it stands."""
        others = self._others.pop(digest, {})
        if (found := self._best(others.values())) is None:
            self._chosen.pop(digest, None)
            return
        del others[found.segment]
        self._chosen[digest] = found
        if others:
            self._others[digest] = others

    def add(self, segment: str, records: Sequence[Record]) -> None:
        """A segment was read, and holds these."""
        for one in records:
            found, before = Place.of(segment, one), self._chosen.get(one.id)
            if before is None:
                self._chosen[one.id] = found
            elif found != before:
                if self._is_better(found, before):
                    self._chosen[one.id], found = found, before
                self._lay_by(one.id, found)

    def forget(self, gone: Set[str]) -> None:
        """These segments are no more; what stood in others as well is read there."""
        chosen = {}
        for digest, place in list(self._chosen.items()):
            found: Place | None = place
            if place.segment in gone:
                others = self._others.get(digest, {}).values()
                found = self._best(one for one in others if one.segment not in gone)
            if found is not None:
                chosen[digest] = found
        # At once: others read meanwhile.
        self._chosen = chosen
        self._others = {
            digest: left
            for digest, others in list(self._others.items())
            if (left := {name: one for name, one in others.items() if name not in gone})
        }

    def _lay_by(self, digest: Digest, other: Place | None) -> None:
        """There it stands as well."""
        if other is not None and other.segment != self._chosen[digest].segment:
            self._others.setdefault(digest, {})[other.segment] = other

    def _best(self, places: Iterable[Place]) -> Place | None:
        """The one that hangs on the fewest others."""
        found = None
        for one in places:
            if found is None or self._is_better(one, found):
                found = one
        return found

    def _is_better(self, one: Place, other: Place) -> bool:
        """True for what hangs on fewer others. Two copies could else be told from each other."""
        try:
            return self._depth(one) < self._depth(other)
        except (Integrity, NotFound):
            return True
