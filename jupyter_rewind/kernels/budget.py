"""How long a user waits for a state at most: a share of what the cells took, and a floor for each.

Whoever tells or reads values asks the deadline every few thousand objects or some hundred
kilobytes, and stops in the middle where the time is up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from jupyter_rewind import clock

_PREPARATION_SECONDS = 0.25
"""The first state of a process pays for imports and cold caches; no value goes missing for that."""
HOPE = 0.8
"""By each cell that is passed over, what took too long once may take so much of it: where no pause
comes, it is tried again, some dozen cells later."""
_ASKING_SECONDS = 0.02
"""So often somebody is asked whether the next cell waits."""


class OutOfTime(BaseException):
    """The time is up. No fault of anything, so nobody's `except Exception` stops it."""


class Awaited(BaseException):
    """The next cell waits; what is done in a pause is given up."""


class Deadline:
    """Asked again and again while a state is kept. Without `seconds` there is no end to it.

    What counts is the time on a processor, as the user's thread has it: where other programs hold
    the machine up, a small value does not go missing for it. To be asked in one thread alone.
    """

    def __init__(
        self,
        seconds: float | None = None,
        is_awaited: Callable[[], bool] | None = None,
        seconds_to_store: Callable[[int], float] = lambda size: 0.0,
    ) -> None:
        self._began = clock.working()
        self._seconds = math.inf if seconds is None else seconds
        self._until = self._began + self._seconds
        self._prepared = 0.0
        self._is_awaited = is_awaited
        self._asked = self._began
        self._surely = 0.0
        self.seconds_to_store = seconds_to_store
        """About how long so many new bytes take to be stored."""

    @property
    def is_near(self) -> bool:
        """Whether there is any end to it."""
        return self._seconds < math.inf

    def begin_anew(self) -> None:
        """What was prepared up to now is not counted, unless it was very much."""
        self._prepared = min(self.spent(), _PREPARATION_SECONDS)
        self.leave(0.0)

    def leave(self, share: float) -> None:
        """From now on this share of the whole is left for what comes later."""
        self._until = self._began + self._prepared + self._seconds * (1 - share)
        self._surely = 0.0

    @contextmanager
    def at_least(self, seconds: float) -> Iterator[None]:
        """However late it is, there is so much time for the while."""
        before = self._until
        self._until = max(before, clock.working() + seconds)
        try:
            yield
        finally:
            self._until, self._surely = before, 0.0

    def left(self) -> float:
        """Seconds."""
        return self._until - clock.working()

    def spent(self) -> float:
        """Seconds."""
        return clock.working() - self._began

    def check(self) -> None:
        """Raises OutOfTime, Awaited."""
        # No thread works for longer than time passes; what passes is read ten times as fast.
        passed = clock.monotonic()
        if passed < self._surely:
            return
        now = clock.working()
        if now > self._until:
            raise OutOfTime
        if self._is_awaited is not None and now > self._asked + _ASKING_SECONDS:
            self._asked = now
            if self._is_awaited():
                raise Awaited
        self._surely = passed + min(self._until - now, _ASKING_SECONDS)


NEVER = Deadline()
"""All the time that it takes."""


@dataclass(slots=True)
class Budget:
    """What the cells took, and what was drawn of their share. A cell's floor is its own: it is
    neither drawn nor saved up."""

    share: float | None
    floor_seconds: float
    of_cells: float = 0.0
    drawn: float = 0.0

    def allowance(self) -> float | None:
        """Seconds that the next state may take; None where there is no limit."""
        if self.share is None:
            return None
        return max(self.floor_seconds, self.share * self.of_cells - self.drawn)

    def draw(self, seconds: float) -> None:
        """A state took so long, floor and all."""
        if seconds > self.floor_seconds:
            self.drawn += seconds - self.floor_seconds


class Rate:
    """Bytes a second, as measured lately."""

    def __init__(self, guess: float) -> None:
        self._bytes_a_second = guess

    def seconds_for(self, size: int) -> float:
        return size / self._bytes_a_second

    def learn(self, size: int, seconds: float) -> None:
        if size >= _TELLING_BYTES and seconds > 0:
            self._bytes_a_second = (self._bytes_a_second + size / seconds) / 2


_TELLING_BYTES = 1 << 17
"""Less than this says more about the disk's mood than about its speed."""
