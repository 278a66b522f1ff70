"""Tells listeners what happened: events of our own schemas, from whatever thread.

Announcing never fails the work it announces.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from jupyter_events import EventLogger

CHECKPOINT_EVENTS = "https://schema.jupyter.org/jupyter_rewind/checkpoint/v1"
NOTEBOOK_EVENTS = "https://schema.jupyter.org/jupyter_rewind/notebook/v1"
KERNEL_EVENTS = "https://schema.jupyter.org/jupyter_rewind/kernel/v1"
IMAGE_EVENTS = "https://schema.jupyter.org/jupyter_rewind/image/v1"
REPLICA_EVENTS = "https://schema.jupyter.org/jupyter_rewind/replica/v1"
STORE_EVENTS = "https://schema.jupyter.org/jupyter_rewind/store/v1"

_SCHEMAS = Path(__file__).parent / "events"


class Announcer:
    """The way from our threads to the server's event logger."""

    def __init__(self, event_logger: EventLogger | None, log: logging.Logger) -> None:
        self._event_logger = event_logger
        self._log = log
        self._loop: asyncio.AbstractEventLoop | None = None

    def register_schemas(self) -> None:
        """The event logger knows our schemas."""
        if self._event_logger is not None:
            for name in ("checkpoint", "notebook", "kernel", "image", "replica", "store"):
                self._event_logger.register_event_schema(_SCHEMAS / f"{name}.yaml")

    def use_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Events go out on `loop`; those announced before are dropped, for nobody listens yet."""
        self._loop = loop

    def announce(self, schema_id: str, data: Mapping[str, object]) -> None:
        """`data` is emitted soon, on the loop's own thread."""
        if self._event_logger is None or self._loop is None or self._loop.is_closed():
            return
        try:
            self._loop.call_soon_threadsafe(self._emit, schema_id, dict(data))
        except RuntimeError:  # the loop was closed in between
            self._log.debug("An event was not announced: the server has stopped.")

    def _emit(self, schema_id: str, data: dict[str, object]) -> None:
        try:
            if self._event_logger is not None:
                self._event_logger.emit(schema_id=schema_id, data=data)
        except Exception:
            self._log.warning("Could not announce %s.", schema_id, exc_info=True)
