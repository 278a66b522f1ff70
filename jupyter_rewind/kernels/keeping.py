"""Writing what a capture found: in the store before the user goes on, compressed behind his back.

One snapshot is one commit: pieces, pods, the state, the entry that names it. In order, so that
every state stands on the one before. A small one is stored as it will stay; a large one is put
aside as it is, which survives a kill of the kernel just as well, and a thread does the rest. Only
where somebody is removing bytes from the store does a state wait, and says so. What failed once is
stored anew with the next capture.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from jupyter_rewind import clock
from jupyter_rewind.errors import Internal, RewindError, Unavailable
from jupyter_rewind.kernels import buffers
from jupyter_rewind.kernels.budget import Rate
from jupyter_rewind.kernels.deltas import align
from jupyter_rewind.kernels.records import (
    SNAPSHOT,
    Buffer,
    Facts,
    decode_snapshot,
    encode_pod,
    encode_snapshot,
    encode_state,
    snapshot_keys,
)
from jupyter_rewind.kernels.state import Pod
from jupyter_rewind.kernels.threads import make_thread
from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.model.snapshot import Snapshot
from jupyter_rewind.store import chunks
from jupyter_rewind.store.aside import Aside
from jupyter_rewind.store.block import Block, Staged
from jupyter_rewind.store.keep import KernelStore

INLINE_BYTES = 1 << 20
"""More than this takes longer to compress than to put aside."""
WAITING_BYTES = 2 << 30
"""So much is put aside at most before it is compressed; what is more stays as it is."""
PATIENCE_SECONDS = 0.004
"""So long a cell waits for others in the store."""
CLOSING_SECONDS = 1.0
_MOST_BREAKS = 2
"""So often a state is given up for a pause: it must come to an end, pause after pause."""
_BREAK_SECONDS = 2.0
_FIRST_REST_SECONDS, _LONGEST_REST_SECONDS = 0.05, 5.0
"""Between two tries of a state that the store does not take now, and at once says so."""
_INLINE_RATE, _ASIDE_RATE = 5e7, 5e8
"""Bytes a second, before anything was measured."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Job:
    """One snapshot on its way. `snapshot` or `error` is there once it is `done`: a kill of the
    process does not harm it from then on."""

    facts: Facts
    pods: tuple[Pod, ...]
    fresh_bytes: int
    done: threading.Event = field(default_factory=threading.Event)
    snapshot: Snapshot | None = None
    error: BaseException | None = None
    is_begun: bool = False
    late_because: str = ""
    """Why it is not `done` when its cell has ended, if so."""
    entry: Entry | None = None
    staged: tuple[Staged, ...] = ()
    """What was put aside, and is still to be compressed."""
    breaks: int = 0
    """How often that was begun and given up for a pause."""


class _Paused(Exception):
    """What was begun is given up for now."""


class Keeper:
    """Stores jobs in order; owns the store it writes to."""

    def __init__(self, store: KernelStore, on_failure: Callable[[BaseException], None]) -> None:
        self.store = store
        self._on_failure = on_failure
        self._jobs: deque[Job] = deque()
        self._change = threading.Condition()
        self._tidying = threading.Lock()
        self._thread: threading.Thread | None = None
        self._aside: Aside | None = None
        self._aside_bytes = 0
        self._aside_stays = False
        self._state: tuple[tuple[Digest, ...], Digest] | None = None
        self._closed = self._is_at_work = False
        self._pause_until = 0.0
        self._rates = {False: Rate(_INLINE_RATE), True: Rate(_ASIDE_RATE)}
        self.last: Snapshot | None = None

    @property
    def is_safe(self) -> bool:
        """Whether all that was handed in would outlive the process; `last` is the newest then."""
        with self._change:
            return all(job.done.is_set() for job in self._jobs)

    def seconds_for(self, size: int) -> float:
        """About how long a state with so many new bytes holds up its cell."""
        return self._rates[size > INLINE_BYTES].seconds_for(size)

    def submit(self, job: Job) -> None:
        """The job is done when this returns, but where the store is not to be written to: then it
        will be soon, and `late_because` says why."""
        with self._change:
            if self._closed:
                raise Internal("A snapshot was to be stored after the end.")
            late = next((each.late_because for each in self._jobs if not each.done.is_set()), "")
            is_alone = not self._jobs
        if late:
            self._put_off(job, late)
            return
        began = clock.monotonic()
        try:
            if is_alone and job.fresh_bytes <= INLINE_BYTES:
                with self._tidying:
                    self._do(job, self.store)
            else:
                self._put_aside(job)
            self._rates[job.fresh_bytes > INLINE_BYTES].learn(
                job.fresh_bytes, clock.monotonic() - began
            )
        except Unavailable as error:
            self._put_off(job, error.message)

    def refer(self, facts: Facts, state: Digest) -> Snapshot:
        """A snapshot of a state that is in the store already; the next one stands on it. Raises
        Storage, NotFound."""
        with self._tidying, self.store.block(patience_seconds=PATIENCE_SECONDS) as block:
            self._add(facts, state, block)
        self.last = decode_snapshot(block.entries[0], self.store.layout)
        return self.last

    def flush(self) -> None:
        """Everything submitted is stored, or has failed."""
        with self._change:
            while not all(job.done.is_set() for job in self._jobs):
                self._change.wait()

    def pause(self, seconds: float) -> None:
        """For so long nothing is compressed, and nothing is held in memory for it: what was begun
        is begun anew. Best effort, and soon done."""
        with self._change:
            self._pause_until = clock.monotonic() + seconds
            self._change.wait_for(lambda: not self._is_at_work, _BREAK_SECONDS)
            for store in (self.store, self._aside):
                if store is not None:
                    store.forget_recent()

    def settle(self) -> None:
        """As `flush`, and nothing is left to be compressed, or stands aside."""
        with self._change:
            self._pause_until = 0.0
            self._change.notify_all()
            while self._jobs:
                self._change.wait()
        self._tidy(CLOSING_SECONDS)

    def close(self) -> None:
        self.settle()
        with self._change:
            self._closed = True
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join()
        if self._aside is not None:
            self._aside.close()
        self.store.close()

    def _put_off(self, job: Job, why: str) -> None:
        job.late_because = why
        for pod in job.pods:
            for state in pod.buffers:
                state.hold()
        self._queue(job)

    def _put_aside(self, job: Job) -> None:
        with self._tidying:
            if self._aside is None:
                self._aside = Aside(self.store)
            self._do(job, self._aside)
            self._aside_bytes += job.fresh_bytes
            if self._aside_bytes > WAITING_BYTES:
                self._aside_stays = True
            elif job.staged:
                self._queue(job)

    def _queue(self, job: Job) -> None:
        with self._change:
            self._jobs.append(job)
            if self._thread is None or not self._thread.is_alive():
                self._thread = make_thread(self._work, "rewind-keeper")
                self._thread.start()
            self._change.notify_all()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            is_given_up = False
            try:
                self._finish(job)
            except _Paused:
                is_given_up = True
            except Exception:
                # The job has failed, and whoever handed it in is told; the thread goes on.
                log.warning("a state of a kernel was not stored", exc_info=True)
            finally:
                with self._change:
                    if not is_given_up:
                        self._jobs.popleft()
                    is_idle = not self._jobs
                    self._is_at_work = False
                    self._change.notify_all()
            if is_idle:
                self._tidy(PATIENCE_SECONDS)

    def _next(self) -> Job | None:
        """The job whose turn it is, once there is one; None at the end."""
        with self._change:
            while not self._jobs or self._rests():
                if self._closed and not self._jobs:
                    return None
                self._change.wait(self._pause_left() if self._jobs else None)
            self._is_at_work = True
            return self._jobs[0]

    def _rests(self) -> bool:
        return self._pause_left() > 0 and all(job.done.is_set() for job in self._jobs)

    def _pause_left(self) -> float:
        return self._pause_until - clock.monotonic()

    def _until_pause(self, job: Job) -> Iterator[Staged]:
        for one in job.staged:
            if job.breaks < _MOST_BREAKS and self._pause_left() > 0:
                job.breaks += 1
                raise _Paused
            yield one

    def _finish(self, job: Job) -> None:
        if not job.done.is_set():
            rest = _FIRST_REST_SECONDS
            while not job.done.is_set():
                try:
                    self._do(job, self.store, patience_seconds=60.0)
                except Unavailable as error:
                    if self._closed:
                        self._fail(job, error)
                    with self._change:
                        self._change.wait_for(lambda: self._closed, rest)
                    rest = min(2 * rest, _LONGEST_REST_SECONDS)
        elif self._aside is not None and job.entry is not None:
            try:
                self._aside.move_home(self._until_pause(job), [job.entry])
            except _Paused:
                raise
            except Exception as error:
                # It stands where it was put aside, and may stay there.
                log.warning("a state of a kernel stays uncompressed: %s", error)
                self._aside_stays = True

    def _tidy(self, patience_seconds: float) -> None:
        """What was put aside goes, where all of it stands at home."""
        with self._tidying:
            if self._aside is None or self._jobs:
                return
            try:
                if self._aside_stays:
                    self._aside.close()
                elif not self._aside.discard(patience_seconds=patience_seconds):
                    return
            except RewindError as error:
                log.warning("what was put aside of a kernel's states stays: %s", error)
                return
            self._aside, self._aside_bytes, self._aside_stays = None, 0, False

    def _do(self, job: Job, store: KernelStore, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Raises Unavailable where nothing may be written now; nothing has happened then."""
        try:
            is_plain = store is self._aside and job.fresh_bytes > INLINE_BYTES
            with store.block(patience_seconds=patience_seconds, plain=is_plain) as block:
                self._keep(job, block)
            job.snapshot = decode_snapshot(block.entries[0], self.store.layout)
        except BaseException as error:
            if isinstance(error, Unavailable) and error.retryable and not job.is_begun:
                raise
            self._fail(job, error)
            if not isinstance(error, RewindError | OSError | ValueError):
                raise
            return
        if store is self._aside:
            job.staged, job.entry = tuple(block.staged), block.entries[0]
        for pod in job.pods:
            pod.stream = None
            pod.before = None
        self.last = job.snapshot
        self._say_done(job)

    def _fail(self, job: Job, error: BaseException) -> None:
        job.error = error
        for pod in job.pods:
            for state in pod.buffers:
                state.drop()
        self._state = None
        self._on_failure(error)
        self._say_done(job)

    def _say_done(self, job: Job) -> None:
        with self._change:
            job.done.set()
            self._change.notify_all()

    def _keep(self, job: Job, block: Block) -> None:
        job.is_begun = True
        for pod in job.pods:
            if pod.node is None:
                _store_pod(pod, block)
        state = self._store_state(job, block)
        facts = replace(job.facts, new_bytes=block.written_bytes)
        if self.last is not None:
            facts = replace(facts, parent=self.last.id)
        self._add(facts, state, block)

    def _add(self, facts: Facts, state: Digest, block: Block) -> None:
        block.add(
            SNAPSHOT,
            keys=snapshot_keys(facts),
            body=encode_snapshot(facts, state, self.store.layout),
            roots=(state,),
        )

    def _store_state(self, job: Job, block: Block) -> Digest:
        nodes = tuple(pod.node for pod in job.pods if pod.node is not None)
        if self._state is not None and self._state[0] == nodes:
            return self._state[1]
        base = self._state[1] if self._state is not None else None
        state = block.put_node(encode_state(), nodes, base=base)
        self._state = (nodes, state)
        return state


def _store_pod(pod: Pod, block: Block) -> None:
    before = pod.before
    for state in pod.buffers:
        buffers.store(state, block)
    if pod.stream is None:
        raise Internal("A pod was to be stored whose stream is gone.")
    pieces = [piece for each in pod.stream.segments for piece in chunks.cut(memoryview(each))]
    names = [chunks.digest(piece) for piece in pieces]
    bases = align(names, before.chunks if before is not None else ())
    pod.chunks = tuple(
        block.put_chunk(piece, name=name, base=base)
        for piece, name, base in zip(pieces, names, bases, strict=True)
    )
    body, links = encode_pod(
        pod.roots, pod.chunks, pod.stream_size, _names(pod.buffers), pod.refs, pod.names,
        pod.hollow, pod.is_stand_in,
    )  # fmt: skip
    pod.node = block.put_node(body, links, base=before.node if before is not None else None)


def _names(states: Sequence[buffers.BufferState]) -> list[Buffer]:
    return [Buffer(state.size, tuple(state.names()), state.direct) for state in states]
