"""Where content stands, as a kernel's store remembers it: without its name, which it goes by."""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_rewind.model.ids import Digest
from jupyter_rewind.store.framing import Record


@dataclass(frozen=True, slots=True)
class Place:
    """A segment, and what the record's head says."""

    segment: str
    offset: int
    kind: int
    codec: int
    stored: int
    raw: int

    @classmethod
    def of(cls, segment: str, one: Record) -> Place:
        """Where `one` stands."""
        return cls(segment, one.offset, one.kind, one.codec, one.stored, one.raw)

    def record(self, digest: Digest) -> Record:
        """What the head says of the content `digest`."""
        return Record(self.offset, self.kind, self.codec, self.stored, self.raw, digest)
