"""One push as one object: which bytes of which segments it adds, and the small ones themselves.

refs/<branch>/<20-digit number>, little-endian (format 1):

    head    10 bytes  magic, format, size of the facts
    facts   JSON: store, replica, branch, number, nonce, needs, pieces, time, covers
    inline  the bytes of pieces that lie in no pack
    tag     32 bytes  keyed blake3 over all before it, for this replica

A ref is made once, under a condition, and never changed. All its pieces count or none does.
`needs` says how far the pusher had read other branches: whoever sees this ref has to see those.
"""

from __future__ import annotations

import hmac
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from blake3 import blake3

from jupyter_rewind.errors import Format, Integrity
from jupyter_rewind.model.encoding import check_format, parse_json, to_json
from jupyter_rewind.model.entry import Json
from jupyter_rewind.store.layout import Layout

REF_FORMAT = 1
_MAGIC = b"\xabJRR"
_SEGMENT = re.compile(r"[0-9a-f]{16}")
_HEAD = struct.Struct("<4sHI")
TAG_SIZE = 32


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes `start` to `end` of a segment: at byte `at` of a pack, or of the ref's own bytes
    where `pack` is empty."""

    segment: str
    start: int
    end: int
    pack: str
    at: int

    @property
    def size(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Ref:
    """What one push says."""

    branch: str
    number: int
    nonce: str
    pieces: tuple[Piece, ...]
    needs: Mapping[str, int] = field(default_factory=dict)
    time_ns: int = 0
    covers: int = 0
    """The first of the refs before it that it says again, up to itself; 0 for none."""

    @property
    def key(self) -> str:
        return ref_key(self.branch, self.number)


def ref_key(branch: str, number: int) -> str:
    return f"refs/{branch}/{number:020d}"


def parse_ref_key(key: str) -> tuple[str, int] | None:
    """Branch and number; None for a name that is none of ours."""
    parts = key.split("/")
    if len(parts) != 3 or parts[0] != "refs" or len(parts[2]) != 20 or not parts[2].isdigit():
        return None
    return parts[1], int(parts[2])


def pack_name(data: bytes, key: bytes | None = None) -> str:
    """Where a pack lies: named by its content, so that it is there or it is not. With `key` only
    who has that can tell the name from the content."""
    name = (blake3(data) if key is None else blake3(data, key=key)).hexdigest()
    return f"packs/{name[:2]}/{name}"


def encode_ref(ref: Ref, inline: bytes, layout: Layout, replica: str) -> bytes:
    """The object of `ref`, whose inline pieces say where in `inline` they stand."""
    facts: dict[str, Json] = {
        "store": layout.store_id,
        "replica": replica,
        "branch": ref.branch,
        "number": ref.number,
        "nonce": ref.nonce,
        "needs": dict(ref.needs),
        "pieces": [[p.segment, p.start, p.end, p.pack, p.at] for p in ref.pieces],
        "time": ref.time_ns,
        **({"covers": ref.covers} if ref.covers else {}),
    }
    text = to_json(facts)
    body = _HEAD.pack(_MAGIC, REF_FORMAT, len(text)) + text + inline
    return body + _tag(body, layout, replica)


def decode_ref(data: bytes, key: str, layout: Layout, replica: str) -> tuple[Ref, int]:
    """The ref that stands under `key`, and where in it its inline bytes begin.

    Raises Integrity for what no holder of the store's key put there, Newer, Format.
    """
    body, tag = data[:-TAG_SIZE], data[-TAG_SIZE:]
    if len(data) < _HEAD.size + TAG_SIZE or data[:4] != _MAGIC:
        raise Format(f"{key} of the replica is not a record of a push.")
    _, number, size = _HEAD.unpack_from(body)
    # Whoever cannot make the tag shall not choose the words, that of a newer version either.
    if not hmac.compare_digest(_tag(body, layout, replica), tag):
        raise Integrity(
            f"{key} of the replica is damaged, or was not written with this store's key.",
            hint="Nothing was changed. `jupyter rewind replica verify` shows all that is damaged.",
        )
    check_format(number, REF_FORMAT, f"{key} of the replica")
    try:
        facts = parse_json(body[_HEAD.size : _HEAD.size + size])
        pieces = tuple(
            Piece(str(segment), int(start), int(end), str(pack), int(at))
            for segment, start, end, pack, at in facts["pieces"]
        )
        if not all(_SEGMENT.fullmatch(piece.segment) for piece in pieces):
            raise ValueError("a segment has a name that none of ours has")
        needs = {str(branch): int(upto) for branch, upto in facts["needs"].items()}
        ref = Ref(
            facts["branch"], facts["number"], facts["nonce"], pieces, needs, facts["time"],
            int(facts.get("covers", 0)),
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Format(f"{key} of the replica cannot be read: {error}.") from error
    if ref.key != key:
        raise Integrity(f"{key} of the replica is a copy of {ref.key}.")
    return ref, _HEAD.size + size


def _tag(body: bytes, layout: Layout, replica: str) -> bytes:
    hasher = blake3(f"replica ref\0{layout.store_id}\0{replica}\0".encode(), key=layout.key)
    return hasher.update(body).digest(TAG_SIZE)
