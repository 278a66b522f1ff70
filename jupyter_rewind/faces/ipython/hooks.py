"""When a cell begins and ends, as IPython says it. Nothing raised here reaches the cell."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jupyter_rewind.errors import RewindError
from jupyter_rewind.faces.ipython.guard import (
    HeldInterrupt,
    Untraced,
    interrupt_soon,
    replaced_builtin,
)
from jupyter_rewind.faces.ipython.idle import IdleWork
from jupyter_rewind.faces.ipython.offer import Offer
from jupyter_rewind.faces.ipython.outputs import OutputListener
from jupyter_rewind.faces.ipython.place import PathWatch
from jupyter_rewind.kernels.session import KernelSession

if TYPE_CHECKING:
    from jupyter_rewind.faces.ipython.templates import Templates

log = logging.getLogger(__name__)


class Hooks:
    """Tells a session of the cells that a shell runs."""

    def __init__(
        self,
        shell: Any,
        session: KernelSession,
        listener: OutputListener,
        watch: PathWatch,
        offer: Offer,
    ) -> None:
        self._shell = shell
        self._session = session
        self._listener = listener
        self._watch = watch
        self._offer = offer
        self._idle = IdleWork(shell, session)
        self.templates: Templates | None = None
        """Where the settings ask for them."""
        self._is_late_wish = False
        """An interrupt came between the cell's code and its end."""
        # What the shell shows between two cells is the next one's count; within a cell, versions
        # of IPython differ.
        self._count: int = shell.execution_count
        self._events = {
            "pre_run_cell": self._guarded(self._begin),
            "post_run_cell": self._guarded(self._end),
            "post_execute": self._guarded(self._note_silent),
        }

    def install(self) -> None:
        """Every cell is told of from now on."""
        for name, callback in self._events.items():
            self._shell.events.register(name, callback)

    def remove(self) -> None:
        """No cell is told of any more."""
        for name, callback in self._events.items():
            self._shell.events.unregister(name, callback)
        self._idle.drop()

    def _begin(self, held: HeldInterrupt, info: Any) -> None:
        try:
            self._tell_begin(info)
        finally:
            if held.came:
                interrupt_soon()

    def _tell_begin(self, info: Any) -> None:
        self._idle.drop()
        if self.templates is not None:
            self.templates.before_cell()
        self._session.move(self._watch.look())
        if info.store_history:
            self._offer.before_cell(str(info.raw_cell))
        execution = self._session.begin(
            str(info.raw_cell), self._count, getattr(info, "cell_id", None),
            bool(info.store_history),
        )  # fmt: skip
        request = self._request()
        if execution is not None and request:
            self._listener.note_request(request, execution)

    def _end(self, held: HeldInterrupt, result: Any) -> None:
        held.came, self._is_late_wish = held.came or self._is_late_wish, False
        try:
            self._tell_end(result)
        finally:
            if held.came:
                self._pass_on(result)

    def _pass_on(self, result: Any) -> None:
        if result is not None and result.success:
            # The cell's code had ended; to whoever pressed stop, it and those that wait behind it
            # are interrupted all the same.
            result.error_in_exec = KeyboardInterrupt("The cell had ended, and its state is kept.")
            self._shell.showtraceback((KeyboardInterrupt, result.error_in_exec, None))

    def _tell_end(self, result: Any) -> None:
        self._count = self._shell.execution_count
        error = None
        if result is not None:
            error = result.error_before_exec or result.error_in_exec
        if result is None or isinstance(error, KeyboardInterrupt):
            self._session.end("interrupted")
        elif error is not None:
            self._session.end("error", type(error).__name__)
        else:
            self._session.end("ok")
        info = getattr(result, "info", None)
        if info is not None and info.store_history and not self._session.is_busy():
            self._offer.after_cell(str(info.raw_cell))
        self._idle.plan()
        self._session.rest()

    def _note_silent(self, held: HeldInterrupt) -> None:
        if not self._session.is_busy():
            self._session.note_outside("a silent request")
            self._session.rest()
        else:
            # Of a cell that ends with the next event.
            self._is_late_wish = held.came

    def _request(self) -> str:
        kernel = getattr(self._shell, "kernel", None)
        if kernel is None:
            return ""
        parent = kernel.get_parent("shell") if hasattr(kernel, "get_parent") else {}
        return str((parent or {}).get("header", {}).get("msg_id", ""))

    def _guarded(self, act: Callable[..., None]) -> Callable[..., None]:
        """`act`, of which no fault reaches the cell: it is told once, and stands in the log."""

        @functools.wraps(act)
        def run(*args: Any) -> None:
            try:
                # Outermost: no interrupt of ours is IPython's to tell of.
                with HeldInterrupt() as held, Untraced():
                    self._run(act, held, args)
            except KeyboardInterrupt:
                if act == self._begin:
                    interrupt_soon()
            if self.templates is not None and act == self._end:
                # Outside of all that is undone in the end: a template never gets there.
                self.templates.after_cell(*args)

        return run

    def _run(self, act: Callable[..., None], held: HeldInterrupt, args: tuple[Any, ...]) -> None:
        try:
            replaced = replaced_builtin()
            if replaced:
                self._stand_aside(replaced, act)
            else:
                act(held, *args)
        except KeyboardInterrupt:
            self._tell_interrupt()
        except Exception as fault:
            self._tell_fault(fault)

    def _stand_aside(self, builtin: str, act: Callable[..., None]) -> None:
        why = f"the builtin `{builtin}` is not Python's own any more"
        if act == self._end:
            self._session.pass_over(why, self._count)
            self._count = self._shell.execution_count
        self._session.tell_once(
            "builtins", f"Jupyter Rewind keeps nothing of this kernel while {why}."
        )

    def _tell_interrupt(self) -> None:
        with suppress(Exception):
            self._session.tell("Interrupted: the state after this cell is kept with the next one.")

    def _tell_fault(self, fault: Exception) -> None:
        # What the user's code replaced may make even this fail.
        with suppress(Exception):
            if isinstance(fault, RewindError):
                self._session.tell_once(f"error {fault.code}", f"Jupyter Rewind: {fault}")
                return
            log.warning("a fault of Rewind's own", exc_info=fault)
            self._session.tell_once(
                f"fault {type(fault).__name__}",
                "Jupyter Rewind met a fault of its own; your cell is not affected:"
                f" {type(fault).__name__}: {fault}.{self._session.faults.hint}",
            )
