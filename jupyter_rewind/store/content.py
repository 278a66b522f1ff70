"""Content by its digest: found, read, unpacked, and checked against its name before it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from jupyter_rewind.errors import Denied, Integrity, NotFound, Storage, Unavailable
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.store import chunks
from jupyter_rewind.store.cache import RawCache
from jupyter_rewind.store.catalog import Catalog
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.framing import HEAD_SIZE, Kind, Record, seal_of
from jupyter_rewind.store.index import Place
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.moving import require_same_store
from jupyter_rewind.store.opened import OpenSegments
from jupyter_rewind.store.partial import Payloads
from jupyter_rewind.store.presence import Presence

_OPEN_SEGMENTS = 64
_SHARED = (
    "Only what shares this content is affected; `jupyter rewind verify` names it. Storing the same"
    " content again heals it."
)


class ContentReader:
    """Reads chunks through the catalog. Thread-safe; keeps the segments it reads open. What lies in
    a replica alone is fetched, where that is told to be so."""

    def __init__(self, layout: Layout, files: Files, catalog: Catalog) -> None:
        self._layout = layout
        self._catalog = catalog
        self._partial = Payloads(layout, files)
        self._segments = OpenSegments(layout, files, most=_OPEN_SEGMENTS)
        self._nodes = RawCache()
        self._presence = Presence(layout, files, self._partial, self._known_places, self._told_from)

    def get(self, digest: Digest) -> bytes:
        """The content named `digest`. Raises NotFound; Integrity when all copies are damaged;
        Unavailable where another store took this one's place."""
        return self._get(digest, 0)

    def get_buffer(self, digests: Sequence[Digest]) -> bytearray:
        """The content that was cut into `digests`, in one piece of memory.

        Raises NotFound, Integrity.
        """
        known = self._catalog.ask(lambda index: index.first_places(digests))
        # To make room for all at once would touch every page twice: 960 MB/s become 740. Linux
        # lets a large piece grow without copying it.
        buffer = bytearray()
        for digest in digests:
            place = known.get(digest) or self._places(digest)[0]
            buffer += self._read_raw(place, digest) or self._get(digest, 0)
        return buffer

    def depth(self, digest: Digest) -> int:
        """How many deltas a read of this content goes through. Raises NotFound, Integrity."""
        place = self._places(digest)[0]
        if place.record.codec != chunks.Codec.DELTA:
            return 0
        return self._base(place)[0]

    def base(self, digest: Digest) -> Digest | None:
        """What this content is stored as a difference from; None where it is stored whole.

        Raises NotFound, Integrity.
        """
        bases = []
        for place in self._places(digest):
            if place.record.codec != chunks.Codec.DELTA:
                return None
            bases.append(self._base(place))
        return min(bases)[1]

    def without_absent(self, known: dict[Digest, str]) -> dict[Digest, str]:
        """Those of `known` whose content is here, and not in a replica alone."""
        if not self._partial.places():
            return known
        return {name: value for name, value in known.items() if self._presence.has(name)}

    def flush(self) -> None:
        """What `without_absent` has said to be here is on the disk. Raises Storage."""
        self._presence.flush()

    def forget(self) -> None:
        """What is read next is read from the segments, whatever was read before."""
        self._nodes.clear()

    def close_removed(self) -> None:
        """Segments that were collected are let go, or the disk would not get their room back."""
        self._segments.close_removed()

    def close(self) -> None:
        self._nodes.clear()
        self._segments.close()

    def _get(self, digest: Digest, depth: int) -> bytes:
        if depth > 2 * chunks.MAX_DEPTH:
            raise Integrity(f"Chunk {digest.hex()[:12]} hangs on too long a row of deltas.")
        known = self._nodes.get(digest)
        if known is not None:
            return known
        problems: list[str] = []
        tried: list[Place] = []
        away: Unavailable | Denied | None = None
        for _ in range(2):
            places = self._places(digest)
            if places == tried:
                break
            for place in places:
                try:
                    return self._read(place, digest, depth)
                except (NotFound, Integrity) as error:
                    problems.append(str(error).rstrip("."))
                except (Unavailable, Denied) as error:
                    away = error
            # It, or what it is a delta of, may have been collected since the index was asked.
            tried = places
            self._catalog.refresh()
        if away is not None:
            raise away
        require_same_store(self._layout)
        raise Integrity(
            f"Content {digest.hex()[:12]} is damaged: {'; '.join(problems)}.",
            hint=_SHARED,
        )

    def _places(self, digest: Digest) -> list[Place]:
        found = self._catalog.ask(lambda index: index.places(digest))
        if not found:
            self._catalog.refresh()
            found = self._catalog.ask(lambda index: index.places(digest))
        if not found:
            require_same_store(self._layout)
            lost = self._catalog.ask(lambda index: index.evidence.places(digest))
            if lost:
                where = "; ".join(f"segment {name} at byte {at}" for name, at in lost)
                raise Integrity(
                    f"Content {digest.hex()[:12]} is damaged: it stood in {where}.",
                    hint=_SHARED,
                )
            gaps = self._catalog.gaps()
            if gaps:
                # What is named and is not there stood where the segments do not read.
                raise Integrity(
                    f"Content {digest.hex()[:12]} is damaged or missing: segment {gaps[0][0]} does"
                    f" not read at byte {gaps[0][1].offset}.",
                    hint="`jupyter rewind verify` shows all that is damaged.",
                )
            raise NotFound(f"The store has no content {digest.hex()[:12]}.")
        return found

    def _read(self, place: Place, digest: Digest, depth: int) -> bytes:
        record = place.record
        where = f"segment {place.segment} at byte {record.offset}"
        replica = self._partial.places().get(place.segment)
        if replica is not None and record.kind == Kind.CHUNK:
            payload = self._partial.get(place.segment, replica, record)
        else:
            payload = self._payload(place)
        if len(payload) != record.stored:
            raise Integrity(f"{where} is cut short")
        deeper: Callable[[Digest], bytes] = lambda base: self._get(base, depth + 1)  # noqa: E731
        try:
            payload = seal_of(self._layout, place.segment).show(record, payload)
        except Integrity as error:
            self._catalog.bury_chunk(place.segment, record.offset)
            raise Integrity(f"{where} holds other bytes than were written ({error})") from error
        try:
            raw = chunks.unpack(record.codec, payload, record.raw, deeper)
        except (Integrity, NotFound) as error:
            if record.codec == chunks.Codec.ZSTD:
                self._catalog.bury_chunk(place.segment, record.offset)
            raise Integrity(f"{where} does not read ({error})") from error
        if chunks.digest(raw) != digest:
            # Forgotten there, so that whoever stores the same content again stores it anew.
            self._catalog.bury_chunk(place.segment, record.offset)
            raise Integrity(f"{where} holds other bytes than were written")
        if record.kind == Kind.NODE:
            self._nodes.keep(digest, raw)
        return raw

    def _known_places(self, digest: Digest) -> Iterator[tuple[str, Record]]:
        found = self._catalog.ask(lambda index: index.places(digest))
        return ((place.segment, place.record) for place in found)

    def _told_from(self, segment: str, record: Record) -> Digest:
        return self._segments.base(segment, record.offset, record.stored)[1]

    def _read_raw(self, place: Place, digest: Digest) -> bytes | None:
        """The content where it is stored as it is and reads well; else the careful way knows what
        to do, and says what is wrong."""
        record = place.record
        if record.codec != chunks.Codec.RAW or self._layout.is_encrypted:
            return None
        try:
            data = self._payload(place)
        except (NotFound, Integrity, Storage):
            return None
        return data if chunks.digest(data) == digest else None

    def _base(self, place: Place) -> tuple[int, Digest]:
        return self._segments.base(place.segment, place.record.offset, place.record.stored)

    def _payload(self, place: Place) -> bytes:
        record = place.record
        return self._segments.read(place.segment, record.stored, record.offset + HEAD_SIZE)
