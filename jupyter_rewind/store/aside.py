"""What a kernel has put aside in a hurry, until it stands in the store as it should.

A large state must survive a kill of the kernel from the moment its cell has ended, and compressing
it takes long. So it goes to a segment of its own as it is, which the page cache takes at the speed
of memory; a thread then puts the same content into the kernel's usual segment, compressed, and the
first segment goes. To everybody else both are ordinary: content has the same name in both, and
after a kill the first one is simply what there is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress

from jupyter_rewind.errors import NotFound, Unavailable
from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.ids import Digest, WriterId
from jupyter_rewind.store.block import Staged
from jupyter_rewind.store.framing import Record
from jupyter_rewind.store.keep import KernelStore
from jupyter_rewind.store.layout import retire_segments
from jupyter_rewind.store.locks import Barrier, FileLock
from jupyter_rewind.store.place import Place

_MISSES = 16


class Aside(KernelStore):
    """A store beside `home`, the same one, with a writer of its own: what either puts, both know.
    It ends with `discard`, or with `close` where its content is to stay."""

    def __init__(self, home: KernelStore) -> None:
        super().__init__(home.layout, home.files)
        self._home = home

    def knows(self, digest: Digest) -> bool:
        return super().knows(digest) or self._home.knows(digest)

    def require(self, digests: Collection[Digest]) -> None:
        self._home.require([one for one in digests if not self.knows(one)])

    def place(self, digest: Digest) -> Place:
        return super().place(digest) if super().knows(digest) else self._home.place(digest)

    def next_order(self) -> int:
        return self._home.next_order()

    def move_home(self, staged: Iterable[Staged], entries: Sequence[Entry]) -> None:
        """What was put here stands at home too, compressed, and with it the entries that name it.
        Raises Storage, Integrity."""
        misses = 0
        with self._home.block() as block:
            for number, one in enumerate(staged):
                # Where everything changed, few differences are worth a try.
                tries = one.base is not None and (misses < _MISSES or number % _MISSES == 0)
                raw, written = self.get(one.name), block.written_bytes
                block.put_again(one, raw, with_base=tries)
                if tries:
                    is_gain = block.written_bytes - written < len(raw) // 2
                    misses = 0 if is_gain else misses + 1
            block.entries += entries

    def discard(self, *, patience_seconds: float) -> bool:
        """All of it stands at home: its segment is gone, unless others are at work in the store
        for so long; then nothing has happened. Raises Storage."""
        name = self._writer.open_segment
        if not name:
            self.close()
            return True
        self._home.sync()
        upkeep = FileLock(self.layout.locks / "removal")
        barrier = Barrier(self.layout.barrier)
        try:
            if not upkeep.try_acquire(exclusive=True):
                return False
            with barrier.held(exclusive=True, patience_seconds=patience_seconds):
                self._remove(name)
        except Unavailable:
            return False
        finally:
            upkeep.release()
            barrier.close()
        self.close()
        return True

    def _remove(self, name: WriterId) -> None:
        retire_segments(self.layout, self.files, [name])
        with suppress(NotFound):
            self._writer.discard()
        self.files.sync_folder(self.layout.segments)
        self._home.forget_segment(name)

    def _end_commit(self) -> None:
        """One segment, however long it becomes: it will not stay."""

    def _own(self, records: Sequence[Record], end: int, entries: Sequence[Entry]) -> None:
        super()._own(records, end, entries)
        self._home.learn(self._writer.segment, records, end, entries)
