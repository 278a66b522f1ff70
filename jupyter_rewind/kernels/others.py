"""What other processes did to the states of this run: deleted some, gave some a label.

The index that tells of it takes longer to open than a move, so it is asked only when the files of
others have changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from jupyter_rewind.model.ids import SnapshotId
from jupyter_rewind.model.snapshot import Snapshot

_Files = dict[str, tuple[int, int]]


class Others:
    """Knows what was deleted and labelled as of the last look."""

    def __init__(self, segments: Path) -> None:
        self._segments = segments
        # Nobody can have done anything to a run that has not begun.
        self._seen = self._files(())
        self._gone: set[SnapshotId] = set()
        self._known: dict[SnapshotId, Snapshot] = {}

    def doubt(self) -> None:
        """The run began before this process had it: others are asked with the next look."""
        self._seen = {"": (-2, -2)}

    def apply(
        self,
        mine: list[Snapshot],
        own: Iterable[str],
        ask: Callable[[], list[Snapshot]],
    ) -> list[Snapshot]:
        """`mine`, as what others did leaves it; `own` are the segments that this process writes,
        `ask` reads the index. Raises what that raises."""
        files = self._files(own)
        if files != self._seen:
            self._known = {each.id: each for each in ask()}
            self._gone = {each.id for each in mine if each.id not in self._known}
            self._seen = files
            return [self._known[each.id] for each in mine if each.id in self._known]
        return [
            each if each.labels else self._known.get(each.id, each)
            for each in mine
            if each.id not in self._gone
        ]

    def _files(self, own: Iterable[str]) -> _Files:
        left_out = set(own)
        found: _Files = {}
        try:
            with os.scandir(self._segments) as entries:
                for entry in entries:
                    if entry.name not in left_out:
                        status = entry.stat()
                        found[entry.name] = (status.st_size, status.st_mtime_ns)
        except OSError:
            # Gone in this moment, or not to be read: the index is asked, and says why.
            return {"": (-1, -1)}
        return found
