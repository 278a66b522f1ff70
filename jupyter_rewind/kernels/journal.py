"""The journal of one run: each execution before its code runs, its outputs while it runs, its end.

`begin` returns when the source is process-safe. Outputs follow at most every tenth of a second:
the first of each cell and the first after a quiet moment are written by the thread that makes them,
for code that holds the interpreter's lock would keep any other from writing; the rest by a thread
of the journal's own.
A forked child writes nothing: what it prints is its parent's to tell.
It refuses to interpret outputs, and never looks into the namespace.
"""

from __future__ import annotations

import base64
import logging
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from jupyter_rewind import clock
from jupyter_rewind.errors import RewindError
from jupyter_rewind.kernels.log import EntryLog, Fact
from jupyter_rewind.kernels.threads import make_thread
from jupyter_rewind.model.encoding import dump_json, parse_json
from jupyter_rewind.model.entry import Json
from jupyter_rewind.model.execution import (
    END,
    EXECUTION,
    FORMAT,
    OUTPUTS,
    PATH,
    RUN,
    Execution,
    Output,
    Run,
    encode_text,
    execution_body,
    execution_key,
    fold_outputs,
    kernel_key,
    path_key,
    run_body,
    run_key,
)
from jupyter_rewind.model.ids import EntryId, ExecutionId

INTERVAL_SECONDS = 0.1
INLINE_BYTES = 4096
FOLD_BYTES = 1 << 20
_REMEMBERED = 64
log = logging.getLogger(__name__)

Pending: TypeAlias = tuple[Output, int] | tuple[str, str]
"""An output and its size, or the name of a stream and more of its text."""


@dataclass(slots=True)
class _Open:
    """An execution whose outputs are still taken."""

    id: ExecutionId
    pending: deque[Pending] = field(default_factory=deque)
    parts: list[EntryId] = field(default_factory=list)
    told: list[Output] | None = field(default_factory=list)
    """All outputs written so far, to be folded at the end; None where they have become too many."""
    size: int = 0
    truncated: bool = False
    spoke: bool = False
    has_more: bool = False
    """Whether another process wrote outputs of it before."""


class Journal:
    """Writes what one run does. Outputs may come from any thread."""

    def __init__(self, log: EntryLog, run: Run, *, max_output_bytes: int = 64 << 20) -> None:
        self._log = log
        self._run = run
        self._max_output_bytes = max_output_bytes
        self._pid = clock.process()
        self._open: dict[ExecutionId, _Open] = {}
        self._writing = threading.RLock()
        self._depth = 0
        self.last_write = -INTERVAL_SECONDS
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self.is_awake = False
        """Whether what is pending will be written soon without another word."""
        self.fault: RewindError | None = None
        """Why outputs could not be written last, if so."""

    @property
    def run(self) -> Run:
        return self._run

    def begin_run(self) -> None:
        """The run can be found by its kernel and its notebook. Raises Storage."""
        keys = [run_key(self._run.id), kernel_key(self._run.kernel)]
        with self._alone():
            self._log.write([Fact(RUN, self._with_path(keys), run_body(self._run))])

    def move_run(self, run: Run) -> None:
        """The run's notebook lies elsewhere from now on. Raises Storage."""
        self._run = run
        body: dict[str, Json] = {
            "format": FORMAT, "phase": PATH, "run": run.id, "path": run.path,
        }  # fmt: skip
        with self._alone():
            self._log.write([Fact(RUN, self._with_path([run_key(run.id)]), body)])

    def end_run(self, how: str) -> None:
        """The run has ended as somebody wanted it to. Raises Storage."""
        if self._pid != clock.process():
            return
        body: dict[str, Json] = {
            "format": FORMAT, "phase": END, "run": self._run.id, "finished_ns": clock.now_ns(),
            "how": how,
        }  # fmt: skip
        with self._alone():
            self._flush()
            self._log.write([Fact(RUN, (run_key(self._run.id),), body)])

    def begin(self, execution: Execution) -> None:
        """The execution is process-safe, with its whole source. Raises Storage."""
        if self._pid != clock.process():
            return
        body = execution_body(execution)
        content = encode_text(execution.source)
        if len(content) <= INLINE_BYTES:
            body["source"], content = execution.source, b""
        keys = self._with_path([run_key(execution.run), execution_key(execution.id)])
        with self._alone():
            self._log.write([Fact(EXECUTION, keys, body, content)])
            if len(self._open) >= _REMEMBERED:
                self._take_pending()
                self._open.pop(next(iter(self._open)))
            self._of(execution.id)

    def go_on(self, execution: ExecutionId) -> None:
        """What another process has begun to write of this execution goes on here."""
        self._of(execution).has_more = True

    def add_output(self, execution: ExecutionId, output: Output, size: int = 0) -> None:
        """The output stands in the journal within a tenth of a second. Never fails: what could
        not be written is tried again with the next, and `fault` says why."""
        if self._pid != clock.process():
            return
        opened = self._of(execution)
        is_first, opened.spoke = not opened.spoke, True
        opened.pending.append((output, size))
        if is_first or clock.monotonic() - self.last_write >= INTERVAL_SECONDS:
            self._flush_if_free()
        else:
            self.wake()

    def pending_of(self, execution: ExecutionId) -> deque[Pending]:
        """Where the outputs of this execution, which has not ended, wait to be written. Who adds
        one within a tenth of a second of another, and sees that the journal `is_awake` then, need
        not call `add_output`."""
        return self._of(execution).pending

    def end(
        self, execution: ExecutionId, status: str, finished_ns: int, *, error: str = ""
    ) -> None:
        """How the execution ended, and all its outputs, are process-safe. Raises Storage."""
        if self._pid != clock.process():
            return
        with self._alone():
            self._take_pending(but=execution)
            opened = self._of(execution)
            fresh = self._taken(opened)
            folded = not opened.has_more and (not opened.parts or opened.told is not None)
            told = [*(opened.told or ()), *fresh] if folded else fresh
            body: dict[str, Json] = {
                "format": FORMAT, "phase": END, "run": self._run.id, "execution": execution,
                "status": status, "finished_ns": finished_ns, "error": error, "folded": folded,
                "truncated": opened.truncated,
            }  # fmt: skip
            fact = self._fact(body, fold_outputs(told) if folded else told)
            self._write(opened, fact, fresh, opened.parts if folded else ())
            opened.parts, opened.told = [], None

    def close(self) -> None:
        """What came so far is written, and nothing more is taken."""
        self._closed.set()
        self._wake.set()
        if self._pid == clock.process():
            with self._writing:  # the thread, which may be writing, takes nothing more
                self._flush_if_free()

    # --- outputs ------------------------------------------------------------------------

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else writes in the block; what an object's end prints in the midst of it waits."""
        with self._writing:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1

    def _flush_if_free(self) -> None:
        """What is pending is written, unless a write is going on: then the thread sees to it."""
        if not self._writing.acquire(blocking=False):
            self.wake()
            return
        try:
            if self._depth:
                self.wake()
            else:
                with self._alone():
                    self._flush()
        finally:
            self._writing.release()

    def _flush(self) -> None:
        try:
            self._take_pending()
            self.fault = None
        except RewindError as error:
            self.fault = error
        finally:
            self.last_write = clock.monotonic()

    def _take_pending(self, but: ExecutionId | None = None) -> None:
        """Pending outputs are written as parts; those of `but` are left."""
        for opened in list(self._open.values()):
            if opened.id == but or not opened.pending:
                continue
            fresh = self._taken(opened)
            if not fresh:
                continue
            body: dict[str, Json] = {
                "format": FORMAT, "phase": OUTPUTS, "run": self._run.id, "execution": opened.id,
            }  # fmt: skip
            opened.parts.append(self._write(opened, self._fact(body, fresh), fresh))
            if opened.told is not None and opened.size <= FOLD_BYTES:
                opened.told = fold_outputs([*opened.told, *fresh])
            else:
                opened.told = None

    def _write(
        self, opened: _Open, fact: Fact, fresh: list[Output], expired: Sequence[EntryId] = ()
    ) -> EntryId:
        """The new entry's id. Where it could not be written, `fresh` is pending again."""
        try:
            return self._log.write([fact], expired)[0].id
        except BaseException:
            opened.pending.extendleft((each, 0) for each in reversed(fresh))
            raise

    def _of(self, execution: ExecutionId) -> _Open:
        """What is known of the execution's outputs; it may have ended long ago."""
        return self._open.setdefault(execution, _Open(execution))

    def _taken(self, opened: _Open) -> list[Output]:
        """The pending outputs, which are pending no more: streams joined, and none of what is
        beyond the limit."""
        mine: list[Output] = []
        texts: list[str] = []
        stream = ""

        def end_stream() -> None:
            if texts:
                mine.append({"output_type": "stream", "name": stream, "text": "".join(texts)})
                texts.clear()

        # A million short texts may wait here, while the user's code goes on beside.
        while opened.pending:
            output, size = opened.pending.popleft()
            opened.size += len(size) if isinstance(size, str) else size
            if opened.size > self._max_output_bytes:
                opened.truncated = True
            elif isinstance(output, str):
                if output != stream:
                    end_stream()
                    stream = output
                texts.append(str(size))
            else:
                end_stream()
                mine.append(output)
        end_stream()
        return _joined(mine)

    def _fact(self, body: dict[str, Json], outputs: list[Output]) -> Fact:
        raw = dump_json(outputs, default=_plain).encode()
        keys = (run_key(self._run.id), execution_key(str(body["execution"])))
        if len(raw) <= INLINE_BYTES:
            return Fact(EXECUTION, keys, body | {"outputs": parse_json(raw)})
        return Fact(EXECUTION, keys, body, raw)

    def wake(self) -> None:
        """What is pending is written within a tenth of a second; in a forked child, never."""
        if self._pid != clock.process():
            return
        if self._thread is None and not self._closed.is_set():
            # Before it starts: what is said meanwhile may come here, too.
            thread = self._thread = make_thread(self._keep_writing, "rewind-journal")
            thread.start()
        self.is_awake = True
        self._wake.set()

    def _keep_writing(self) -> None:
        while not self._closed.is_set():
            self._wake.wait()
            wait = self.last_write + INTERVAL_SECONDS - clock.monotonic()
            self._closed.wait(min(max(wait, 0.0), INTERVAL_SECONDS))
            self._wake.clear()
            self.is_awake = False  # before anything is taken: what comes now wakes it again
            try:
                with self._alone():
                    self._flush()
            except Exception:
                # The thread goes on: what comes next may be written.
                log.warning("outputs were not written to the journal", exc_info=True)

    def _with_path(self, keys: list[str]) -> tuple[str, ...]:
        return (*keys, path_key(self._run.path)) if self._run.path else tuple(keys)


def _joined(outputs: list[Output]) -> list[Output]:
    """`outputs` with what one stream said in a row in one piece. Nothing is cleared or updated:
    that is for whoever knows all of them."""
    joined: list[Output] = []
    texts: list[str] = []

    def end_stream() -> None:
        if len(texts) > 1:
            joined[-1] = {**joined[-1], "text": "".join(texts)}
        texts.clear()

    for output in outputs:
        is_stream = output.get("output_type") == "stream"
        if not (is_stream and texts and joined[-1].get("name") == output.get("name")):
            end_stream()
            joined.append(output)
        if is_stream:
            texts.append(str(output.get("text")))
    end_stream()
    return joined


def _plain(value: object) -> Json:
    """JSON for what a front end would have been sent in another form."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    return str(value)
