"""Writing what a capture found: small ones at once, large ones behind the user's back.

One snapshot is one commit: pieces, pods, the state, the entry that names it. In order, so that
every state stands on the one before. What failed once is stored anew with the next capture.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from jupyter_rewind.errors import Internal, RewindError
from jupyter_rewind.kernels import buffers
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
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.model.snapshot import Snapshot
from jupyter_rewind.store import chunks
from jupyter_rewind.store.block import Block
from jupyter_rewind.store.keep import KernelStore

INLINE_BYTES = 4 << 20
WAITING_BYTES = 512 << 20


@dataclass(slots=True)
class Job:
    """One snapshot on its way. `snapshot` or `error` is there once it is `done`."""

    facts: Facts
    pods: tuple[Pod, ...]
    fresh_bytes: int
    is_inline: bool = False
    done: threading.Event = field(default_factory=threading.Event)
    snapshot: Snapshot | None = None
    error: BaseException | None = None


class Keeper:
    """Stores jobs in order; owns the store it writes to."""

    def __init__(self, store: KernelStore, on_failure: Callable[[BaseException], None]) -> None:
        self.store = store
        self._on_failure = on_failure
        self._jobs: deque[Job] = deque()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._state: tuple[tuple[Digest, ...], Digest] | None = None
        self._closed = False
        self.last: Snapshot | None = None

    def submit(self, job: Job) -> None:
        """The job is stored when this returns, where it is small and nothing waits; else soon."""
        with self._change:
            if self._closed:
                raise Internal("A snapshot was to be stored after the end.")
            while self._jobs and self._waiting() + job.fresh_bytes > WAITING_BYTES:
                self._change.wait()
            job.is_inline = not self._jobs and job.fresh_bytes <= INLINE_BYTES
            self._jobs.append(job)
            if not job.is_inline:
                self._start()
                self._change.notify_all()
        if job.is_inline:
            self._do(job)

    def flush(self) -> None:
        """Everything submitted is stored, or has failed."""
        with self._change:
            while self._jobs:
                self._change.wait()

    def close(self) -> None:
        self.flush()
        with self._change:
            self._closed = True
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join()
        self.store.close()

    def _waiting(self) -> int:
        return sum(job.fresh_bytes for job in self._jobs)

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="rewind-keeper", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while True:
            with self._change:
                while not self._jobs or self._jobs[0].is_inline:
                    if self._closed:
                        return
                    self._change.wait()
                job = self._jobs[0]
            self._do(job)

    def _do(self, job: Job) -> None:
        try:
            job.snapshot = self._keep(job)
            self.last = job.snapshot
        except BaseException as error:
            job.error = error
            self._state = None
            self._on_failure(error)
            if not isinstance(error, RewindError | OSError | ValueError):
                raise
        finally:
            with self._change:
                if self._jobs and self._jobs[0] is job:
                    self._jobs.popleft()
                job.done.set()
                self._change.notify_all()

    def _keep(self, job: Job) -> Snapshot:
        with self.store.block() as block:
            for pod in job.pods:
                if pod.node is None:
                    _store_pod(pod, block)
            state = self._store_state(job, block)
            facts = replace(job.facts, new_bytes=block.written_bytes)
            if self.last is not None:
                facts = replace(facts, parent=self.last.id)
            entry = block.add(
                SNAPSHOT,
                keys=snapshot_keys(facts),
                body=encode_snapshot(facts, state, self.store.layout),
                roots=(state,),
            )
        for pod in job.pods:
            pod.stream = None
            pod.before = None
        return decode_snapshot(entry, self.store.layout)

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
    pieces = chunks.cut(pod.stream)
    names = [chunks.digest(piece) for piece in pieces]
    bases = align(names, before.chunks if before is not None else ())
    pod.chunks = tuple(
        block.put_chunk(piece, name=name, base=base)
        for piece, name, base in zip(pieces, names, bases, strict=True)
    )
    body, links = encode_pod(
        pod.roots, pod.chunks, pod.stream_size, _names(pod.buffers), pod.refs, pod.names
    )
    pod.node = block.put_node(body, links, base=before.node if before is not None else None)


def _names(states: Sequence[buffers.BufferState]) -> list[Buffer]:
    return [Buffer(state.size, tuple(state.names()), state.direct) for state in states]
