"""Gathering: what many small pushes have added, said once more by a later one.

A server pushes every few seconds, and a fresh machine would have to read each of these refs. So
every ref whose number is a multiple of `EVERY` says again what those before it have said, and what
lay in them lies in packs besides. Who reads a branch reads these first, and then only the refs
that none of them covers. Nothing is taken away by that: a reader that knows nothing of it finds
the same. What was said before a barrier or a base is left to whoever collects.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from jupyter_rewind.errors import Format, Integrity, NotFound
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.packing import PACK_BYTES
from jupyter_rewind.store.replica.refs import Piece, decode_ref, parse_base_key, ref_key

log = logging.getLogger(__name__)
EVERY = 256


def gathers(number: int) -> bool:
    """Whether the ref of this number says again what those before it have said."""
    return number % EVERY == 0


@dataclass(frozen=True, slots=True)
class Again:
    """What the refs from `first` on have said, up to the one that says it again; `first` is 0
    where none is covered."""

    first: int = 0
    pieces: tuple[Piece, ...] = ()
    needs: Mapping[str, int] = field(default_factory=dict)
    claims: frozenset[str] = frozenset()


def gather(
    objects: Objects,
    layout: Layout,
    replica: str,
    branch: str,
    number: int,
    put_pack: Callable[[bytes], str],
) -> Again:
    """What the ref `number` is to say again; nothing where one of those before it cannot be read,
    which is told where it matters. Raises Storage."""
    first = number - EVERY + 1
    for each in objects.find(f"bases/{branch}/"):
        parsed = parse_base_key(each.key)
        first = max(first, parsed[1] + 1 if parsed else 0)
    gathered = _Gathered(put_pack)
    needs: dict[str, int] = {}
    claims: set[str] = set()
    try:
        for at_number in range(first, number):
            key = ref_key(branch, at_number)
            data = objects.get(key)
            ref, inline_at = decode_ref(data, key, layout, replica)
            if ref.barrier or ref.base:
                gathered, needs, first = _Gathered(put_pack), {}, at_number + 1
                claims = set()
                continue
            claims.update(ref.claims)
            for other, upto in ref.needs.items():
                needs[other] = max(upto, needs.get(other, 0))
            for piece in ref.pieces:
                at = inline_at + piece.at
                gathered.add(piece, b"" if piece.pack else data[at : at + piece.size])
    except (NotFound, Integrity, Format) as error:
        log.warning("the pushes before %s were not gathered: %s", ref_key(branch, number), error)
        return Again()
    if first >= number:
        return Again()
    return Again(first, tuple(gathered.finish()), needs, frozenset(claims))


def uncovered(numbers: Iterable[int], covers: dict[int, int]) -> list[int]:
    """Those of `numbers` that no gathering ref (number -> the first that it covers) covers, and
    that are none."""
    left = {number for number in numbers if number not in covers}
    for number, first in covers.items():
        if first:
            left.difference_update(range(first, number))
    return sorted(left)


class _Gathered:
    """Pieces whose bytes go into packs, as soon as they fill one."""

    def __init__(self, put_pack: Callable[[bytes], str]) -> None:
        self._put_pack = put_pack
        self._pieces: list[Piece] = []
        self._waiting: list[Piece] = []
        self._data = bytearray()

    def add(self, piece: Piece, data: bytes) -> None:
        if piece.pack:
            self._pieces.append(piece)
            return
        if len(self._data) + len(data) > PACK_BYTES:
            self._flush()
        self._waiting.append(Piece(piece.segment, piece.start, piece.end, "", len(self._data)))
        self._data += data

    def finish(self) -> list[Piece]:
        self._flush()
        return self._pieces

    def _flush(self) -> None:
        if not self._waiting:
            return
        pack = self._put_pack(bytes(self._data))
        self._pieces += [Piece(p.segment, p.start, p.end, pack, p.at) for p in self._waiting]
        self._waiting, self._data = [], bytearray()
