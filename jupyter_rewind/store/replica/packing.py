"""How the bytes of a push are laid into objects, and how they get there in bounded memory.

Little goes into the ref itself: a small commit is one PUT. More goes into packs of at most 8 MB,
named by their content. Long pieces are cut at fixed distances, so that a push that was stopped
finds most of its packs there already.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind.errors import Integrity, NotFound
from jupyter_rewind.store.durable import Files, read_at
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.replica.cut import Tail
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.outline import encode_outline, make_outline, outline_key
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.replica.refs import Piece, pack_name
from jupyter_rewind.store.replica.sealing import naming_key
from jupyter_rewind.store.replica.settling import create_surely

Progress = Callable[[int, int], None]
INLINE_BYTES = 512 << 10
PACK_BYTES = 8 << 20
_AHEAD = 2
"""So many packs are read, named and outlined while as many are on their way as the pace allows:
these small requests take as long as a tenth of a pack, and the way would be idle meanwhile."""


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes of a segment that go into one pack."""

    segment: str
    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start


def lay_out(tails: Sequence[Tail]) -> tuple[list[Block], list[list[Block]]]:
    """The blocks that go into the ref, and those of each pack."""
    blocks = [block for tail in sorted(tails, key=lambda t: t.segment) for block in _cut(tail)]
    if sum(block.size for block in blocks) <= INLINE_BYTES:
        return blocks, []
    packs = [[block] for block in blocks if block.size > PACK_BYTES // 8]
    shared: list[Block] = []
    for block in blocks:
        if block.size > PACK_BYTES // 8:
            continue
        if sum(each.size for each in shared) + block.size > PACK_BYTES:
            packs.append(shared)
            shared = []
        shared.append(block)
    return [], [*packs, *([shared] if shared else [])]


def _cut(tail: Tail) -> Iterator[Block]:
    for start in range(tail.start, tail.end, PACK_BYTES):
        yield Block(tail.segment, start, min(start + PACK_BYTES, tail.end))


class Sender:
    """Sends packs, a few at a time."""

    def __init__(
        self,
        layout: Layout,
        files: Files,
        objects: Objects,
        pace: Pace,
        progress: Progress | None,
        total: int,
        epoch: int = 0,
    ) -> None:
        self._layout = layout
        self._files = files
        self._objects = objects
        self._pace = pace
        self._progress = progress
        self._total = total
        self._epoch = epoch
        self._done = 0
        self._lock = threading.Lock()
        self._slots = threading.Semaphore(pace.hands)
        self.objects_made = 0

    def read(self, blocks: Sequence[Block]) -> bytes:
        """The blocks' bytes, one after the other. Raises NotFound for a segment that is gone."""
        return b"".join(self._read(block) for block in blocks)

    def send(self, packs: Sequence[Sequence[Block]]) -> list[Piece]:
        """All packs are there, durably; where each of their blocks stands."""
        if self._pace.hands == 1:
            return [piece for blocks in packs for piece in self._send(blocks)]
        with ThreadPoolExecutor(self._pace.hands + _AHEAD) as pool:
            # What waits holds no bytes yet.
            waiting = [pool.submit(self._send, blocks) for blocks in packs]
            try:
                for each in wait(waiting, return_when=FIRST_EXCEPTION).done:
                    each.result()
                return [piece for each in waiting for piece in each.result()]
            except KeyboardInterrupt:
                self._pace.end()
                raise
            finally:
                for each in waiting:
                    each.cancel()

    def count(self, size: int) -> None:
        """So many bytes more are there."""
        with self._lock:
            self._done += size
            if self._progress is not None:
                self._progress(self._done, self._total)

    def _send(self, blocks: Sequence[Block]) -> list[Piece]:
        data = self.read(blocks)
        key = self.put_pack(data)
        self.count(len(data))
        at = 0
        pieces = []
        for block in blocks:
            pieces.append(Piece(block.segment, block.start, block.end, key, at))
            at += block.size
        return pieces

    def put_pack(self, data: bytes) -> str:
        """Where the pack that holds `data` lies; it is there, durably."""
        key = pack_name(data, naming_key(self._objects), self._epoch)
        if self._objects.size(key) != len(data):
            self._put_outline(data, key)
            self._pace.wait(len(data))
            with self._slots:
                if self._pace.is_ended:
                    raise KeyboardInterrupt
                is_there = create_surely(self._objects, key, data)
            if not is_there:
                raise Integrity(
                    f"{key} of the replica {self._objects.place} holds other bytes than its name"
                    " says.",
                    hint="The store on this machine is whole. Delete that object and push again.",
                )
            with self._lock:
                self.objects_made += 1
        return key

    def _put_outline(self, data: bytes, pack: str) -> None:
        """Where a pack is that was made by this version there is its outline, if it has one."""
        outline = make_outline(data)
        if outline is None:
            return
        told = encode_outline(outline, pack, self._layout)
        self._pace.wait(len(told))
        if create_surely(self._objects, outline_key(pack), told):
            with self._lock:
                self.objects_made += 1

    def _read(self, block: Block) -> bytes:
        path: Path = self._layout.segments / block.segment
        descriptor = self._files.open(path)
        try:
            data = read_at(descriptor, block.size, block.start)
        finally:
            self._files.close(descriptor)
        if len(data) != block.size:
            raise NotFound(f"Segment {block.segment} has become shorter.")
        return data
