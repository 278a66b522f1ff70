"""Expires and collects by the retention settings, in the background and seldom."""

from __future__ import annotations

import threading
from collections.abc import Callable

from jupyter_rewind import clock
from jupyter_rewind.errors import RewindError
from jupyter_rewind.faces.server.recorder import Recorder

_FIRST_SECONDS = 120.0
_LOOK_SECONDS = 1_800.0
_TICK_SECONDS = 60.0


class Upkeep:
    """A thread that asks now and then whether a round is due. Servers on one store take turns:
    the store itself knows when the last round was."""

    def __init__(self, recorder: Recorder, look: Callable[[], None] = lambda: None) -> None:
        """`look` is done each minute, and may change the store."""
        self._recorder = recorder
        self._look = look
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.is_running = False

    def start(self) -> None:
        """The first round comes when the server had time to start, if one is due."""
        if self._recorder.settings.upkeep_automatic and self._thread is None:
            self._thread = threading.Thread(target=self._work, name="rewind-upkeep", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """No new round begins."""
        self._stopping.set()

    def _work(self) -> None:
        due = clock.monotonic() + _FIRST_SECONDS
        while not self._stopping.wait(_TICK_SECONDS):
            if clock.monotonic() >= due:
                self.run()
                due = clock.monotonic() + _LOOK_SECONDS
            self.look()

    def look(self) -> None:
        """What is looked at more often than a round is due."""
        self.is_running = True
        try:
            self._look()
        finally:
            self.is_running = False

    def run(self) -> bool:
        """Whether a round was due and done. Never raises."""
        self.is_running = True
        try:
            done = self._recorder.workspace().keep_up()
            if done is None:
                return False
            for checkpoint in done.expired:
                self._recorder.tell(checkpoint, "expired")
            for name, why in done.collected.skipped:
                self._recorder.note_failure("Segment %s was not collected: %s.", name, why)
            return True
        except (RewindError, OSError) as error:
            self._recorder.note_failure("Could not expire and collect: %s", error)
        except Exception as error:
            self._recorder.note_failure("Could not expire and collect: %r", error, error=error)
        finally:
            self.is_running = False
        return False
