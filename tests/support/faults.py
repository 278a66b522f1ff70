"""A file layer that fails once, at a step of the test's choice, and works again afterwards."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from jupyter_rewind.errors import Full, Unavailable
from jupyter_rewind.store.durable import Files

STEPS = (
    "add_folder", "create", "write_at", "reserve", "truncate", "sync_data", "sync_folder",
    "rename", "link", "remove",
)  # fmt: skip


def _refuse(step: Callable[[], Any]) -> Any:
    raise Unavailable("the step was not done")


def _no_room(step: Callable[[], Any]) -> Any:
    raise Full("Could not write: no room")


def _interrupt(step: Callable[[], Any]) -> Any:
    step()
    raise KeyboardInterrupt


def _fail_late(step: Callable[[], Any]) -> Any:
    step()
    raise Unavailable("the step was done, and said to have failed")


FAULTS = {"refuse": _refuse, "no room": _no_room, "interrupt": _interrupt, "late": _fail_late}


class FaultyFiles(Files):
    """Step number `at` of the whole run goes wrong in the way of `fault`."""

    def __init__(self, at: int = -1, fault: str = "refuse") -> None:
        self.at = at
        self.fault = FAULTS[fault]
        self.count = 0

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in STEPS:
            return found
        return functools.partial(self._step, found)

    def _step(self, step: Callable[..., Any], *args: Any, **options: Any) -> Any:
        self.count += 1
        if self.count - 1 == self.at:
            return self.fault(lambda: step(*args, **options))
        return step(*args, **options)
