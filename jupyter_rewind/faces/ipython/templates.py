"""Templates: the last cells' whole processes, asleep, each of which can go on as the kernel.

One is made at the end of a cell where a fork is safe, or in the pause after it; else the reason is
kept for `%rewind templates`. Nothing here is imported where `kernels.templates` is 0.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jupyter_rewind import clock
from jupyter_rewind.errors import NotFound, RestoreRefused, RewindError, Unavailable
from jupyter_rewind.faces.ipython import awakening
from jupyter_rewind.faces.ipython.answers import Answer, Words, clock_time, size, table
from jupyter_rewind.faces.ipython.guard import (
    HeldInterrupt,
    Untraced,
    interrupt_soon,
    replaced_builtin,
)
from jupyter_rewind.kernels.templates import dormant, safety
from jupyter_rewind.kernels.templates.warden import VARIABLE
from jupyter_rewind.kernels.threads import OwnThread

if TYPE_CHECKING:
    from jupyter_rewind.kernels.session import KernelSession

log = logging.getLogger(__name__)
MOST_WAKINGS = 50
"""Each waking lies on top of the one before it, in one stack."""
_IDLE_SECONDS, _TRIES = 0.1, 40
_PAUSE_SECONDS, _GROWTH, _LONGEST_PAUSE_SECONDS = 0.25, 1.2, 10.0
_TRIES_BEFORE = 4
"""In the pause after a cell, and before going back."""
_ASLEEP_SECONDS, _LOOK_SECONDS = 10.0, 0.01
_GOING_SECONDS, _LEAVING_SECONDS = 0.2, 10.0
_WRITING = ("rewind-journal", "rewind-keeper")
_WRITER = "jupyter_rewind.store.writer"
"""What Rewind's own threads that may be forked away at any time are called, or run: they write to
files that no template has open, and hold no lock that it needs."""
_wakings = 0


class Templates:
    """The templates of this kernel. `come_back` lets Rewind begin anew in a process that was
    woken."""

    def __init__(self, shell: Any, session: KernelSession, come_back: Callable[[], None]) -> None:
        self._shell = shell
        self._kernel: Any = getattr(shell, "kernel", None)
        self._session = session
        self._come_back = come_back
        self._folder = _find_folder()
        self._warden = dormant.Warden(self._folder)
        self._untraced = Untraced()
        self._wish: str | None = None
        self._waiting: Any = None
        self._tries = 0
        self._without: dict[int, str] = {}
        """Why cells have none."""

    # --- after a cell -------------------------------------------------------------------

    def before_cell(self) -> None:
        """There is no pause any more."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None and self._kernel is not None:
            self._kernel.io_loop.remove_timeout(waiting)

    def after_cell(self, result: Any) -> None:
        """The process as it is now sleeps beside the kernel; where the user has asked for it, the
        kernel goes back. Never raises."""
        info = getattr(result, "info", None)
        if info is None or not info.store_history or self._session.is_busy() or not self._folder:
            return
        if threading.current_thread() is not threading.main_thread():
            return
        wish, self._wish = self._wish, None
        self._tries = 0
        self._unnoticed(lambda: self._end_cell(wish, is_good=bool(result.success)))

    def _end_cell(self, wish: str | None, *, is_good: bool) -> None:
        name = self._keep()
        if wish is None:
            if name is None:
                self._plan()
                with suppress(RewindError):
                    # What the cell wrote to, the templates of before hold as it was.
                    self._warden.ask("look")
            return
        while is_good and name is None and self._tries < _TRIES_BEFORE:
            self._tries += 1
            safety.pause(_PAUSE_SECONDS)
            name = self._keep()
        self._go(wish, name, is_good=is_good)

    def _keep(self) -> str | None:
        """The name of the template of now; None where there is none, for a reason that is known."""
        name, count = clock.new_id(), self._count()
        try:
            if not self._is_settled():
                raise Unavailable("what the cell did is still being written")
            told = {
                "name": name, "count": count, "time_ns": clock.now_ns(),
                "lost": self._lost(),
            }  # fmt: skip
            awake = dormant.keep(self._warden, told, self._bed(), self._find_obstacle)
        except Exception as error:
            if not isinstance(error, RewindError):
                log.warning("a fault of Rewind's own, at a template", exc_info=True)
            self._without[count] = getattr(error, "message", str(error))
            return None
        if awake is not None:
            self._go_on(awake)
        self._without.pop(count, None)
        return name

    def _unnoticed(self, act: Callable[[], None]) -> None:
        """No fault and no interrupt of what is done reaches the user's code, nor does his tracer
        see it."""
        held = HeldInterrupt()
        try:
            with held, dormant.interrupts_held(), self._untraced:
                try:
                    act()
                except RewindError as error:
                    self._session.tell(f"Jupyter Rewind: {error}")
                except Exception:
                    log.warning("a fault of Rewind's own, with templates", exc_info=True)
        except KeyboardInterrupt:
            held.came = True
        if held.came:
            interrupt_soon()

    def _go_on(self, awake: dormant.Awake) -> None:
        """In a process that was woken: never returns."""
        global _wakings
        _wakings += 1
        self._untraced.__exit__()
        awakening.go_on(
            self._kernel,
            awake,
            self._come_back,
            functools.partial(dormant.Warden(self._folder).ask, "up"),
        )

    def _plan(self) -> None:
        loop = getattr(self._kernel, "io_loop", None)
        if loop is not None and self._folder and self._tries < _TRIES:
            pause = min(_PAUSE_SECONDS * _GROWTH**self._tries, _LONGEST_PAUSE_SECONDS)
            self._tries += 1
            self._waiting = loop.call_later(pause, self._try_again)

    def _try_again(self) -> None:
        self._waiting = None
        self._unnoticed(lambda: None if self._keep() else self._plan())

    def _bed(self) -> dormant.Bed:
        ports = frozenset(int(port) for port in self._kernel.parent._ports.values())
        folders = [os.path.realpath(self._session.layout.folder)]
        index = self._session.settings.store_index_path
        folders += [os.path.realpath(index)] if index else []
        lie_down = functools.partial(awakening.lie_down, self._kernel)
        return dormant.Bed(ports, folders, lie_down, awakening.own_descriptors(self._kernel))

    # --- whether it is safe -------------------------------------------------------------

    def _require_host(self) -> None:
        """Raises Unavailable."""
        if not self._folder or self._kernel is None:
            raise Unavailable(_NO_HOST)

    def _is_settled(self) -> bool:
        if not self._session.timeline.capturer.keeper.is_safe:
            return False
        return safety.wait_until_idle(self._is_settling, _IDLE_SECONDS)

    def _find_obstacle(self) -> str:
        if replaced := replaced_builtin():
            return f"the builtin `{replaced}` is not Python's own any more"
        if _wakings >= MOST_WAKINGS:
            return f"it went back {_wakings} times: after a restart templates are kept again"
        if getattr(self._kernel, "eventloop", None) is not None:
            return "it runs the loop of a graphical interface"
        if getattr(getattr(self._kernel, "debugger", None), "is_started", False):
            return "a debugger is on"
        return safety.find_obstacle(self._is_spared)

    def _is_spared(self, thread: threading.Thread) -> bool:
        """Of the kernel's own and of Rewind's, which touch nothing but what is made anew. No name
        tells: the user may call his as he likes."""
        if isinstance(thread, OwnThread):
            return thread.name in _WRITING
        module = getattr(getattr(thread, "function", None), "__module__", None)
        return module == _WRITER or thread in awakening.own_threads(self._kernel)

    def _is_settling(self, thread: threading.Thread) -> bool:
        """Of Rewind's own or IPython's, which read and write databases, or import, and soon
        wait."""
        history = getattr(self._shell.history_manager, "save_thread", None)
        return (isinstance(thread, OwnThread) or thread is history) and not self._is_spared(thread)

    def _lost(self) -> list[str]:
        """The user's own threads, which no fork takes along."""
        found = safety.names_of_threads(
            lambda thread: self._is_spared(thread) or self._is_settling(thread)
        )
        if safety.count_channels() > awakening.count_contexts(self._kernel):
            found.append("those of a ZeroMQ context that is not the kernel's")
        return found

    # --- what the user asks -------------------------------------------------------------

    def choose(self, ref: str) -> Words:
        """When this cell has ended, the kernel is what it was at `ref`. Raises NotFound,
        Unavailable."""
        found = self._find(ref)
        self._warden.ask("spare", name=found["name"])
        self._wish = str(found["name"])
        lost = found.get("lost") or []
        words = f"{_describe(found)} goes on as soon as this cell has ended."
        if lost:
            words += f" Its threads do not: {', '.join(lost)}."
        present = list(self._session.counts.values())[-1:]
        again = f" `%rewind to {present[0]} --whole` takes this back." if present else ""
        return Words(f"{words} Cells that wait behind this one are not run.{again}")

    def show(self) -> Answer:
        """All templates, and why cells have none."""
        self._require_host()
        found = self._warden.ask("list")["templates"]
        lines = []
        if found:
            rows = [
                (f"In[{each['count']}]", clock_time(each["time_ns"]), size(each["own_bytes"]))
                for each in found
            ]
            lines.append(table(("after", "time", "own memory"), rows))
            lines.append("`%rewind to 7 --whole` goes back to the one of In[7]. Memory that a"
                         " template shares with others is not its own.")  # fmt: skip
        else:
            lines.append("There are no templates.")
        lines += [f"In[{count}] has none: {why}." for count, why in _last(self._without)]
        return Words("\n".join(lines))

    def _find(self, ref: str) -> dict[str, Any]:
        from jupyter_rewind.kernels.naming import count_in

        self._require_host()
        count = count_in(ref)
        found = self._warden.ask("list")["templates"]
        mine = [each for each in found if each["count"] == count]
        if count is None or not mine:
            why = self._without.get(count or 0)
            there = ", ".join(f"In[{each['count']}]" for each in found) or "none"
            raise NotFound(
                f"There is no template of {ref}{f': {why}' if why else ''}.",
                hint=f"Templates: {there}. Without --whole, the variables can be brought back.",
            )
        return dict(mine[-1])

    # --- going back ---------------------------------------------------------------------

    def _go(self, wish: str, present: str | None, *, is_good: bool) -> None:
        """Raises RestoreRefused, Unavailable; the kernel goes on as it is then."""
        if not is_good:
            raise RestoreRefused("The cell failed, so the kernel stays as it is.")
        if present is not None:
            self._wait_for(present)
        else:
            why = self._without.get(self._count(), "")
            self._session.tell(f"Of the present, only the variables are kept: {why}.")
        try:
            self._warden.ask("go", name=wish, back=present)
        except RewindError:
            # It may have heard, and not said so in time: this kernel would come back after its end.
            with suppress(RewindError):
                self._warden.ask("stay")
            raise
        # What waits in the kernel's queue is answered, and not run.
        self._kernel._aborting = True
        self._kernel.io_loop.call_later(_GOING_SECONDS, self._end)

    def _wait_for(self, name: str) -> None:
        deadline = clock.monotonic() + _ASLEEP_SECONDS
        while clock.monotonic() < deadline:
            found = self._warden.ask("list")["templates"]
            if any(each["name"] == name for each in found):
                return
            safety.pause(_LOOK_SECONDS)
        raise Unavailable("The present did not fall asleep in time, so the kernel stays as it is.")

    def _end(self) -> None:
        """This process ends, and writes nothing more of the run, which goes on in the other."""
        timer = threading.Timer(_LEAVING_SECONDS, os._exit, (0,))
        timer.daemon = True
        timer.start()
        try:
            awakening.close_channels(self._kernel)
            self._session.leave()
        except Exception:
            log.warning("what was open before going back is not let go of", exc_info=True)
        finally:
            os._exit(0)

    def _count(self) -> int:
        return int(self._shell.execution_count) - 1


@functools.cache
def _find_folder() -> str:
    """What the kernel starts in turn shall not take the warden for its own."""
    return os.environ.pop(VARIABLE, "")


_NO_HOST = (
    "no templates are kept here: kernels.host starts the kernels that can have them, on Linux and"
    " without kernels.images"
)


def _describe(told: dict[str, Any]) -> str:
    return f"The kernel as it was after In[{told['count']}] ({clock_time(told['time_ns'])})"


def _last(found: dict[int, str]) -> Sequence[tuple[int, str]]:
    return sorted(found.items())[-5:]
