"""Hears what other programs do in the same store: the command line, another server, a watcher.

The histories that somebody looked at through this server are compared every few seconds with what
they were, where the store has grown at all. What this server did itself is told by the recorder.
It changes nothing, and a fault of it costs an event, never a checkpoint.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from jupyter_rewind.errors import NotFound, RewindError
from jupyter_rewind.model.checkpoint import Checkpoint, Reason
from jupyter_rewind.model.ids import CheckpointId, HistoryId

if TYPE_CHECKING:
    from jupyter_rewind.faces.server.recorder import Recorder
    from jupyter_rewind.workspace import Workspace

_LOOK_SECONDS = 5.0
_FILES = 200

Told = dict[CheckpointId, Checkpoint]
Notice = Callable[[Checkpoint, str], None]


class Follower:
    """Which files are followed, and what was last told of their histories."""

    def __init__(
        self, recorder: Recorder, is_working: Callable[[], bool], log: logging.Logger
    ) -> None:
        self._recorder = recorder
        self._is_working = is_working
        self._log = log
        self.on_news: Notice | None = None
        self._known: OrderedDict[str, tuple[HistoryId | None, Told] | None] = OrderedDict()
        self._own: set[tuple[str, str]] = set()
        self._extent: object = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Looks begin, unless the settings turn looks off."""
        seconds = self._recorder.settings.notebooks_scan_seconds
        if seconds and self._thread is None:
            wait = min(float(seconds), _LOOK_SECONDS)
            self._thread = threading.Thread(
                target=self._work, args=(wait,), name="rewind-follower", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """No look begins any more."""
        self._stopping.set()

    def follow(self, file: str) -> None:
        """Somebody looks at the history of `file`: its changes are told from now on."""
        with self._lock:
            self._known.setdefault(file, None)
            self._known.move_to_end(file)
            while len(self._known) > _FILES:
                self._known.popitem(last=False)

    @property
    def is_following(self) -> bool:
        """Whether every file that somebody looks at was compared at least once."""
        with self._lock:
            return bool(self._known) and None not in self._known.values()

    def note(self, checkpoint: Checkpoint, action: str) -> None:
        """This was done here, and is told already."""
        with self._lock:
            if self._thread is not None:
                self._own.add((checkpoint.id, action))

    def _work(self, seconds: float) -> None:
        while not self._stopping.wait(seconds):
            try:
                self.look()
            except (RewindError, OSError) as error:
                self._log.debug("Could not look for what others did: %s", error)
            except Exception:
                self._log.warning("Could not look for what others did.", exc_info=True)

    def look(self) -> None:
        """What others did since the last look is told. Raises what reading the store does."""
        workspace = self._recorder.opened
        if workspace is None or self._is_working():
            return
        with self._lock:
            done = set(self._own)
        workspace.repository.refresh()
        with workspace.repository.index() as index:
            extent = workspace.repository.store_id, index.segments()
        with self._lock:
            files = dict(self._known)
            if extent == self._extent and None not in files.values():
                return
        found = {file: _read(workspace, file) for file in files}
        with self._lock:
            if self._is_working():
                return  # it may have been done here, and not be told yet
            own = set(self._own)
            self._own -= done  # what was done since may not be among what was read
            self._extent = extent
            for file, now in found.items():
                if file in self._known:
                    self._known[file] = now
        for file, (history, told) in found.items():
            before = files[file]
            if before is not None and before[0] == history:
                self._tell(compare(before[1], told), own)

    def _tell(self, news: Iterator[tuple[Checkpoint, str]], own: set[tuple[str, str]]) -> None:
        for checkpoint, action in news:
            if (checkpoint.id, action) not in own and self.on_news is not None:
                self.on_news(checkpoint, action)


def _read(workspace: Workspace, file: str) -> tuple[HistoryId | None, Told]:
    try:
        history = workspace.histories.history(os.path.realpath(file))
    except NotFound:
        return None, {}
    found: Sequence[Checkpoint] = workspace.histories.checkpoints_of(history)
    return history, {one.id: one for one in found}


def compare(before: Told, now: Told) -> Iterator[tuple[Checkpoint, str]]:
    """What became of which checkpoint between two looks, in the order of the history."""
    for name, one in before.items():
        if name not in now:
            yield one, "expired"
    for name, one in now.items():
        known = before.get(name)
        if known is None:
            yield one, "restored" if one.reason is Reason.RESTORE else "created"
        elif (known.labels, known.pinned, known.reason) != (one.labels, one.pinned, one.reason):
            yield one, "marked"
