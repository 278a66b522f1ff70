"""Turns what happens to files into checkpoints, away from the event loop and in order.

A save is never slowed and never failed by this: it leaves a job behind, whose bytes are read at
once. A fault is logged once, counted, and told by the health endpoint. A checkpoint that a user
asked for is acknowledged only when it is stored.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from jupyter_rewind import clock
from jupyter_rewind.errors import (
    Conflict,
    Internal,
    InvalidInput,
    NotFound,
    RestoreRefused,
    RewindError,
    Unavailable,
)
from jupyter_rewind.faces.server.reading import Reading, Stamp, read_stamp
from jupyter_rewind.faces.server.statuses import sayable
from jupyter_rewind.faces.server.worker import Worker, is_touched
from jupyter_rewind.model.checkpoint import Checkpoint, Reason

if TYPE_CHECKING:
    from jupyter_rewind.settings import Rewind
    from jupyter_rewind.workspace import Workspace

T = TypeVar("T")

HELD_LIMIT_BYTES = 1 << 30
POLITE_LIMIT_BYTES = 256 << 20
_POLITE_SECONDS = 0.25
_GRACE_SECONDS = 10.0
_RETRY_SECONDS = 5.0
_KNOWN_LIMIT = 20_000
_STOP_SECONDS = 15.0
_REFUSALS = (NotFound, Conflict, InvalidInput, RestoreRefused)

Notice = Callable[[Checkpoint, str], None]


class Recorder:
    """One server's queue of work for the store, and what it knows about the files on disk."""

    def __init__(self, settings: Rewind, log: logging.Logger) -> None:
        self.settings = settings
        self.log = log
        self.on_checkpoint: Notice | None = None
        self.prepare_history: Callable[[Workspace, str], bool] | None = None
        self.recorded = 0
        self.failed = 0
        self.last_failure = ""
        self._worker = Worker("rewind-recorder")
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="rewind-reader")
        self._viewers = ThreadPoolExecutor(2, thread_name_prefix="rewind-viewer")
        self._opening = threading.Lock()
        self._workspace: Workspace | None = None
        self._refusal: RewindError | None = None
        self._refused_at = 0.0
        self._fault: tuple[str, RewindError] | None = None
        self._known: OrderedDict[str, Stamp] = OrderedDict()
        self._announced: dict[str, Stamp | None] = {}
        self._unread: dict[str, Reading] = {}
        self._readings: set[Reading] = set()
        self._autosaved_at: dict[str, float] = {}
        self._pause_seconds = _POLITE_SECONDS
        self._lock = threading.Lock()

    # ------------------------------------------------------------------ the workspace
    def start(self) -> None:
        """The workspace is opened in the worker's thread, so that the server starts at once."""
        self._worker.submit(self._try_open)

    def workspace(self) -> Workspace:
        """The open workspace; for our own threads. Raises what opening the store raises."""
        with self._opening:
            if self._workspace is not None:
                return self._workspace
            if self._refusal and clock.monotonic() - self._refused_at < _RETRY_SECONDS:
                raise self._refusal
            try:
                from jupyter_rewind.workspace import Workspace

                self._workspace = Workspace.open(self.settings)
            except RewindError as error:
                self._refusal, self._refused_at = error, clock.monotonic()
                raise
            except Exception as error:
                fault = Internal(f"The store could not be opened: {error!r}.")
                self._refusal, self._refused_at = fault, clock.monotonic()
                raise fault from error
            self._refusal = None
            return self._workspace

    def _try_open(self) -> None:
        try:
            self.workspace()
        except RewindError as error:
            self.note_failure("Could not open the store: %s", error)

    @property
    def opened(self) -> Workspace | None:
        """The workspace if it is open already."""
        return self._workspace

    @property
    def refusal(self) -> RewindError | None:
        """Why the store is not open, or None."""
        return self._refusal

    @property
    def fault(self) -> RewindError | None:
        """Why no checkpoint can be made at present: the store is not open, or the last attempt to
        record failed; None when all is well."""
        if self._refusal is not None:
            return self._refusal
        return self._fault[1] if self._fault is not None else None

    # ------------------------------------------------------------------ doing work
    def submit(self, act: Callable[[Workspace], T], *paths: str) -> Future[T]:
        """The future of a change to the store, after all earlier work that touches `paths`."""
        return self._worker.submit(lambda: act(self.workspace()), paths)

    def view(self, act: Callable[[Workspace], T]) -> Future[T]:
        """The future of a look at the store, beside the queue."""
        return self._viewers.submit(lambda: act(self.workspace()))

    def pending(self, file: str | None, *, hasten: bool = True) -> Future[object] | None:
        """The last job that touches `file` (or any); with `hasten` one that gathers saves, too."""
        self._worker.hasten(None if file is None else (file,), only_polite=not hasten)
        return self._worker.pending(file, waiting=hasten)

    @property
    def queued(self) -> int:
        """How many jobs are not finished."""
        return self._worker.count()

    def stop(self, timeout_seconds: float = _STOP_SECONDS) -> int:
        """All that was asked for is stored, or the time is up; how many jobs were left."""
        left = self._worker.stop(timeout_seconds)
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._viewers.shutdown(wait=left == 0, cancel_futures=True)
        if left:
            self.log.warning("%d changes were not kept: the server had to stop.", left)
        elif self._workspace is not None:
            self._workspace.close()
        return left

    # ------------------------------------------------------------------ saves
    def save(
        self,
        file: str,
        reason: Reason,
        *,
        author: str | None = None,
        window_seconds: float = 0.0,
        after: Callable[[Checkpoint, bool], None] | None = None,
    ) -> Future[Checkpoint | None]:
        """The future checkpoint of what `file` holds now; None when it could not be kept.

        With a window, at most one checkpoint each `window_seconds`: the last state in it counts.
        """
        with self._lock, contextlib.suppress(OSError):
            self._announced[file] = read_stamp(file)
        with self._lock:
            waiting = self._unread.get(file)
            if window_seconds and waiting is not None and not waiting.is_taken:
                done: Future[Checkpoint | None] = Future()
                done.set_result(None)
                return done
            reading = self.open_reading(file)
            self._unread[file] = reading
            self._readings.add(reading)
            now = clock.monotonic()
            delay = self._autosaved_at.get(file, -1e9) + window_seconds - now
            if delay <= 0 or not window_seconds:
                delay = 0.0
            if window_seconds:
                self._autosaved_at[file] = now + delay
        if not delay:
            self._readers.submit(self._read, reading)

        def act() -> Checkpoint | None:
            return self._keep_quietly(file, reading, reason, author, after)

        if delay:
            return self._worker.submit(act, (file,), delay_seconds=delay)
        is_crowded = self._count_held_bytes() > POLITE_LIMIT_BYTES
        return self._worker.submit(
            act,
            (file,),
            delay_seconds=0.0 if is_crowded else self._pause_seconds,
            polite_seconds=0.0 if is_crowded else _GRACE_SECONDS,
        )

    @contextlib.contextmanager
    def making_way(self) -> Iterator[None]:
        """Background work rests while the block, a save, is under way, and a moment longer: for
        twice as long as it took, since the next one may be on its way in."""
        began = clock.monotonic()
        self._worker.make_way(_GRACE_SECONDS)
        try:
            yield
        finally:
            pause = 2 * (clock.monotonic() - began)
            self._pause_seconds = min(max(_POLITE_SECONDS, pause), _GRACE_SECONDS)
            self._worker.make_way(self._pause_seconds)

    def claim(self, file: str) -> bool:
        """Whether the bytes of an announced save of `file` are in memory: then it may be
        overwritten. They are left on disk while too much is in memory already."""
        reading = self._unread.get(file)
        if reading is None:
            return True
        self._read(reading)
        return reading.is_taken

    def unread_below(self, path: str) -> list[str]:
        """The files at or below `path` with announced saves that are not in memory yet."""
        with self._lock:
            unread = list(self._unread.items())
        return [
            file
            for file, reading in unread
            if not reading.is_taken and (file == path or file.startswith(path + os.sep))
        ]

    def open_reading(self, file: str) -> Reading:
        """A reading of `file` within the limit of the settings."""
        return Reading(file, limit_bytes=self.settings.notebooks_max_file_mb << 20)

    def record(
        self,
        workspace: Workspace,
        file: str,
        raw: bytes,
        reason: Reason,
        *,
        stamp: Stamp | None = None,
        author: str | None = None,
        label: str | None = None,
    ) -> tuple[Checkpoint, bool]:
        """The checkpoint of `raw` as the state of `file`, and whether it is new. In our threads."""
        with self._noting_faults(file):
            if self.prepare_history is not None:
                self.prepare_history(workspace, file)
            recorded = workspace.histories.record(
                file,
                raw,
                reason=reason,
                author=author,
                label=label,
                identity=stamp.identity if stamp is not None else None,
                exists=os.path.lexists,
            )
        # Equal content writes nothing, so it shows only that this very file is kept.
        if self._fault is not None and (recorded.created or self._fault[0] == file):
            self._fault = None
        if stamp is not None:
            self.know(file, stamp)
        if recorded.created:
            self.recorded += 1
            self.tell(recorded.checkpoint, "created")
        return recorded.checkpoint, recorded.created

    def tell(self, checkpoint: Checkpoint, action: str) -> None:
        """Listeners hear of `checkpoint`."""
        if self.on_checkpoint is not None:
            self.on_checkpoint(checkpoint, action)

    # ------------------------------------------------------------------ what is on disk
    def know(self, file: str, stamp: Stamp | None) -> None:
        """`file` holds what its history's head holds, as long as its stamp is `stamp`."""
        with self._lock:
            if stamp is None:
                self._known.pop(file, None)
                return
            self._known[file] = stamp
            self._known.move_to_end(file)
            while len(self._known) > _KNOWN_LIMIT:
                self._known.popitem(last=False)

    def is_known(self, file: str, stamp: Stamp) -> bool:
        """Whether the state with this stamp is kept already, or announced to be kept."""
        with self._lock:
            return stamp in (self._known.get(file), self._announced.get(file))

    def learn(self, file: str) -> None:
        """What `file` holds now is kept: its stamp is read and remembered."""
        try:
            self.know(file, read_stamp(file))
        except OSError:
            self.know(file, None)

    def forget(self, path: str) -> None:
        """Nothing is known any more of a file, or of the files in a folder."""
        with self._lock:
            for known in (self._known, self._autosaved_at):
                for file in [file for file in known if is_touched(file, path)]:
                    del known[file]

    # ------------------------------------------------------------------ faults
    def note_failure(self, message: str, *args: object, error: BaseException | None = None) -> None:
        """The log says once what failed; the health endpoint says it as long as it is the last."""
        words = sayable(message % args if args else message)
        level = logging.DEBUG if words == self.last_failure else logging.WARNING
        self.log.log(level, "%s", words, exc_info=error)
        self.failed += 1
        self.last_failure = words

    @contextlib.contextmanager
    def _noting_faults(self, file: str) -> Iterator[None]:
        try:
            yield
        except _REFUSALS:
            raise  # the store works: what was asked for makes no sense
        except RewindError as error:
            self._fault = file, error
            raise
        except Exception as error:
            words = f"Could not keep a checkpoint of {file}: {error!r}."
            self._fault = file, Internal(words, hint="The server's log says more.")
            raise

    # ------------------------------------------------------------------ inside
    def _read(self, reading: Reading) -> None:
        if reading.is_taken or self._count_held_bytes() > HELD_LIMIT_BYTES:
            return
        with contextlib.suppress(OSError):  # the job asks again and tells
            reading.take()

    def _count_held_bytes(self) -> int:
        with self._lock:
            return sum(reading.held_bytes for reading in self._readings)

    def _release(self, file: str, reading: Reading) -> None:
        with self._lock:
            if self._unread.get(file) is reading:
                del self._unread[file]
                self._announced.pop(file, None)
            self._readings.discard(reading)
        reading.drop()

    def _keep_quietly(
        self,
        file: str,
        reading: Reading,
        reason: Reason,
        author: str | None,
        after: Callable[[Checkpoint, bool], None] | None,
    ) -> Checkpoint | None:
        try:
            checkpoint, created = self.keep(self.workspace(), file, reading, reason, author=author)
            if after is not None:
                after(checkpoint, created)
            return checkpoint
        except NotFound:
            return None  # gone again before it was looked at
        except (RewindError, OSError) as error:
            self.note_failure("Could not keep a checkpoint of %s: %s", file, error)
        except Exception as error:
            self.note_failure("Could not keep a checkpoint of %s: %r", file, error, error=error)
        finally:
            self._release(file, reading)
        return None

    def keep(
        self,
        workspace: Workspace,
        file: str,
        reading: Reading,
        reason: Reason,
        *,
        author: str | None = None,
        label: str | None = None,
    ) -> tuple[Checkpoint, bool]:
        """The checkpoint of what `reading` took, and whether it is new. In our threads.

        Raises NotFound when there is no file, InvalidInput when it is larger than the settings
        allow, Unavailable when it cannot be read, and what storing raises.
        """
        try:
            raw = reading.take()
        except OSError as error:
            raise Unavailable(f"Could not read {file}: {error.strerror or error}.") from error
        if reading.too_large:
            raise too_large(file, reading.stamp, self.settings.notebooks_max_file_mb)
        if raw is None:
            raise NotFound(f"There is no file {file}.")
        return self.record(
            workspace, file, raw, reason, stamp=reading.stamp, author=author, label=label
        )


def too_large(file: str, stamp: Stamp | None, limit_mb: int) -> InvalidInput:
    """The refusal of a file beyond the limit of the settings."""
    size = stamp.size >> 20 if stamp is not None else 0
    return InvalidInput(
        f"{os.path.basename(file)} is {size} MB large and is not kept.",
        hint=f"Files up to {limit_mb} MB are; raise the setting notebooks.max_file_mb.",
    )
