"""Expires and collects by the retention settings, in the background and seldom."""

from __future__ import annotations

import threading

from jupyter_rewind.errors import RewindError
from jupyter_rewind.faces.server.recorder import Recorder

_FIRST_SECONDS = 120.0
_LOOK_SECONDS = 1_800.0


class Upkeep:
    """A thread that asks now and then whether a round is due. Servers on one store take turns:
    the store itself knows when the last round was."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """The first round comes when the server had time to start, if one is due."""
        if self._recorder.settings.upkeep_automatic and self._thread is None:
            self._thread = threading.Thread(target=self._work, name="rewind-upkeep", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """No new round begins."""
        self._stopping.set()

    def _work(self) -> None:
        seconds = _FIRST_SECONDS
        while not self._stopping.wait(seconds):
            self.run()
            seconds = _LOOK_SECONDS

    def run(self) -> bool:
        """Whether a round was due and done. Never raises."""
        try:
            done = self._recorder.workspace().keep_up()
            for checkpoint in done.expired if done is not None else ():
                self._recorder.tell(checkpoint, "expired")
            return done is not None
        except (RewindError, OSError) as error:
            self._recorder.note_failure("Could not expire and collect: %s", error)
        except Exception as error:
            self._recorder.note_failure("Could not expire and collect: %r", error, error=error)
        return False
