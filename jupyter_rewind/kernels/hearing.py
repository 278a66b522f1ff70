"""The journals of kernels that keep none of their own, in whatever language: their server listens.

One thread writes; whoever hears hands over and goes on. What is heard is written as a kernel with
Rewind writes it, so it is brought back and recovered alike. There are no states of variables: only
a kernel itself could keep those. What is under way in a kernel that may outlive the server goes on
with whoever hears it next.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from jupyter_rewind import clock
from jupyter_rewind.errors import RewindError
from jupyter_rewind.model.execution import Execution, Run
from jupyter_rewind.model.ids import ExecutionId, RunId

if TYPE_CHECKING:
    from jupyter_rewind.kernels.handover import Handover, UnderWay
    from jupyter_rewind.kernels.journal import Journal
    from jupyter_rewind.kernels.log import EntryLog
    from jupyter_rewind.model.entry import Json
    from jupyter_rewind.store.repository import Repository

log = logging.getLogger(__name__)
_STOP_SECONDS = 5.0
_REMEMBERED = 1000
"""So many messages may be heard by two, while one hands over to the other."""


@dataclass(slots=True)
class _Heard:
    """What is known of one kernel; `journal` is None while its first cell has not begun, and where
    the kernel keeps one of its own. `seen` are messages that somebody else heard before."""

    journal: Journal | None = None
    keeps_its_own: bool = False
    open: dict[str, ExecutionId] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    handover: Handover | None = None
    seen: frozenset[str] = frozenset()
    heard: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def note(self) -> None:
        """Who hears the kernel next finds what is under way."""
        if self.handover is not None and self.journal is not None:
            self.handover.write(self.journal.run.id, self.open, self.heard)


class Hearing:
    """What a server heard of its kernels. Every method returns at once and never fails."""

    def __init__(
        self,
        repository: Callable[[], Repository],
        *,
        max_output_bytes: int = 64 << 20,
        handover_of: Callable[[str], Handover | None] = lambda _: None,
        is_left: bool = False,
        when_handed: Callable[[], object] = lambda: None,
    ) -> None:
        """`handover_of` knows where a kernel that may outlive this process is handed over; with
        `is_left` it does so also where `stop` says that the process ends. `when_handed` is called
        when there is such a kernel with a journal."""
        self._repository = repository
        self._max_output_bytes = max_output_bytes
        self._handover_of = handover_of
        self._is_left = is_left
        self._when_handed = when_handed
        self._kernels: dict[str, _Heard] = {}
        self._log: EntryLog | None = None
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._fault = ""

    @property
    def running(self) -> frozenset[ExecutionId]:
        """The executions that have begun and not ended, as far as was heard."""
        return frozenset(
            name for each in list(self._kernels.values()) for name in each.open.values()
        )

    def keeps_its_own(self, kernel: str) -> bool:
        """Whether nothing more of this kernel needs to be heard."""
        known = self._kernels.get(kernel)
        return known is not None and known.keeps_its_own

    def begin(
        self,
        kernel: str,
        request: str,
        source: str,
        count: int,
        cell_id: str | None,
        path: str,
        message: str = "",
    ) -> None:
        """A cell of the notebook at `path` (absolute) runs; so says the `message` with this id."""
        now = clock.now_ns()
        self._hear(
            kernel,
            message,
            lambda known: self._begin(kernel, known, request, source, count, cell_id, path, now),
        )

    def put_out(
        self, kernel: str, request: str, output: Mapping[str, Json], size: int, message: str = ""
    ) -> None:
        """It puts this out."""
        self._hear(kernel, message, lambda known: _put_out(known, request, output, size))

    def end(self, kernel: str, request: str, message: str = "") -> None:
        """It has ended."""
        now = clock.now_ns()
        self._hear(kernel, message, lambda known: _end(known, request, now))

    def take(self, kernel: str) -> None:
        """What is under way in a kernel that somebody else heard before goes on here."""
        self._hear(kernel, "", lambda known: None)

    def forget(self, kernel: str) -> None:
        """The kernel has ended or starts anew."""
        if kernel in self._kernels:
            self._do(lambda: self._forget(kernel))

    def leave(self, kernel: str) -> None:
        """The kernel goes on, and is somebody else's to hear."""
        if kernel in self._kernels:
            self._do(lambda: self._leave(kernel))

    def stop(self) -> None:
        """What was heard is written, or the time for it is up."""
        if self._thread is not None:
            self._do(self._close)
            self._work.put(None)
            self._thread.join(_STOP_SECONDS)

    # --- in the thread ------------------------------------------------------------------

    def _do(self, act: Callable[[], None]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="rewind-hearing", daemon=True)
            self._thread.start()
        self._work.put(act)

    def _run(self) -> None:
        while (act := self._work.get()) is not None:
            try:
                act()
            except RewindError as error:
                self._tell(str(error))
            except Exception as error:
                self._tell(repr(error))

    def _tell(self, words: str) -> None:
        """Once for each cause."""
        if words != self._fault:
            self._fault = words
            log.warning("The outputs of a kernel were not kept: %s", words)

    def _hear(self, kernel: str, message: str, act: Callable[[_Heard], None]) -> None:
        """`act` happens in its turn, unless somebody else has heard the message."""

        def heard() -> None:
            known = self._kernels.get(kernel) or self._meet_again(kernel)
            if message in known.seen:
                return
            if message:
                known.heard.append(message)
            act(known)

        self._do(heard)

    def _meet_again(self, kernel: str) -> _Heard:
        """What is known of the kernel, also by whoever heard it before."""
        known = self._kernels[kernel] = _Heard(handover=self._handover_of(kernel))
        under_way = known.handover.take() if known.handover is not None else None
        if under_way is not None:
            self._go_on(known, under_way)
        return known

    def _go_on(self, known: _Heard, under_way: UnderWay) -> None:
        from jupyter_rewind.kernels.runs import Runs

        repository = self._repository()
        repository.refresh()
        run = Runs(repository).get(under_way.run)
        if run.ended_ns is not None:
            return
        known.seen = under_way.seen
        known.open.update(under_way.open)
        known.journal = self._journal(run)
        for execution in known.open.values():
            known.journal.go_on(execution)
        self._when_handed()

    def _begin(
        self,
        kernel: str,
        known: _Heard,
        request: str,
        source: str,
        count: int,
        cell_id: str | None,
        path: str,
        now: int,
    ) -> None:
        if known.journal is None and not known.keeps_its_own:
            self._meet(kernel, known, path)
        journal = known.journal
        if journal is None:
            return
        if journal.run.path != path:
            journal.move_run(replace(journal.run, path=path))
        name = ExecutionId(clock.new_id())
        journal.begin(Execution(name, journal.run.id, count, cell_id, path, source, now))
        known.open[request] = name
        known.note()

    def _meet(self, kernel: str, known: _Heard, path: str) -> None:
        # A server starts without these: they are for the first cell.
        from jupyter_rewind.kernels.runs import Runs

        repository = self._repository()
        repository.refresh()
        if Runs(repository).of_kernel(kernel):
            known.keeps_its_own = True
            if known.handover is not None:
                known.handover.end()
            return
        # Without a kernel's id and a connection: nobody shall ask this run for states.
        run = Run(
            id=RunId(clock.new_id()), kernel="", connection="", pid=clock.pid(),
            host=clock.host(), boot=clock.boot_id(), python="", executable="", path=path,
            started_ns=clock.now_ns(),
        )  # fmt: skip
        known.journal = self._journal(run)
        known.journal.begin_run()
        if known.handover is not None:
            self._when_handed()

    def _journal(self, run: Run) -> Journal:
        from jupyter_rewind.kernels.journal import Journal
        from jupyter_rewind.kernels.log import EntryLog

        if self._log is None:
            self._log = EntryLog(self._repository().layout)
        return Journal(self._log, run, max_output_bytes=self._max_output_bytes)

    def _forget(self, kernel: str) -> None:
        known = self._kernels.pop(kernel, None)
        if known is None:
            return
        if known.journal is not None:
            known.journal.end_run("exit")
            known.journal.close()
        if known.handover is not None:
            known.handover.end()

    def _leave(self, kernel: str) -> None:
        known = self._kernels.pop(kernel, None)
        if known is None:
            return
        if known.journal is not None:
            known.journal.close()
        if known.handover is not None:
            known.note()
            known.handover.leave()

    def _close(self) -> None:
        for kernel, known in list(self._kernels.items()):
            if self._is_left and known.handover is not None:
                self._leave(kernel)
            else:
                self._forget(kernel)
        if self._log is not None:
            self._log.close()
            self._log = None


def _put_out(known: _Heard, request: str, output: Mapping[str, Json], size: int) -> None:
    if known.journal is not None and request in known.open:
        if output.get("output_type") == "error":
            known.failed.add(request)
        known.journal.add_output(known.open[request], output, size)


def _end(known: _Heard, request: str, now: int) -> None:
    if known.journal is None or request not in known.open:
        return
    status = "error" if request in known.failed else "ok"
    known.failed.discard(request)
    try:
        known.journal.end(known.open[request], status, now)
    finally:
        del known.open[request]
        known.note()
