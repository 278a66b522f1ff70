"""A forwarder at work, and a place that counts what it is asked and fails when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from jupyter_rewind.errors import Unavailable
from jupyter_rewind.store.replica import forwarding
from jupyter_rewind.store.replica.forwarding import Account, Forwarder, State
from jupyter_rewind.store.replica.objects import Listed, Objects
from tests.support.replicas import URL, Machine

DEADLINE_SECONDS = 120


class Watched:
    """Objects that count what they are asked, and fail or wait when they are told to."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.place = objects.place
        self.asked = 0
        self.fails = False
        self.gate = threading.Event()
        self.gate.set()

    def _ask(self) -> Objects:
        self.asked += 1
        self.gate.wait(DEADLINE_SECONDS)
        if self.fails:
            raise Unavailable("The server is down.", retryable=True)
        return self.objects

    def create(self, key: str, data: bytes) -> bool:
        return self._ask().create(key, data)

    def get(self, key: str) -> bytes:
        return self._ask().get(key)

    def get_range(self, key: str, start: int, end: int) -> bytes:
        return self._ask().get_range(key, start, end)

    def size(self, key: str) -> int | None:
        return self._ask().size(key)

    def find(self, prefix: str, *, after: str = "") -> Iterator[Listed]:
        return self._ask().find(prefix, after=after)

    def folders(self, prefix: str) -> list[str]:
        return self._ask().folders(prefix)

    def delete(self, key: str) -> None:
        self._ask().delete(key)


class Running:
    """A forwarder of a machine, and what it told."""

    def __init__(self, machine: Machine, interval_seconds: float = 0.05, **more: object) -> None:
        self.objects = Watched(machine.objects)
        self.told: list[Account] = []
        self.forwarder = Forwarder(
            URL,
            machine.open,
            lambda: self.objects,
            interval_seconds=interval_seconds,
            tell=self.told.append,
            **more,  # type: ignore[arg-type]
        )

    @property
    def account(self) -> Account:
        return self.forwarder.account

    def until(self, is_so: Callable[[], bool]) -> None:
        for _ in range(DEADLINE_SECONDS * 100):
            if is_so():
                return
            threading.Event().wait(0.01)
        raise AssertionError(self.account)

    def until_asked_again(self, times: int = 1) -> None:
        goal = self.objects.asked + times
        self.until(lambda: self.objects.asked >= goal)

    def until_told(self, state: State) -> Account:
        """What was told of this state first; by the time one looks, there may be another one."""
        self.until(lambda: any(told.state is state for told in self.told))
        return next(told for told in self.told if told.state is state)


def is_current(running: Running) -> bool:
    return running.account.state is State.CURRENT


def counted_looks(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Gets longer with each look at the store."""
    looks: list[object] = []
    real = forwarding.measure

    def counted(*args: object) -> object:
        looks.append(args)
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(forwarding, "measure", counted)
    return looks
