"""Everything of one kernel process, wired: its journal, its snapshots, and what the user asks.

The composition root inside a kernel, as `workspace` is elsewhere; that one would cost a kernel
half a second and an index it does not need. Nothing here knows IPython: a face tells when a cell
begins, what it puts out, and how it ends.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_rewind import clock
from jupyter_rewind.errors import NotFound, RewindError, Storage
from jupyter_rewind.kernels.beginning import Place, new_run, run_after
from jupyter_rewind.kernels.budget import Awaited
from jupyter_rewind.kernels.faultlog import FaultLog
from jupyter_rewind.kernels.journal import Journal
from jupyter_rewind.kernels.life import LIGHTEN_SECONDS, SignOfLife
from jupyter_rewind.kernels.log import EntryLog
from jupyter_rewind.kernels.others import Others
from jupyter_rewind.kernels.trouble import advice_on, cause_of, kind_of
from jupyter_rewind.kernels.unkept import Unkept
from jupyter_rewind.model.execution import Execution, Output, Run
from jupyter_rewind.model.ids import ExecutionId
from jupyter_rewind.model.snapshot import Snapshot
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.layout import open_layout

if TYPE_CHECKING:
    from jupyter_rewind.kernels.archive import Archive
    from jupyter_rewind.kernels.keeping import Job
    from jupyter_rewind.kernels.timeline import Timeline
    from jupyter_rewind.settings import Rewind

log = logging.getLogger(__name__)
_OF_OTHERS: list[Archive] = []


class KernelSession:
    """One run, from the moment Rewind was loaded into it."""

    def __init__(
        self,
        namespace: dict[str, Any],
        settings: Rewind,
        place: Place,
        tell: Callable[[str], None],
        before: KernelSession | None = None,
    ) -> None:
        """`before` is what this process had in another life: its run goes on, where this is the
        same kernel."""
        self.namespace = namespace
        self.harmless: Callable[[], Iterable[tuple[Any, Any]]] = tuple
        """References to variables through which nobody writes; the face knows them."""
        self.settings = settings
        self.tell = tell
        self.files = Files()
        self.layout = open_layout(
            Path(settings.store_path), Path(settings.store_key_folder), self.files, create=True,
            encrypt=settings.store_encrypt,
        )  # fmt: skip
        self.run: Run = new_run(place) if before is None else run_after(before.run, place)
        self.faults = FaultLog(self.layout, self.files, self.run.id)
        self.unkept = Unkept()
        self.others = Others(self.layout.segments)
        self.log = EntryLog(self.layout, self.files)
        self.journal = Journal(
            self.log, self.run, max_output_bytes=settings.kernels_max_output_mb << 20
        )
        self.life = SignOfLife(self.layout, self.run.id)
        self.last_skip = ""
        self.last_late: tuple[str, ...] = ()
        """Variables that the state after the last cell is without, for want of time."""
        self._passed_over: Execution | None = None
        self._unsure: list[tuple[int, Job]] = []
        self.counts: dict[ExecutionId, int] = {} if before is None else before.counts
        """What `In[…]` each execution of this run is."""
        self._before = before
        self._pid = clock.process()
        self._active = threading.local()
        self.last: ExecutionId | None = None
        self._timeline: Timeline | None = None
        self._archive: Archive | None = None
        self._running = 0
        self._light_until = 0.0
        self._state_lock = threading.RLock()
        self._told: set[str] = set()

    def start(self) -> None:
        """Others can find this run, and see that it lives. Raises Storage."""
        self.life.show()
        self.journal.begin_run()

    @property
    def is_here(self) -> bool:
        """False in a forked child: the run is its parent's."""
        return self._pid == clock.process()

    def move(self, path: str) -> None:
        """The notebook lies at `path` now. Raises Storage."""
        if path != self.run.path:
            self.run = replace(self.run, path=path)
            self.journal.move_run(self.run)

    # --- a cell -------------------------------------------------------------------------

    def begin(self, source: str, count: int, cell_id: str | None, kept: bool) -> ExecutionId | None:
        """The execution is in the journal before its code runs; None for a part of another one."""
        stack = self._stack()
        execution = Execution(
            ExecutionId(clock.new_id()), self.run.id, count, cell_id, self.run.path, source,
            clock.now_ns(), kept,
        )  # fmt: skip
        stack.append(execution)
        if len(stack) > 1 or not self.is_here:
            # What a cell runs in turn, as `%%capture` does, is part of that cell.
            return None
        self.last = execution.id
        self.counts[execution.id] = count
        try:
            self.journal.begin(execution)
        except RewindError as error:
            self._miss(count, error)
        self._watch(source)
        return execution.id

    def put_out(self, output: Output, size: int, execution: ExecutionId | None = None) -> None:
        """The output belongs to `execution`, or to the cell that began last."""
        name = execution or self.last
        if name is not None:
            self.journal.add_output(name, output, size)

    def end(self, status: str, error: str = "") -> None:
        """The execution that this thread began last has ended."""
        stack = self._stack()
        if not stack:
            return
        execution = stack.pop()
        if stack or not self.is_here:
            return
        now = clock.now_ns()
        try:
            self.journal.end(execution.id, status, now, error=error)
        except RewindError as fault:
            self._miss(execution.count, fault)
        else:
            if self.journal.fault is not None:
                self._miss(execution.count, self.journal.fault)
        self._keep_state(execution, max(now - execution.started_ns, 0) / 1e9)

    def pass_over(self, why: str, count: int) -> None:
        """The cell of In[count] has ended, and nothing of it can be kept."""
        stack = self._stack()
        was_begun = bool(stack)
        if was_begun:
            stack.pop()
        if stack or not self.is_here:
            return
        with self._state_lock:
            self._running = max(self._running - was_begun, 0)
            self.note_outside(why)
            self.unkept.note(count, why)

    @property
    def timeline(self) -> Timeline:
        """The states of this run. Raises Storage."""
        if self._timeline is None:
            from jupyter_rewind.kernels.timeline import Timeline, capture_options
            from jupyter_rewind.store.keep import KernelStore

            store = KernelStore(self.layout, self.files)
            self._timeline = Timeline(
                self.namespace, store, self.run.id, capture_options(self.settings),
                self.harmless, lambda: self.run.path, self.is_busy,
            )  # fmt: skip
            self._follow(self._timeline)
        return self._timeline

    def _follow(self, timeline: Timeline) -> None:
        before, self._before = self._before, None
        if before is not None and before._timeline is not None:
            self.others.doubt()
            try:
                timeline.follow(before._timeline)
            except RewindError as error:
                log.warning("the states of before are not known: %s", error)

    def snapshots(self) -> list[Snapshot]:
        """Those of this run, oldest first, without what somebody has deleted since and with the
        labels that others have given. Raises Storage, Newer."""
        mine = self.timeline.snapshots()
        if not mine:
            return []
        own = (self.log.segment, self.timeline.store.segment)
        try:
            return self.others.apply(mine, own, lambda: self.archive.snapshots(self.run.id))
        except (Storage, NotFound) as error:
            # A full disk, say, has no room for an index: what this process knows has to do.
            log.warning("what others did to this run's states is not known: %s", error)
            return mine

    @property
    def archive(self) -> Archive:
        """What other runs left in the store, up to date. It needs the index, so only the user's
        own questions lead here. Raises Storage, Newer."""
        with self._state_lock:
            if self._archive is None:
                self._archive = self.open_archive()
            archive = self._archive
        archive.repository.refresh()
        return archive

    def open_archive(self) -> Archive:
        """As `archive`, for whoever closes its repository himself; from any thread."""
        from jupyter_rewind.kernels.archive import Archive
        from jupyter_rewind.store.repository import Repository

        index = self.settings.store_index_path
        return Archive(
            Repository.open(
                self.layout.folder,
                key_folder=Path(self.settings.store_key_folder),
                index_path=Path(index) if index else None,
                create=False,
                files=self.files,
            )
        )

    def rest(self) -> None:
        """Nothing of the index is held between two cells: part of it would be memory backed by a
        file, and when its disk fails, the system ends whoever touches that."""
        with self._state_lock:
            archive, self._archive = self._archive, None
        if archive is None:
            return
        if self.is_here:
            archive.repository.close()
        else:
            # To close it would run SQLite's clean-up against files of another process.
            _OF_OTHERS.append(archive)

    def _watch(self, source: str) -> None:
        """The cell's traces can be told from those of others."""
        with self._state_lock:
            self._running += 1
            self._passed_over = None
            capturer = self.timeline.capturer
            if self._running > 1:
                capturer.note_outside("cells run at the same time")
            else:
                capturer.begin(source)

    def _keep_state(self, execution: Execution, seconds: float) -> None:
        with self._state_lock:
            self._running -= 1
            capturer = self.timeline.capturer
            if self._running > 0:
                # Another thread's cell is changing things: the state is kept when that has ended.
                capturer.note_outside("cells run at the same time")
                return
            try:
                captured = capturer.capture(
                    execution.id, count=execution.count, path=execution.path, seconds=seconds
                )
            except RewindError as fault:
                self._miss_state(execution.count, fault)
                return
            if captured.job is not None:
                self._unsure.append((execution.count, captured.job))
            elif capturer.trouble is not None:
                self._miss_state(execution.count, capturer.trouble.error)
            self.learn()
        self.last_skip, self.last_late = captured.skipped_because, captured.late
        self.unkept.note_losses(captured.losses, self.tell)
        is_late = capturer.enabled and bool(captured.skipped_because or captured.late)
        self._passed_over = execution if is_late and capturer.trouble is None else None

    def learn(self) -> None:
        """What became of the states that were to be stored is known, and told."""
        while self._unsure and self._unsure[0][1].done.is_set():
            count, job = self._unsure.pop(0)
            if job.error is None:
                self.unkept.settle()
            else:
                self._miss_state(count, job.error)

    def _miss_state(self, count: int, error: BaseException) -> None:
        self.unkept.note(count, cause_of(error))
        self._miss(count, error)

    def _miss(self, count: int, error: BaseException) -> None:
        """Something of this execution could not be written: told once for each cause."""
        if self.unkept.is_news(kind_of(error)):
            self.tell(
                f"From In[{count}] on, what your cells do and leave behind cannot be kept:"
                f" {cause_of(error)}. {advice_on(error)} `%rewind status` says more."
            )

    @property
    def is_behind(self) -> bool:
        """Whether the state after the last cell was passed over, all or part of it, for want of
        time."""
        return self._passed_over is not None

    def catch_up(self, is_awaited: Callable[[], bool] | None = None) -> None:
        """The state that was passed over is kept while nobody waits: given up as soon as
        `is_awaited`. For the kernel's own thread, between two cells. Raises Storage."""
        with self._state_lock:
            execution, self._passed_over = self._passed_over, None
            if execution is None or self._running or not self.is_here:
                return
            try:
                captured = self.timeline.capturer.capture_late(
                    execution.id,
                    count=execution.count,
                    path=execution.path,
                    is_awaited=is_awaited,
                )
            except Awaited:
                self._passed_over = execution
                return
            self.last_skip, self.last_late = "", ()
            self.unkept.note_losses(captured.losses, self.tell)
            if captured.job is not None:
                self._unsure.append((execution.count, captured.job))

    def lighten(self, seconds: float) -> None:
        """For so long, what is done between cells waits, and takes no memory; a state that is on
        its way into the store comes first. From any thread; best effort."""
        self._light_until = clock.monotonic() + LIGHTEN_SECONDS + seconds
        if self._state_lock.acquire(timeout=LIGHTEN_SECONDS):
            self._state_lock.release()  # at once: no cell waits for what follows
        self._light_until = clock.monotonic() + seconds
        if self._timeline is not None:
            self._timeline.capturer.keeper.pause(seconds)

    @property
    def is_light(self) -> bool:
        """Whether that is so now."""
        return clock.monotonic() < self._light_until

    def note_outside(self, why: str) -> None:
        """User code may have run outside a cell, for the reason `why`."""
        if self._timeline is not None:
            self._timeline.capturer.note_outside(why)

    def is_busy(self) -> bool:
        """Whether this thread is in a cell."""
        return bool(self._stack())

    def leave(self) -> None:
        """This process came back from an image: what it holds of the run in its first life is let
        go of, and nothing is written of it."""
        self.rest()
        if self._timeline is not None:
            self._timeline.close()
        self.journal.close()
        self.log.leave()
        self.life.leave()

    def close(self, how: str) -> None:
        """The run has ended as somebody wanted it to, and all that it wrote is on the disk."""
        if not self.is_here:
            return
        try:
            self.journal.close()  # first: who waits for the end may not wait for all the rest
            self.journal.end_run(how)
        finally:
            try:
                self.rest()
                if self._timeline is not None:
                    self._timeline.close()
            finally:
                self.log.close()
                self.life.end()

    def tell_once(self, kind: str, words: str) -> None:
        """The user hears of this kind of fault, the first time."""
        if kind not in self._told:
            self._told.add(kind)
            self.tell(words)

    def _stack(self) -> list[Execution]:
        stack: list[Execution] | None = getattr(self._active, "stack", None)
        if stack is None:
            stack = self._active.stack = []
        return stack
