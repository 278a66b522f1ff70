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
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeAlias, TypeVar

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
from jupyter_rewind.faces.server.knowledge import Knowledge
from jupyter_rewind.faces.server.opening import Opening
from jupyter_rewind.faces.server.paths import is_notebook
from jupyter_rewind.faces.server.reading import SAVES, Reading, Stamp, is_cut, is_json, too_large
from jupyter_rewind.faces.server.readings import Readings
from jupyter_rewind.faces.server.searches import Searches
from jupyter_rewind.faces.server.statuses import sayable
from jupyter_rewind.faces.server.worker import Worker, is_touched
from jupyter_rewind.model.checkpoint import Checkpoint, Reason

if TYPE_CHECKING:
    from jupyter_rewind.settings import Rewind
    from jupyter_rewind.workspace import Glance, Recorded, Workspace

T = TypeVar("T")

POLITE_LIMIT_BYTES = 256 << 20
_POLITE_SECONDS = 0.25
_GRACE_SECONDS = 10.0
_STOP_SECONDS = 15.0
# How long the bytes of a save that is under way are waited for.
_TORN_SECONDS = 2.0
_TORN_PAUSE_SECONDS = 0.02
_REFUSALS = (NotFound, Conflict, InvalidInput, RestoreRefused)

Notice = Callable[[Checkpoint, str], None]
#: Takes into a history what there was of a file before, if it has none.
PrepareHistory: TypeAlias = "Callable[[Workspace, str], bool]"


class Recorder:
    """One server's queue of work for the store, and what it knows about the files on disk."""

    def __init__(self, settings: Rewind, log: logging.Logger) -> None:
        self.settings = settings
        self.log = log
        self.on_checkpoint: Notice | None = None
        self.prepare_history: Callable[..., bool] | None = None
        self.recorded = 0
        self.failed = 0
        self.last_failure = ""
        self._worker = Worker("rewind-recorder")
        self.readings = Readings(settings)
        self.knowledge = Knowledge()
        self._opening = Opening(settings)
        self._viewers = ThreadPoolExecutor(2, thread_name_prefix="rewind-viewer")
        self.searches = Searches("searches")
        self.comparisons = Searches("comparisons")
        self._fault: tuple[str, RewindError] | None = None
        self._autosaved_at: dict[str, float] = {}
        self._pause_seconds = _POLITE_SECONDS
        self._lock = threading.Lock()

    # ------------------------------------------------------------------ the workspace
    def start(self) -> None:
        """The workspace is opened in the worker's thread, so that the server starts at once."""
        self._worker.submit(self._try_open)

    def workspace(self) -> Workspace:
        """The open workspace; for our own threads. Raises what opening the store raises."""
        return self._opening.workspace()

    def _try_open(self) -> None:
        try:
            self.workspace()
        except RewindError as error:
            self.note_failure("Could not open the store: %s", error)

    @property
    def opened(self) -> Workspace | None:
        """The workspace if it is open already."""
        return self._opening.opened

    @property
    def refusal(self) -> RewindError | None:
        """Why the store is not open, or None."""
        return self._opening.refusal

    @property
    def fault(self) -> RewindError | None:
        """Why no checkpoint can be made at present: the store is not open, or the last attempt to
        record failed; None when all is well."""
        if self._opening.refusal is not None:
            return self._opening.refusal
        return self._fault[1] if self._fault is not None else None

    # ------------------------------------------------------------------ doing work
    def submit(self, act: Callable[[Workspace], T], *paths: str) -> Future[T]:
        """The future of a change to the store, after all earlier work that touches `paths`."""
        return self._worker.submit(lambda: self._with_workspace(act), paths)

    def view(self, act: Callable[[Workspace], T]) -> Future[T]:
        """The future of a look at the store, beside the queue."""
        return self._viewers.submit(lambda: self._with_workspace(act))

    def search(self, act: Callable[[Workspace], T]) -> Future[T]:
        """The future of a look that may take seconds, beside the other looks. Raises Unavailable
        when too many of them wait."""
        return self.searches.submit(lambda: self._with_workspace(act))

    def compare(self, act: Callable[[Workspace], T]) -> Future[T]:
        """As `search`, in a queue of its own."""
        return self.comparisons.submit(lambda: self._with_workspace(act))

    def _with_workspace(self, act: Callable[[Workspace], T]) -> T:
        """What `act` gives; where another store has taken the place of ours, in that one."""
        workspace = self.workspace()
        try:
            return act(workspace)
        except Unavailable as error:
            if error.code != "replaced":
                raise
            self.log.warning("%s From now on that one is used.", sayable(error.message))
            self._opening.renew(workspace)
        return act(self.workspace())

    def pending(self, file: str | None, *, hasten: bool = True) -> Future[object] | None:
        """The last job that touches `file` (or any); with `hasten` one that gathers saves, too."""
        self._worker.hasten(None if file is None else (file,), only_polite=not hasten)
        return self._worker.pending(file, waiting=hasten)

    @property
    def is_working(self) -> bool:
        """Whether a change to the store is under way, or done and not told of yet."""
        return self._worker.is_running

    @property
    def queued(self) -> int:
        """How many jobs are not finished."""
        return self._worker.count()

    def stop(self, timeout_seconds: float = _STOP_SECONDS) -> int:
        """All that was asked for is stored, or the time is up; how many jobs were left."""
        left = self._worker.stop(timeout_seconds)
        self.readings.stop()
        self.searches.stop(wait=left == 0)
        self.comparisons.stop(wait=left == 0)
        self._viewers.shutdown(wait=left == 0, cancel_futures=True)
        if left:
            self.log.warning("%d changes were not kept: the server had to stop.", left)
        else:
            self._opening.close()
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
        reading: Reading | None = None,
        since: Glance | None = None,
    ) -> Future[Checkpoint | None]:
        """The future checkpoint of what `file` holds now, or held when `reading` took it; None
        when it could not be kept.

        With a window, at most one checkpoint each `window_seconds`: the last state in it counts.
        `since` was taken before the file is read, where nobody announced a change.
        """
        if window_seconds and self.readings.is_unread(file):
            self.readings.renew(file, reading)
            self.readings.end_wait(file)
            done: Future[Checkpoint | None] = Future()
            done.set_result(None)
            return done
        reading = reading or self.readings.open(file)
        self.readings.announce(reading)
        if reason in SAVES:
            self.readings.end_wait(file)
        delay = self._book(file, window_seconds) if window_seconds else 0.0
        if not delay:
            self.readings.take(reading)

        def act() -> Checkpoint | None:
            return self._keep_quietly(file, reading, reason, author, after, since)

        if delay:
            return self._worker.submit(act, (file,), delay_seconds=delay)
        is_crowded = self.readings.held_bytes > POLITE_LIMIT_BYTES
        return self._worker.submit(
            act,
            (file,),
            delay_seconds=0.0 if is_crowded else self._pause_seconds,
            polite_seconds=0.0 if is_crowded else _GRACE_SECONDS,
        )

    def _book(self, file: str, window_seconds: float) -> float:
        """In how many seconds the next autosave of `file` is due to be kept."""
        now = clock.monotonic()
        with self._lock:
            delay = max(0.0, self._autosaved_at.get(file, -1e9) + window_seconds - now)
            self._autosaved_at[file] = now + delay
        return delay

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

    def calm_in(self) -> float:
        """For how many seconds background work should rest."""
        return self._worker.calm_in()

    def record(
        self,
        workspace: Workspace,
        file: str,
        raw: bytes,
        reason: Reason,
        *,
        stamp: Stamp | None = None,
        written_ns: int | None = None,
        author: str | None = None,
        label: str | None = None,
        since: Glance | None = None,
    ) -> Recorded:
        """The checkpoint of `raw` as the state of `file`, and whether it is new. In our threads."""
        with self._noting_faults(file):
            if self.prepare_history is not None:
                self.prepare_history(workspace, file, stamp if reason in SAVES else None)
            recorded = workspace.histories.record(
                file,
                raw,
                reason=reason,
                author=author,
                label=label,
                identity=stamp.identity if stamp is not None else None,
                exists=os.path.lexists,
                since=since,
                written_ns=written_ns,
            )
        # Equal content writes nothing, so it shows only that this very file is kept.
        if self._fault is not None and (recorded.created or self._fault[0] == file):
            self._fault = None
        if stamp is not None:
            self.knowledge.know(file, stamp)
        self.recorded += recorded.created
        for checkpoint, action in recorded.news():
            self.tell(checkpoint, action)
        return recorded

    def tell(self, checkpoint: Checkpoint, action: str) -> None:
        """Listeners hear of `checkpoint`."""
        if self.on_checkpoint is not None:
            self.on_checkpoint(checkpoint, action)

    # ------------------------------------------------------------------ what is on disk
    def is_known(self, file: str, stamp: Stamp) -> bool:
        """Whether the state with this stamp is kept already, or announced to be kept."""
        is_kept = self.knowledge.is_known(file, stamp)
        return is_kept or self.readings.is_announced(file, stamp)

    def learn(self, file: str) -> None:
        """What `file` holds now is kept: its stamp is read and remembered."""
        self.knowledge.learn(file)

    def forget(self, path: str) -> None:
        """Nothing is known any more of a file, or of the files in a folder."""
        self.knowledge.forget(path)
        with self._lock:
            for file in [file for file in self._autosaved_at if is_touched(file, path)]:
                del self._autosaved_at[file]

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
    def _keep_quietly(
        self,
        file: str,
        reading: Reading,
        reason: Reason,
        author: str | None,
        after: Callable[[Checkpoint, bool], None] | None,
        since: Glance | None,
    ) -> Checkpoint | None:
        try:
            kept = self._with_workspace(
                lambda workspace: self.keep(
                    workspace, file, reading, reason, author=author, since=since
                )
            )
            if after is not None:
                after(kept.checkpoint, kept.created)
            return kept.checkpoint
        except NotFound:
            return None  # gone again before it was looked at
        except (RewindError, OSError) as error:
            self.note_failure("Could not keep a checkpoint of %s: %s", file, error)
        except Exception as error:
            self.note_failure("Could not keep a checkpoint of %s: %r", file, error, error=error)
        finally:
            self.readings.release(reading)
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
        since: Glance | None = None,
    ) -> Recorded:
        """The checkpoint of what `reading` took, and whether it is new. In our threads.

        Raises NotFound when there is no file, InvalidInput when it is larger than the settings
        allow, Unavailable when it cannot be read, and what storing raises.
        """
        try:
            raw = reading.take()
            until = clock.monotonic() + _TORN_SECONDS
            while is_notebook(file) and not reading.is_told and self._is_torn(file, raw, reason):
                # A save, of this server or another one, was caught in the middle.
                anew = self.readings.open(file)
                now = anew.take()
                if now is None and not anew.too_large and reason in SAVES:
                    break  # gone since: there is no more of it than this
                reading, raw = anew, now
                if clock.monotonic() > until or not self.readings.is_expected(file):
                    break
                time.sleep(_TORN_PAUSE_SECONDS)
        except OSError as error:
            raise Unavailable(f"Could not read {file}: {error.strerror or error}.") from error
        if reading.too_large:
            raise too_large(file, reading.stamp, self.settings.notebooks_max_file_mb)
        if raw is None:
            raise NotFound(f"There is no file {file}.")
        return self.record(
            workspace, file, raw, reason, author=author, label=label, since=since,
            stamp=reading.stamp, written_ns=reading.written_ns(reason),
        )  # fmt: skip

    def _is_torn(self, file: str, raw: bytes | None, reason: Reason) -> bool:
        """True for what a save of ours may be in the middle of, or another server's."""
        if reason not in SAVES and self.readings.is_expected(file):
            return raw is not None and not is_json(raw)
        return is_cut(raw, reason)
