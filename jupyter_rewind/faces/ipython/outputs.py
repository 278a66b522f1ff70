"""Listens to what a cell puts out, on its way to the front end. Holds nothing up, changes nothing.

Streams are heard where the code writes to them, for ipykernel gathers text for a fifth of a second
before it sends it; all else where the kernel sends it. In a terminal nothing is heard.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_rewind import clock
from jupyter_rewind.faces.ipython.guard import Untraced, replaced_builtin
from jupyter_rewind.kernels.journal import INTERVAL_SECONDS
from jupyter_rewind.kernels.session import KernelSession
from jupyter_rewind.model.execution import Output
from jupyter_rewind.model.ids import ExecutionId

log = logging.getLogger(__name__)
_HEARD = {"display_data", "execute_result", "update_display_data", "error", "clear_output"}
_REMEMBERED = 64


class OutputListener:
    """Hands the outputs of a kernel to its session, with the execution that each belongs to."""

    def __init__(self, session: KernelSession) -> None:
        self._session = session
        self._by_request: dict[str, ExecutionId] = {}
        self._undo: list[Callable[[], None]] = []

    def install(self, kernel: Any) -> None:
        """From now on, everything is heard."""
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if hasattr(stream, "pub_thread") and hasattr(stream, "parent_header"):
                self._wrap_stream(stream, name)
        self._wrap_sender(kernel.session)

    def remove(self) -> None:
        """Nothing is heard any more; what was wrapped is as it was."""
        while self._undo:
            self._undo.pop()()

    def note_request(self, request: str, execution: ExecutionId) -> None:
        """What answers this request belongs to `execution`."""
        self._by_request[request] = execution
        while len(self._by_request) > _REMEMBERED:
            self._by_request.pop(next(iter(self._by_request)), None)

    def _wrap_stream(self, stream: Any, name: str) -> None:
        write, session, journal = stream.write, self._session, self._session.journal
        monotonic = clock.ticking()
        # Of one piece, for several threads may print.
        way: tuple[Any, ExecutionId | None, Any] = None, None, None

        # Programs print a million times: what follows its like is only laid beside it, in steps
        # that need no builtin, which could have been replaced, and that no tracer sees.
        def heard_write(string: str) -> Any:
            nonlocal way
            written = write(string)
            if not string:
                return written
            parent, latest, add = way
            if (
                add is None
                or stream.parent_header is not parent
                or session.last is not latest
                or monotonic() - journal.last_write >= INTERVAL_SECONDS
            ):
                with Untraced():
                    self._hear_text(stream, name, string)
                    way = self._quick_way(stream.parent_header)
            else:
                add((name, string))
                if not journal.is_awake:
                    with Untraced():
                        journal.wake()
            return written

        stream.write = heard_write
        self._undo.append(lambda: _unwrap(stream, "write", heard_write))

    def _wrap_sender(self, sender: Any) -> None:
        send = sender.send

        def heard_send(
            stream: Any, msg_or_type: Any, content: Any = None, *args: Any, **kwargs: Any
        ) -> Any:
            sent = send(stream, msg_or_type, content, *args, **kwargs)
            with Untraced():
                self._hear_message(msg_or_type, content, args, kwargs)
            return sent

        sender.send = heard_send
        self._undo.append(lambda: _unwrap(sender, "send", heard_send))

    def _hear_text(self, stream: Any, name: str, text: str) -> None:
        if replaced_builtin():
            return
        try:
            output: Output = {"output_type": "stream", "name": name, "text": text}
            self._session.put_out(output, len(text), self._execution_of(stream.parent_header))
        except Exception:
            log.debug("a text was not heard", exc_info=True)

    def _quick_way(self, parent: Any) -> tuple[Any, ExecutionId | None, Any]:
        """Whose text, in which cell, what takes it; the last is None for what comes from
        elsewhere than the cell that began last."""
        latest = self._session.last
        if latest is None or not self._session.is_here or replaced_builtin():
            return parent, latest, None
        if (self._execution_of(parent) or latest) != latest:
            return parent, latest, None
        return parent, latest, self._session.journal.pending_of(latest).append

    def _hear_message(
        self, given: Any, content: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        if replaced_builtin():
            return
        try:
            if isinstance(given, Mapping):
                kind, content = given["header"]["msg_type"], given.get("content")
                parent = given.get("parent_header")
            else:
                kind, parent = given, args[0] if args else kwargs.get("parent")
            if kind not in _HEARD or not isinstance(content, Mapping):
                return
            output = {**content, "output_type": kind}
            self._session.put_out(output, _size(output), self._execution_of(parent))
        except Exception:
            log.debug("an output was not heard", exc_info=True)

    def _execution_of(self, parent: Any) -> ExecutionId | None:
        if not isinstance(parent, Mapping):
            return None
        header = parent.get("header", parent)
        request = header.get("msg_id") if isinstance(header, Mapping) else None
        return self._by_request.get(request) if isinstance(request, str) else None


def _unwrap(owner: Any, name: str, mine: object) -> None:
    """The wrapped method is the class's own again, unless somebody wrapped it once more."""
    if vars(owner).get(name) is mine:
        delattr(owner, name)


def _size(output: Mapping[str, Any]) -> int:
    data = output.get("data")
    if not isinstance(data, Mapping):
        return 0
    return sum(len(each) for each in data.values() if isinstance(each, (str, bytes)))
