"""One push as one object: which bytes of which segments it adds, and the small ones themselves.

refs/<branch>/<20-digit number>, little-endian (format 1 or 2):

    head    10 bytes  magic, format, size of the facts
    facts   JSON: store, replica, branch, number, nonce, needs, pieces, time, covers, and in format
            2 what collecting says
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

REF_FORMAT = 2
LOG = "log"
"""The branch on which machines say that they begin one, and collecting that it begins."""
WAYS_OUT = (
    "Nothing was changed. `jupyter rewind replica verify` shows all that is damaged; where no"
    " machine has the store any more, `jupyter rewind replica salvage` brings what still reads."
)
"""What to do about a replica that has lost a ref, or has one that does not read."""
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
    epoch: int = 0
    """The last barrier that its pusher knew on this branch."""
    barrier: int = 0
    """Not 0: collecting of this epoch begins here."""
    base: int = 0
    """Not 0: it stands for all before it on its branch, as collecting of this epoch left that."""
    generation: int = 0
    """With `base`: how many bases its branch has had with it."""
    condemned: tuple[str, ...] = ()
    """With `barrier`: segments that nobody may build on because of what was said before it."""
    dropped: tuple[str, ...] = ()
    """With `base`: segments of which collecting left nothing that was said before its barrier."""
    claims: tuple[str, ...] = ()
    """Segments that were condemned and are pushed again, for they are in use here."""
    opens: tuple[str, ...] = ()
    """On the branch LOG: branches that are there, or will be."""

    @property
    def key(self) -> str:
        return ref_key(self.branch, self.number)


def branch_prefix(branch: str) -> str:
    """What the keys of the branch's refs begin with."""
    return f"{LOG}/" if branch == LOG else f"refs/{branch}/"


def ref_key(branch: str, number: int) -> str:
    return f"{branch_prefix(branch)}{number:020d}"


def parse_ref_key(key: str) -> tuple[str, int] | None:
    """Branch and number; None for a name that is none of ours."""
    prefix, _, number = key.rpartition("/")
    branch = prefix.removeprefix("refs/")
    if prefix not in {LOG, f"refs/{branch}"} or len(number) != 20 or not number.isdigit():
        return None
    return branch, int(number)


def pack_name(data: bytes, key: bytes | None = None, epoch: int = 0) -> str:
    """Where a pack lies: named by its content, so that it is there or it is not. With `key` only
    who has that can tell the name from the content.

    Who knows of collecting of `epoch` never names a pack of an earlier one, which may be about to
    be deleted.
    """
    name = (blake3(data) if key is None else blake3(data, key=key)).hexdigest()
    return f"packs/{name[:2]}/{name}{f'-{epoch}' if epoch else ''}"


def pack_epoch(key: str) -> int:
    """The epoch in a pack's name."""
    number = key.rpartition("/")[2].partition("-")[2]
    return int(number) if number.isdigit() else 0


def base_key(branch: str, number: int) -> str:
    """What stands here says that the ref of this number is a base."""
    return f"bases/{branch}/{number:020d}"


def closed_key(branch: str, generation: int) -> str:
    """What stands here for ever says that the branch has so many bases, so that refs before the
    last one may be gone, and numbers free that were taken."""
    return f"closed/{branch}/{generation:020d}"


def parse_base_key(key: str) -> tuple[str, int] | None:
    """Branch and number; None for a name that is none of ours."""
    return parse_ref_key(key.replace("bases/", "refs/", 1)) if key[:6] == "bases/" else None


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
    collecting = _collecting(ref)
    text = to_json({**facts, **collecting})
    # What says nothing of collecting can be read by versions that know nothing of it.
    body = _HEAD.pack(_MAGIC, REF_FORMAT if collecting else 1, len(text)) + text + inline
    return body + _tag(body, layout, replica)


def _collecting(ref: Ref) -> dict[str, Json]:
    numbers: dict[str, Json] = {
        "epoch": ref.epoch, "barrier": ref.barrier, "base": ref.base, "generation": ref.generation,
    }  # fmt: skip
    names: dict[str, Json] = {
        "condemned": [*ref.condemned], "dropped": [*ref.dropped], "claims": [*ref.claims],
        "opens": [*ref.opens],
    }  # fmt: skip
    return {name: value for name, value in {**numbers, **names}.items() if value}


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
            hint=WAYS_OUT,
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
        numbers = [
            int(facts.get(name, 0)) for name in ("covers", "epoch", "barrier", "base", "generation")
        ]
        names = [
            tuple(map(str, facts.get(name, ())))
            for name in ("condemned", "dropped", "claims", "opens")
        ]
        ref = Ref(
            facts["branch"], facts["number"], facts["nonce"], pieces, needs, facts["time"],
            *numbers, *names,  # type: ignore[arg-type] # as they stand in Ref
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Format(f"{key} of the replica cannot be read: {error}.") from error
    if ref.key != key:
        raise Integrity(f"{key} of the replica is a copy of {ref.key}.")
    return ref, _HEAD.size + size


def _tag(body: bytes, layout: Layout, replica: str) -> bytes:
    hasher = blake3(f"replica ref\0{layout.store_id}\0{replica}\0".encode(), key=layout.key)
    return hasher.update(body).digest(TAG_SIZE)
