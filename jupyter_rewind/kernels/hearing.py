"""The journals of kernels that keep none of their own, in whatever language: their server listens.

One thread writes; whoever hears hands over and goes on. What is heard is written as a kernel with
Rewind writes it, so it is brought back and recovered alike. There are no states of variables: only
a kernel itself could keep those.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from jupyter_rewind import clock
from jupyter_rewind.errors import RewindError
from jupyter_rewind.model.execution import Execution, Run
from jupyter_rewind.model.ids import ExecutionId, RunId

if TYPE_CHECKING:
    from jupyter_rewind.kernels.journal import Journal
    from jupyter_rewind.kernels.log import EntryLog
    from jupyter_rewind.model.entry import Json
    from jupyter_rewind.store.repository import Repository

log = logging.getLogger(__name__)
_STOP_SECONDS = 5.0


@dataclass(slots=True)
class _Heard:
    """What is known of one kernel; `journal` is None while its first cell has not begun, and where
    the kernel keeps one of its own."""

    journal: Journal | None = None
    keeps_its_own: bool = False
    open: dict[str, ExecutionId] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)


class Hearing:
    """What a server heard of its kernels. Every method returns at once and never fails."""

    def __init__(
        self, repository: Callable[[], Repository], *, max_output_bytes: int = 64 << 20
    ) -> None:
        self._repository = repository
        self._max_output_bytes = max_output_bytes
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
        self, kernel: str, request: str, source: str, count: int, cell_id: str | None, path: str
    ) -> None:
        """A cell of the notebook at `path` (absolute) runs."""
        now = clock.now_ns()
        self._do(lambda: self._begin(kernel, request, source, count, cell_id, path, now))

    def put_out(self, kernel: str, request: str, output: Mapping[str, Json], size: int) -> None:
        """It puts this out."""
        self._do(lambda: self._put_out(kernel, request, output, size))

    def end(self, kernel: str, request: str) -> None:
        """It has ended."""
        now = clock.now_ns()
        self._do(lambda: self._end(kernel, request, now))

    def forget(self, kernel: str) -> None:
        """The kernel has ended or starts anew."""
        if kernel in self._kernels:
            self._do(lambda: self._forget(kernel))

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

    def _begin(
        self,
        kernel: str,
        request: str,
        source: str,
        count: int,
        cell_id: str | None,
        path: str,
        now: int,
    ) -> None:
        known = self._kernels.setdefault(kernel, _Heard())
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

    def _meet(self, kernel: str, known: _Heard, path: str) -> None:
        # A server starts without these: they are for the first cell.
        from jupyter_rewind.kernels.journal import Journal
        from jupyter_rewind.kernels.log import EntryLog
        from jupyter_rewind.kernels.runs import Runs

        repository = self._repository()
        repository.refresh()
        if Runs(repository).of_kernel(kernel):
            known.keeps_its_own = True
            return
        if self._log is None:
            self._log = EntryLog(repository.layout)
        # Without a kernel's id and a connection: nobody shall ask this run for states.
        run = Run(
            id=RunId(clock.new_id()), kernel="", connection="", pid=clock.pid(),
            host=clock.host(), boot=clock.boot_id(), python="", executable="", path=path,
            started_ns=clock.now_ns(),
        )  # fmt: skip
        known.journal = Journal(self._log, run, max_output_bytes=self._max_output_bytes)
        known.journal.begin_run()

    def _put_out(self, kernel: str, request: str, output: Mapping[str, Json], size: int) -> None:
        known = self._kernels.get(kernel)
        if known is not None and known.journal is not None and request in known.open:
            if output.get("output_type") == "error":
                known.failed.add(request)
            known.journal.add_output(known.open[request], output, size)

    def _end(self, kernel: str, request: str, now: int) -> None:
        known = self._kernels.get(kernel)
        if known is None or known.journal is None or request not in known.open:
            return
        status = "error" if request in known.failed else "ok"
        known.failed.discard(request)
        try:
            known.journal.end(known.open[request], status, now)
        finally:
            del known.open[request]

    def _forget(self, kernel: str) -> None:
        known = self._kernels.pop(kernel, None)
        if known is not None and known.journal is not None:
            journal = known.journal
            journal.end_run("exit")
            journal.close()

    def _close(self) -> None:
        for kernel in list(self._kernels):
            self._forget(kernel)
        if self._log is not None:
            self._log.close()
            self._log = None
