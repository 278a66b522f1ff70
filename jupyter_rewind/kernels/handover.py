"""What is under way in a kernel that is heard and may outlive its server, for whoever hears it
next: a process that waits for the server's end, and the next server.

One hears at a time: whoever does holds a lock, and the system frees it when they end. Who wants to
hear says so by a file, for the process in between would go on for as long as there is no server.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_rewind.errors import RewindError
from jupyter_rewind.model.encoding import to_json
from jupyter_rewind.model.ids import ExecutionId, RunId
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.locks import FileLock, is_locked

log = logging.getLogger(__name__)
FORMAT = 1
_NOTE, _LOCK, _CLAIM = "heard.json", "hearing", "hears-next"
_WAIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class UnderWay:
    """The run that was begun, its executions that have not ended by their requests, and the last
    messages that were heard."""

    run: RunId
    open: Mapping[str, ExecutionId] = field(default_factory=dict)
    seen: frozenset[str] = frozenset()


class Handover:
    """Of one kernel, in its own `folder`."""

    def __init__(self, folder: Path) -> None:
        self._note = folder / _NOTE
        self._claim = folder / _CLAIM
        self._lock = FileLock(folder / _LOCK)
        self.is_taken = False
        """Whether `take` has been done here."""

    @property
    def is_there(self) -> bool:
        """Whether somebody has heard the kernel."""
        return self._note.exists()

    @property
    def is_heard(self) -> bool:
        """Whether somebody hears the kernel now. Raises Unavailable where nobody can tell."""
        return is_locked(self._lock.path)

    @property
    def is_claimed(self) -> bool:
        """Whether somebody else wants to hear the kernel from now on."""
        return self._claim.exists()

    def take(self, seconds: float = _WAIT_SECONDS) -> UnderWay | None:
        """Nobody else hears the kernel from now on, or did not say so in time; what is under way,
        where it has been heard before. Never fails: the journal begins anew else."""
        try:
            if not self._lock.try_acquire(exclusive=True):
                self._claim.touch(0o600)
                self._lock.acquire(exclusive=True, timeout_seconds=seconds, doing="hear a kernel")
        except (RewindError, OSError) as error:
            log.debug("a kernel is heard though nobody let go of it: %s", error)
        try:
            self._claim.unlink(missing_ok=True)
            self.is_taken = True
            return _read(self._note)
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.warning("What a kernel was doing does not read: %s", error)
            return None

    def write(self, run: RunId, executions: Mapping[str, ExecutionId], seen: Iterable[str]) -> None:
        """That is under way. Never fails: what comes after the server's end is not kept then."""
        told = to_json({"format": FORMAT, "run": run, "open": {**executions}, "seen": [*seen]})
        try:
            Files().replace_file(self._note, told, 0o600)
        except RewindError as error:
            log.debug("what a kernel does is not noted: %s", error)

    def leave(self) -> None:
        """Somebody else may hear it."""
        self._lock.release()

    def end(self) -> None:
        """There is nothing to go on with: the kernel has ended."""
        try:
            self._note.unlink(missing_ok=True)
        except OSError as error:
            log.debug("a note of a kernel that has ended stays: %s", error)
        self._lock.release()


def _read(path: Path) -> UnderWay | None:
    try:
        told = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    if told["format"] != FORMAT:
        raise ValueError("it was written by another version of Jupyter Rewind")
    return UnderWay(
        RunId(str(told["run"])),
        {str(name): ExecutionId(str(each)) for name, each in told["open"].items()},
        frozenset(map(str, told["seen"])),
    )
