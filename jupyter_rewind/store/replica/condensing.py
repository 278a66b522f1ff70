"""What is left of a branch when what nobody needs is taken out, told as little as it can be.

A branch has said where bytes of segments lie, some of them twice, many of them in refs. What is
kept stays in the packs that it fills at least half; the rest is copied into packs of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from jupyter_rewind.store.replica.ledger import Ledger, Place
from jupyter_rewind.store.replica.outline import pack_key
from jupyter_rewind.store.replica.packing import INLINE_BYTES, PACK_BYTES
from jupyter_rewind.store.replica.refs import (
    Piece,
    branch_prefix,
    pack_epoch,
    parse_base_key,
    parse_ref_key,
)

_PACK = re.compile(r"packs/[0-9a-f]{2}/[0-9a-f]{64}(-\d+)?")


@dataclass(slots=True)
class Plan:
    """What is left of each branch, and what that frees."""

    kept: dict[str, list[tuple[str, Place]]] = field(default_factory=dict)
    """Branch -> pieces that stay in their packs."""
    moved: dict[str, list[tuple[str, Place]]] = field(default_factory=dict)
    """Branch -> pieces that are copied."""
    copied_bytes: int = 0
    kept_packs: set[str] = field(default_factory=set)


def plan(ledger: Ledger, drop: Iterable[str], epoch: int, sizes: Mapping[str, int]) -> Plan:
    """What is left when nothing that was said of `drop` before the barrier `epoch` counts any
    more; `sizes` are those of the packs."""
    gone = frozenset(drop)
    left: dict[str, dict[str, list[Place]]] = {}
    for segment, places in ledger.places.items():
        for place in places:
            if segment not in gone or place.epoch >= epoch:
                left.setdefault(place.branch, {}).setdefault(segment, []).append(place)
    whole = {
        branch: [(s, place) for s in sorted(found) for place in without_overlap(found[s])]
        for branch, found in left.items()
    }
    used: dict[str, int] = {}
    for places_of in whole.values():
        mine: dict[str, int] = {}
        for _, place in places_of:
            mine[place.key] = mine.get(place.key, 0) + place.end - place.start
        for key, size in mine.items():
            used[key] = max(size, used.get(key, 0))
    stay = {key for key, size in used.items() if key in sizes and 2 * size >= sizes[key]}
    found = Plan()
    for branch, places_of in whole.items():
        found.kept[branch] = [each for each in places_of if each[1].key in stay]
        found.moved[branch] = [each for each in places_of if each[1].key not in stay]
        found.kept_packs.update(place.key for _, place in found.kept[branch])
        found.copied_bytes += sum(place.end - place.start for _, place in found.moved[branch])
    return found


def superseded(
    ledger: Ledger, epoch: int, sizes: Callable[[str], Mapping[str, int]]
) -> dict[str, int]:
    """What no base and no later ref names, behind the barrier `epoch`, with its sizes; `sizes`
    tells those of all that lies under a prefix."""
    live = {place.key for places in ledger.places.values() for place in places}
    goes: dict[str, int] = {}
    for branch, base in ledger.bases.items():
        for key, size in sizes(branch_prefix(branch)).items():
            parsed = parse_ref_key(key)
            if parsed is not None and parsed[1] < base:
                goes[key] = size
    for prefix in ("packs/", "outlines/"):
        for key, size in sizes(prefix).items():
            pack = pack_key(key)
            if _PACK.fullmatch(pack) and pack_epoch(pack) < epoch and pack not in live:
                goes[key] = size
    # The hints last: while refs go, they say from where on to read.
    for key, size in sizes("bases/").items():
        parsed = parse_base_key(key)
        if parsed is not None and parsed[1] < ledger.bases[parsed[0]]:
            goes[key] = size
    return goes


def without_overlap(places: Iterable[Place]) -> list[Place]:
    """The same bytes, each said once; rather in a pack than in a ref."""
    found: list[Place] = []
    at = -1
    for place in sorted(places, key=lambda p: (p.start, -p.end, not p.key.startswith("packs/"))):
        if place.end <= at:
            continue
        skip = max(at - place.start, 0)
        found.append(replace(place, start=place.start + skip, at=place.at + skip))
        at = place.end
    return found


def copy(
    places: Iterable[tuple[str, Place]],
    read: Callable[[Place], bytes],
    put_pack: Callable[[bytes], str],
) -> tuple[list[Piece], bytes]:
    """The pieces that hold the same bytes, in packs of their own, or in the bytes that are
    returned where these are few."""
    wanted = list(places)
    if sum(place.end - place.start for _, place in wanted) <= INLINE_BYTES:
        return _copy_inline(wanted, read)
    pieces: list[Piece] = []
    waiting: list[Piece] = []
    data = bytearray()

    def flush() -> None:
        pack = put_pack(bytes(data))
        pieces.extend(replace(piece, pack=pack) for piece in waiting)
        waiting.clear()
        data.clear()

    for segment, place in wanted:
        if data and len(data) + place.end - place.start > PACK_BYTES:
            flush()
        _append(waiting, Piece(segment, place.start, place.end, "", len(data)))
        data += read(place)
    if data:
        flush()
    return pieces, b""


def _copy_inline(
    wanted: Iterable[tuple[str, Place]], read: Callable[[Place], bytes]
) -> tuple[list[Piece], bytes]:
    pieces: list[Piece] = []
    data = bytearray()
    for segment, place in wanted:
        _append(pieces, Piece(segment, place.start, place.end, "", len(data)))
        data += read(place)
    return pieces, bytes(data)


def merged(places: Iterable[tuple[str, Place]]) -> list[Piece]:
    """The pieces that stay where they are; neighbours in one pack as one."""
    pieces: list[Piece] = []
    for segment, p in places:
        last = pieces[-1] if pieces else None
        piece = Piece(segment, p.start, p.end, p.key, p.at)
        if last is not None and (last.segment, last.end, last.pack, last.at + last.size) == (
            segment, p.start, p.key, p.at,
        ):  # fmt: skip
            pieces[-1] = replace(last, end=p.end)
        else:
            pieces.append(piece)
    return pieces


def _append(pieces: list[Piece], piece: Piece) -> None:
    """One piece more, or the last one longer."""
    last = pieces[-1] if pieces else None
    if last is not None and (last.segment, last.end) == (piece.segment, piece.start):
        pieces[-1] = replace(last, end=piece.end)
    else:
        pieces.append(piece)
