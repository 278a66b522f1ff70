"""Idle kernels give their memory back, and are there again when somebody asks for them.

A kernel that has done nothing for `kernels.hibernate_after` seconds is kept in a process image and
ended; its page stays as it is. When a page connects, or asks the kernel for anything, the image
comes back first, and what was asked waits for it: nothing that is asked or answered is lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from jupyter_core.utils import ensure_async
from tornado.ioloop import PeriodicCallback

from jupyter_rewind import clock
from jupyter_rewind.errors import RewindError
from jupyter_rewind.faces.server.ear import CONNECTION, parts_of
from jupyter_rewind.model.image import IDLE
from jupyter_rewind.settings import Rewind

if TYPE_CHECKING:
    from datetime import datetime

    from jupyter_server.serverapp import ServerApp

    from jupyter_rewind.faces.server.imaging import ImageDesk
    from jupyter_rewind.kernels.hosting.process import ProcessMark
    from jupyter_rewind.kernels.hosting.record import Place

_LOOK_MS = 2000
_WORKING = 0.05
"""This share of a processor and more is work, also where no cell runs: that of a thread, or of a
program that the kernel has started."""
_NUDGE_SECONDS, _HEARING_SECONDS = 0.1, 30.0
_ANSWER_SECONDS = 5.0
_HEARD = "_rewind_heard"


@dataclass(slots=True)
class _Held:
    """What one page asked of a sleeping kernel, each with the process that was to wake it, and how
    it is sent; `told` of it know that the kernel did not wake."""

    send: Callable[[Any, Any], Any]
    messages: deque[tuple[Any, ProcessMark | None]] = field(default_factory=deque)
    told: int = 0
    is_under_way: bool = False


class Hibernation:
    """The idle kernels of one server. Nothing here keeps a page from its kernel: where an image
    does not come back, the log says so, and each cell that waits for it."""

    def __init__(self, server: ServerApp, images: ImageDesk) -> None:
        self._server = server
        self._images = images
        self._log: logging.Logger = server.log
        self._waking: dict[str, asyncio.Task[bool]] = {}
        self._asleep: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._refused: set[str] = set()
        self._turns: dict[str, asyncio.Lock] = {}
        self._asked: dict[str, float] = {}
        self._held: WeakKeyDictionary[Any, _Held] = WeakKeyDictionary()
        self._why: dict[str, str] = {}
        """Why kernels did not wake the last time."""
        self._worked: dict[str, tuple[float, float]] = {}

    def install(self) -> None:
        """Idle kernels are looked for from now on, and pages are let through."""
        settings = self._server.web_app.settings
        connection: Any = settings.get(CONNECTION)
        if not hasattr(self._manager, "start_watching_activity") or not all(
            hasattr(connection, name) for name in ("handle_incoming_message", "prepare", "channels")
        ):
            return  # a gateway's kernels, or connections of another make
        settings[CONNECTION] = _held_back(connection, self)
        self._images.when_asleep = self._asleep.add
        self._server.io_loop.add_callback(PeriodicCallback(self._look, _LOOK_MS).start)

    def is_asleep(self, kernel_id: str) -> bool:
        """Whether the kernel is known to be in an image, or on its way there or back."""
        is_known = kernel_id in self._asleep or kernel_id in self._waking
        return is_known or self._images.is_leaving(kernel_id)

    def note(self, kernel_id: str) -> None:
        """A page has just asked the kernel for something, or the kernel works by itself. What kept
        it in memory may have passed when it is idle again."""
        self._asked[kernel_id] = clock.monotonic()
        self._refused.discard(kernel_id)

    async def wake(self, kernel_id: str) -> bool:
        """The kernel is awake; False where it sleeps and does not come back. Never raises."""
        task = self._waking.get(kernel_id)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._wake(kernel_id))
            self._waking[kernel_id] = task
            task.add_done_callback(lambda _: self._waking.pop(kernel_id, None))
        return await asyncio.shield(task)

    def holds_back(self, connection: Any) -> bool:
        """Whether something that a page asked before has not reached its kernel yet."""
        held = self._held.get(connection)
        return held is not None and bool(held.messages or held.is_under_way)

    def deliver_later(self, connection: Any, message: Any, send: Callable[[Any, Any], Any]) -> None:
        """What a page asked of a sleeping kernel reaches it by `send`, when it is awake and is
        heard."""
        held = self._held.setdefault(connection, _Held(send))
        held.messages.append((message, self._keeper(connection.kernel_id)))
        self._begin_delivery(connection, held)

    # --- inside -------------------------------------------------------------------------

    @property
    def _manager(self) -> Any:
        return self._server.kernel_manager

    def _turn(self, kernel_id: str) -> asyncio.Lock:
        """Whoever wakes a kernel waits until it has fallen asleep."""
        return self._turns.setdefault(kernel_id, asyncio.Lock())

    def _begin(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wake(self, kernel_id: str) -> bool:
        place = self._place(kernel_id)
        try:
            await self._images.settle(kernel_id)
            async with self._turn(kernel_id):
                if place is None or await asyncio.to_thread(_is_awake, place):
                    self._asleep.discard(kernel_id)
                    self._deliver_to(kernel_id)
                    return True
                done = await self._images.restore(kernel_id)
                self._asleep.discard(kernel_id)
            self._deliver_to(kernel_id)
            self._log.info("Kernel %s woke from its image %s.", kernel_id, done.image.id)
            return True
        except RewindError as error:
            self._log.error("Kernel %s did not wake: %s", kernel_id, error)
            self._why[kernel_id] = str(error)
        except Exception as error:
            self._log.exception("Kernel %s did not wake.", kernel_id)
            self._why[kernel_id] = repr(error)
        return False

    def _begin_delivery(self, connection: Any, held: _Held) -> None:
        if not held.is_under_way:
            held.is_under_way = True
            self._begin(self._deliver(connection, held))

    def _deliver_to(self, kernel_id: str) -> None:
        """The kernel is awake: what pages asked while it did not wake reaches it."""
        for connection, held in list(self._held.items()):
            if connection.kernel_id == kernel_id and held.messages:
                self._begin_delivery(connection, held)

    async def _deliver(self, connection: Any, held: _Held) -> None:
        """Only when this connection hears the kernel again: outputs would be lost else. Where the
        kernel does not wake, the page is told why, and what it asked waits until it does."""
        try:
            if not await self.wake(connection.kernel_id):
                self._tell(connection, held)
                return
            try:
                await self._nudge(connection)
            except Exception:
                self._log.debug("a woken kernel was not heard", exc_info=True)
            keeper = self._keeper(connection.kernel_id)
            while held.messages:
                message, asked = held.messages.popleft()
                if asked != keeper and _is_cell(connection, message):
                    continue  # the kernel was restarted, which drops the cells that wait
                try:
                    held.send(connection, message)
                except Exception:
                    self._log.warning("A request of a page was lost.", exc_info=True)
            held.told = 0
        finally:
            held.is_under_way = False

    async def _nudge(self, connection: Any) -> None:
        """Returns when the connection hears its kernel, or the time is up."""
        kernel = self._manager.get_kernel(connection.kernel_id)
        client = kernel.client()
        client.start_channels(shell=False, iopub=False, stdin=False, hb=False, control=True)
        try:
            setattr(connection, _HEARD, False)
            deadline = clock.monotonic() + _HEARING_SECONDS
            while not getattr(connection, _HEARD) and clock.monotonic() < deadline:
                client.control_channel.send(client.session.msg("kernel_info_request"))
                await asyncio.sleep(_NUDGE_SECONDS)
        finally:
            client.stop_channels()

    def _tell(self, connection: Any, held: _Held) -> None:
        """Below each cell that was to run: that its kernel did not wake, and why. Never raises."""
        kernel_id = connection.kernel_id
        words = (
            f"Jupyter Rewind: this kernel sleeps in a process image, and did not wake:"
            f" {self._why.get(kernel_id, 'the log of the server says why')}\nThe image is in the"
            " store, and this cell waits for it. The next cell tries again, as does"
            f" `jupyter rewind image restore {kernel_id}`."
        )
        for message, _ in list(held.messages)[held.told :]:
            try:
                if _is_cell(connection, message):
                    connection.write_stderr(words, parts_of(connection, message)[0])
            except Exception:
                self._log.debug("a page was not told that its kernel sleeps", exc_info=True)
        held.told = len(held.messages)

    async def _look(self) -> None:
        settings = Rewind.load_leniently(config=self._server.config)
        for kernel_id in list(self._manager.list_kernel_ids()):
            place = self._place(kernel_id)
            if place is None or kernel_id in self._waking:
                continue
            try:
                worked = await asyncio.to_thread(_worked_seconds, place)
                if worked is None:
                    self._asleep.add(kernel_id)
                    self._worked.pop(kernel_id, None)
                    continue
                if kernel_id in self._asleep:  # somebody else woke it
                    self._asleep.discard(kernel_id)
                    self._deliver_to(kernel_id)
                self._note_work(kernel_id, worked)
                await self._put_to_sleep(kernel_id, place, settings.kernels_hibernate_after)
            except RewindError as error:
                if kernel_id not in self._refused:
                    self._refused.add(kernel_id)
                    self._log.warning("Kernel %s stays in memory: %s", kernel_id, error)
            except Exception:
                self._log.debug("kernel %s was not looked at", kernel_id, exc_info=True)

    def _note_work(self, kernel_id: str, seconds: float) -> None:
        """The kernel has had a processor for so many seconds in its life."""
        now = clock.monotonic()
        at, before = self._worked.get(kernel_id, (now, seconds))
        self._worked[kernel_id] = now, seconds
        if seconds - before > _WORKING * (now - at):
            self.note(kernel_id)

    async def _put_to_sleep(self, kernel_id: str, place: Place, after: int) -> None:
        kernel: Any = self._manager.get_kernel(kernel_id)
        if after <= 0 or kernel_id in self._refused or not _is_idle(kernel, place, after):
            return
        seen = clock.monotonic()
        if seen - self._asked.get(kernel_id, float("-inf")) < after:
            return
        if not await self._answers(kernel_id):
            self.note(kernel_id)
            return
        self._asleep.add(kernel_id)  # whoever asks from now on waits until it is back
        try:
            async with self._turn(kernel_id):
                made = await self._images.create(kernel_id, stop=True, reason=IDLE)
        except BaseException:
            self._asleep.discard(kernel_id)
            raise
        self._log.info("Kernel %s sleeps in its image %s.", kernel_id, made.id)
        if self._asked.get(kernel_id, seen) > seen or kernel.execution_state != "idle":
            await self.wake(kernel_id)  # somebody asked in the very last moment

    async def _answers(self, kernel_id: str) -> bool:
        """Whether no cell runs: a server that has taken the kernel over may not know it."""
        client = self._manager.get_kernel(kernel_id).client()
        client.start_channels(iopub=False, stdin=False, hb=False, control=False)
        try:
            client.shell_channel.send(client.session.msg("kernel_info_request"))
            await ensure_async(client.get_shell_msg(timeout=_ANSWER_SECONDS))
        except Empty:
            return False
        finally:
            client.stop_channels()
        return True

    def _keeper(self, kernel_id: str) -> ProcessMark | None:
        """The process that stays the same while the kernel sleeps and wakes; a restarted kernel
        has another one. Never raises."""
        try:
            place = self._place(kernel_id)
            hosted = place.read() if place is not None else None
        except RewindError:
            return None
        return hosted.process if hosted is not None else None

    def _place(self, kernel_id: str) -> Place | None:
        """Where the record of a kernel lies that has a room; None for all others."""
        try:
            place: Place | None = getattr(
                self._manager.get_kernel(kernel_id).provisioner, "place", None
            )
            hosted = place.read() if place is not None else None
        except (KeyError, RewindError):
            return None
        return place if hosted is not None and hosted.has_room else None


def _is_cell(connection: Any, message: Any) -> bool:
    try:
        return bool(parts_of(connection, message)[0].get("msg_type") == "execute_request")
    except Exception:
        return False


def _is_awake(place: Place) -> bool:
    from jupyter_rewind.kernels.images.freezer import is_awake

    return is_awake(place)


def _worked_seconds(place: Place) -> float | None:
    from jupyter_rewind.kernels.images.freezer import worked_seconds

    return worked_seconds(place)


def _is_idle(kernel: Any, place: Place, after: int) -> bool:
    """Whether it is not known to have done anything for so many seconds, nor to have begun in the
    meantime. One that was taken over, and that no page has, is `starting` for as long."""
    hosted = place.read()
    if kernel.execution_state not in ("idle", "starting") or hosted is None:
        return False
    last: datetime = kernel.last_activity
    active_ns = max(last.timestamp() * 1e9, hosted.process.started_ns)
    return clock.now_ns() - active_ns >= after * 1e9


def _held_back(connection: type[Any], hibernation: Hibernation) -> type[Any]:
    """The class of connections, with a kernel woken before anything reaches it."""

    async def prepare(self: Any) -> None:
        await hibernation.wake(self.kernel_id)
        await connection.prepare(self)

    def handle_incoming_message(self: Any, message: Any) -> Any:
        if hibernation.is_asleep(self.kernel_id) or hibernation.holds_back(self):
            hibernation.deliver_later(self, message, connection.handle_incoming_message)
            return None
        hibernation.note(self.kernel_id)
        return connection.handle_incoming_message(self, message)

    def handle_outgoing_message(self: Any, stream: Any, outgoing_msg: list[Any]) -> Any:
        if stream is self.channels.get("iopub"):
            setattr(self, _HEARD, True)
        return connection.handle_outgoing_message(self, stream, outgoing_msg)

    body = {
        "prepare": prepare,
        "handle_incoming_message": handle_incoming_message,
        "handle_outgoing_message": handle_outgoing_message,
    }
    return type(connection.__name__, (connection,), body)
