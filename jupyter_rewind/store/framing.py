"""One record of a segment: how it is framed, named, tagged and, in an encrypted store, hidden."""

from __future__ import annotations

import re
import struct
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from jupyter_rewind.errors import Integrity, RewindError
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.store.chunks import BASE_SIZE, Codec, delta_base, digest
from jupyter_rewind.store.encryption import StoreCipher
from jupyter_rewind.store.layout import SEALED_FORMAT as STORE_ENCRYPTED
from jupyter_rewind.store.layout import Layout, read_config

MAGIC = b"\xabJRW"
RECORD_FORMAT, SEALED_FORMAT = 1, 2
HEAD = struct.Struct("<4sBBHII32s")
HEAD_SIZE = HEAD.size
TAG_SIZE = 16
OVERHEAD = HEAD_SIZE + TAG_SIZE
_LOOKED_AT = 1 << 20
_ANY_HEAD = re.compile(re.escape(MAGIC) + rb"[\x01-\x03][\x00-\x02]([\x01\x02])\x00", re.DOTALL)
_CODEC_AT, _FORMAT_AT, _ID_AT = 5, 6, 16


class Kind(IntEnum):
    """What a record is."""

    CHUNK = 1
    NODE = 2
    COMMIT = 3


KINDS = frozenset(map(int, Kind))


class Record(NamedTuple):
    """Where one record stands, as its head says. (A tuple: a scan makes very many of them.)"""

    offset: int
    kind: int
    codec: int
    stored: int
    raw: int
    id: Digest

    @property
    def end(self) -> int:
        return self.offset + OVERHEAD + self.stored


@dataclass(frozen=True, slots=True)
class Seal:
    """Makes and checks the tags of one segment."""

    key: bytes
    store: str
    segment: str
    cipher: StoreCipher | None = None

    def tag(self, offset: int, head: bytes, payload: bytes | memoryview) -> bytes:
        """16 bytes that only a holder of the key can make for this record at this place.

        Raw content is bound by its id, which the head ends with: hashing it twice would halve
        the speed of every write and every verify. Whoever checks a tag checks the id as well.
        """
        if self._speaks_for_itself(head):
            return blake3(self._prefix(offset) + head, key=self.key).digest(TAG_SIZE)
        hasher = blake3(self._prefix(offset) + head, key=self.key)
        hasher.update(payload)
        return hasher.digest(TAG_SIZE)

    def fits(self, offset: int, data: memoryview) -> bool:
        """True when the whole record in `data` is what a holder of the key put at `offset`.

        That its content fits its id is known only where it is stored raw.
        """
        head, payload = bytes(data[:HEAD_SIZE]), data[HEAD_SIZE:-TAG_SIZE]
        if self.tag(offset, head, payload) != data[-TAG_SIZE:]:
            return False
        return not self._speaks_for_itself(head) or digest(payload) == head[_ID_AT:]

    @property
    def format(self) -> int:
        """The number of the records' format."""
        return RECORD_FORMAT if self.cipher is None else SEALED_FORMAT

    def show(self, record: Record, stored: bytes) -> bytes:
        """The payload that stands there as `stored`. Raises Integrity."""
        if self.cipher is None:
            return stored
        return self.cipher.show(record.codec, record.raw, record.id, stored)

    def base(self, start: bytes) -> tuple[int, Digest]:
        """The depth of a difference whose stored bytes begin so, and what it is told from. Raises
        Integrity."""
        if self.cipher is not None and len(start) >= BASE_SIZE:
            start = self.cipher.show_base(start[:BASE_SIZE])
        return delta_base(start)

    def batch(self, proofs: list[bytes]) -> bytes:
        """16 bytes over the heads, ids and tags of a batch's records."""
        return blake3(b"batch" + b"".join(proofs), key=self.key).digest(TAG_SIZE)

    @staticmethod
    def _speaks_for_itself(head: bytes) -> bool:
        """Whether the payload is bound by the id: it is the content, in the clear."""
        return head[_CODEC_AT] == Codec.RAW and head[_FORMAT_AT] == RECORD_FORMAT

    def _prefix(self, offset: int) -> bytes:
        return f"{self.store}\0{self.segment}\0{offset}\0".encode()


def frame(
    seal: Seal,
    offset: int,
    kind: Kind,
    codec: int,
    raw_size: int,
    name: bytes,
    payload: bytes | memoryview,
) -> tuple[bytes, bytes | memoryview, bytes]:
    """The head (with the id), what is stored of the payload, and the tag of a record that will
    stand at `offset`."""
    if seal.cipher is not None:
        payload = seal.cipher.hide(codec, raw_size, name, payload)
        name = seal.cipher.hide_name(name)
    head = HEAD.pack(MAGIC, kind, codec, seal.format, len(payload), raw_size, name)
    return head, payload, seal.tag(offset, head, payload)


def is_encrypted(folder: Path) -> bool:
    """Whether the store at `folder` says so of itself, or its records do; False where nobody can
    look."""
    with suppress(RewindError):
        if read_config(folder / "config")["format"] == STORE_ENCRYPTED:
            return True
    with suppress(OSError):
        return any(map(_is_hidden, (folder / "segments").glob("[!.]*")))
    return False


def _is_hidden(path: Path) -> bool:
    """Whether the first record of the segment that looks like one is encrypted; False for what
    cannot be read."""
    try:
        with path.open("rb") as file:
            found = _ANY_HEAD.search(file.read(_LOOKED_AT))
    except OSError:
        return False
    return found is not None and found[1][0] == SEALED_FORMAT


def refuse_former(layout: Layout) -> None:
    """A config from before a change of the key shows nothing of what is there, and what is saved
    then may be in the clear. A whole store from before it is as good as ever. Raises Integrity."""
    segments = [*layout.segments.glob("[!.]*")]
    if segments and not any(_is_readable(layout, path) for path in segments):
        raise Integrity(
            f"The config of the store at {layout.folder} is from before its key was changed.",
            hint="Nothing was changed, and all is there. Put the present config back, or"
            " `jupyter rewind salvage` makes it again.",
        )


def _is_readable(layout: Layout, path: Path) -> bool:
    """Whether the segment begins with a record that was made with the store's key; True where
    nobody can look."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_SIZE)
            if len(head) < HEAD_SIZE:
                return False
            magic, _, _, _, stored, _, _ = HEAD.unpack(head)
            data = head + file.read(stored + TAG_SIZE)
    except OSError:
        return True
    whole = magic == MAGIC and len(data) == OVERHEAD + stored
    return whole and seal_of(layout, path.name).fits(0, memoryview(data))


def seal_of(layout: Layout, segment: str) -> Seal:
    """What makes and checks the tags of one segment of the store."""
    return Seal(layout.key, layout.store_id, segment, layout.cipher)


def make_tag(layout: Layout, facts: bytes) -> str:
    """What only a holder of this store's key can say of `facts`."""
    return blake3(b"said " + layout.store_id.encode() + b"\0" + facts, key=layout.key).hexdigest(16)
