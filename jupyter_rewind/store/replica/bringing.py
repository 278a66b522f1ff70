"""A payload that is read and lies in a replica alone is fetched, checked, and written in its place.

What follows it comes along, for it is most often read next. In a kernel another process does that:
a child that is forked after the client of an object store was used may hang. What cannot be
fetched is said to be where it is; it is never taken for lost, and never for empty.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from jupyter_rewind import clock
from jupyter_rewind.errors import Integrity, NotFound, RewindError, Storage, Unavailable
from jupyter_rewind.model.ids import Digest, StoreId
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.floor import require_room
from jupyter_rewind.store.framing import HEAD_SIZE, Kind, Record
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.locks import ProcessLock
from jupyter_rewind.store.partial import ABSENT, out_of_sight
from jupyter_rewind.store.replica.address import open_objects, parse_address
from jupyter_rewind.store.replica.fetching import Source
from jupyter_rewind.store.replica.hollow import Hollow
from jupyter_rewind.store.replica.ledger import Ledger, Place
from jupyter_rewind.store.replica.mounts import require_mounted
from jupyter_rewind.store.replica.notes import noted_lenders
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.opening import require_store, unseal
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.replica.sealing import SealedObjects

AHEAD_BYTES = 1 << 20
_APART_BYTES = 64 << 20
_APART_SECONDS = 300
_REFUSED_SECONDS = 5.0
_ANSWER_SECONDS = 30
_HINT = (
    "Nothing is lost: histories, and what was read or saved here before, are whole. Try again when"
    " the replica answers; `jupyter rewind replica pull` then brings all that is missing."
)


class Bringer:
    """Fetches what is read of segments that may lack payloads. Thread-safe."""

    def __init__(
        self,
        layout: Layout,
        files: Files,
        *,
        apart: bool = False,
        ahead: int = AHEAD_BYTES,
        must_keep: bool = False,
    ) -> None:
        """With `must_keep`, what is asked for is written also into the disk's last room."""
        self._layout = layout
        self._files = files
        self._apart = apart
        self._ahead = ahead
        self._must_keep = must_keep
        self._lock = ProcessLock()
        self._pid = clock.process()
        self._lenders: dict[str, _Lender] = {}
        self._refused: dict[str, tuple[float, RewindError]] = {}

    def is_here(self, segment: str, record: Record) -> bool:
        """Whether the record's payload is here, and what was written. Raises NotFound."""
        with Hollow(self._layout, self._files, segment) as hollow:
            return hollow.payload(record) is not None

    def payload(self, segment: str, url: str, record: Record) -> bytes:
        """The record's payload, checked; from here, or else from the replica at `url`, if any.

        Raises Unavailable (it cannot be fetched now, or nobody knows where from), Integrity (the
        replica has other bytes), NotFound (the segment was collected meanwhile).
        """
        with Hollow(self._layout, self._files, segment) as hollow:
            found = hollow.payload(record)
            if found is not None:
                return found
            if not url:
                raise out_of_sight(self._layout)
            with self._lock:
                # Whoever was here before may have brought it along.
                found = hollow.payload(record)
                if found is not None:
                    return found
                if not self._apart:
                    return self._bring_any(hollow, url, record)
                _ask(self._layout, segment, url, record)
            found = hollow.payload(record)
        if found is None:
            raise _absent(url, "there is no room here for what it sends")
        return found

    def _bring_any(self, hollow: Hollow, url: str, record: Record) -> bytes:
        """From the replica at `url`; where that fails, from another that was seen to have it."""
        try:
            return self._bring(hollow, url, record)
        except RewindError:
            for other in noted_lenders(self._layout, hollow.segment, record.end):
                if other != url:
                    with suppress(RewindError):
                        return self._bring(hollow, other, record)
            raise

    def _bring(self, hollow: Hollow, url: str, record: Record) -> bytes:
        until, before = self._refused.get(url, (0.0, None))
        if before is not None and clock.monotonic() < until:
            raise before
        try:
            return self._fetch(hollow, url, record)
        except Integrity:
            raise
        except RewindError as error:
            refusal = _absent(url, error.message)
            self._lenders.pop(url, None)
            if isinstance(error, Storage):
                # Else each of a thousand chunks would wait for it.
                self._refused[url] = (clock.monotonic() + _REFUSED_SECONDS, refusal)
            raise refusal from error

    def _fetch(self, hollow: Hollow, url: str, record: Record) -> bytes:
        if self._pid != clock.process():
            self._pid = clock.process()
            self._lenders.clear()
        lender = self._lenders.get(url)
        if lender is None:
            objects = open_replica(url)
            require_mounted(objects, self._layout, url)
            lender = self._lenders[url] = _Lender(self._layout, objects)
        try:
            data = lender.read(hollow, record, self._ahead)
        except RewindError:
            # Its disk may have gone since it was opened.
            require_mounted(lender.outer, self._layout, url)
            raise
        with suppress(Storage):
            # A disk that is full, or not to be written, is no reason not to read.
            self._keep_all(hollow, record, data)
        return data[HEAD_SIZE : HEAD_SIZE + record.stored]

    def _keep_all(self, hollow: Hollow, first: Record, data: bytes) -> None:
        """Every payload in `data`, which begins with that record, stands in its place, as long as
        there is room. Raises Storage."""
        record: Record | None = first
        while record is not None and record.end - first.offset <= len(data):
            at = record.offset - first.offset + HEAD_SIZE
            payload = data[at : at + record.stored]
            if record.kind == Kind.CHUNK and hollow.fits(record, payload):
                if record is not first or not self._must_keep:
                    require_room(self._layout.folder, record.stored)
                hollow.write(record, payload)
            record = hollow.reader.head(record.end)


class _Lender:
    """One replica, and where it has what."""

    def __init__(self, layout: Layout, objects: Objects) -> None:
        identity = require_store(objects, layout)
        self.outer = objects
        self._objects = unseal(objects, identity, layout)
        self._ledger = Ledger(layout, identity.replica)
        self._ledger.read(self._objects)
        self._source = Source(self._objects, Pace(), self._ledger.bodies)

    def read(self, hollow: Hollow, record: Record, ahead: int) -> bytes:
        """The record's bytes, which fit, and some of those behind them."""
        for again in (False, True):
            try:
                if again:
                    # Collected there since this was read, or damaged.
                    self._ledger.read(self._objects)
                data = self._read(hollow.segment, record, ahead)
            except (Integrity, LookupError):
                if again:
                    raise
                continue
            if hollow.fits(record, data[HEAD_SIZE : HEAD_SIZE + record.stored]):
                return data
        raise Integrity(
            f"The replica {self._objects.place} holds segment {hollow.segment} with other bytes"
            " than were written.",
            hint="Nothing was changed here. `jupyter rewind replica verify --read-data` shows all"
            " that is damaged.",
        )

    def _read(self, segment: str, record: Record, ahead: int) -> bytes:
        data, at = bytearray(), record.offset
        for place in self._ledger.cover(segment, record.offset):
            # What lies in another object is not worth another request.
            end = min(place.end, max(record.end, record.end + ahead if not data else 0))
            if at >= record.end:
                break
            data += self._get(Place(at, end, place.key, place.at + at - place.start))
            at = end
        if at < record.end:
            raise NotFound(f"It has segment {segment} no more, which was collected there")
        return bytes(data)

    def _get(self, place: Place) -> bytes:
        if isinstance(self._objects, SealedObjects):
            return self._source.read(place)
        end = place.at + place.end - place.start
        data = self._objects.get_range(place.key, place.at, end)
        if len(data) != end - place.at:
            raise Integrity(f"{place.key} of the replica {self._objects.place} is cut short.")
        return data


def open_replica(url: str) -> Objects:
    """The objects of the replica at `url`: one that is not there is soon known not to be, and one
    that is slow has the time to send 8 MB."""
    return open_objects(parse_address(url), hasty=True, answer_seconds=_ANSWER_SECONDS)


def _absent(url: str, why: str) -> Unavailable:
    return Unavailable(
        f"What is asked for is still only in the replica {url}, which cannot be"
        f" read now: {why.rstrip('.')}.",
        code=ABSENT,
        hint=_HINT,
        retryable=True,
    )


def _ask(layout: Layout, segment: str, url: str, record: Record) -> None:
    """Another process has brought it, and much of what follows. Raises Unavailable, Integrity."""
    facts = {
        "folder": str(layout.folder), "store": layout.store_id, "key": layout.key.hex(),
        "segment": segment, "url": url, "record": [*record[:5]],
        "encrypted": layout.is_encrypted,
    }  # fmt: skip
    # Without -P, files of the folder we are in would be imported.
    command = [sys.executable, "-P", "-m", __name__]
    try:
        done = subprocess.run(
            command, input=json.dumps(facts).encode(), capture_output=True,
            timeout=_APART_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _absent(url, str(error)) from error
    if done.returncode == 0:
        return
    try:
        told = json.loads(done.stdout)
        kind = Integrity if told["damaged"] else Unavailable
        refusal = kind(told["message"], code=told["code"], hint=told["hint"])
    except (ValueError, KeyError, TypeError) as error:
        raise _absent(url, "the process that was to fetch it failed") from error
    raise refusal


def main() -> int:
    """Brings what `_ask` asks for."""
    facts = json.load(sys.stdin)
    layout = Layout(
        Path(facts["folder"]),
        StoreId(facts["store"]),
        bytes.fromhex(facts["key"]),
        facts["encrypted"],
    )
    offset, kind, codec, stored, raw = map(int, facts["record"])
    record = Record(offset, kind, codec, stored, raw, Digest(b""))
    try:
        bringer = Bringer(layout, Files(), ahead=_APART_BYTES, must_keep=True)
        bringer.payload(facts["segment"], facts["url"], record)
    except RewindError as error:
        sys.stdout.write(
            json.dumps(
                {
                    "damaged": isinstance(error, Integrity), "message": error.message,
                    "code": error.code, "hint": error.hint,
                }
            )
        )  # fmt: skip
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
