"""One thread that does the server's durable work in the order it was asked for.

Jobs name the paths they touch. A job may wait for a moment to come; another job that touches one
of its paths ends that wait, so that the order of what happens to one path is never changed.
A polite job also makes way for a save that is under way, for a bounded time: threads of one Python
process slow each other down, and the user's save comes first.
The thread is never awaited by a save: whoever needs an answer holds the job's future.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from jupyter_rewind import clock
from jupyter_rewind.errors import Unavailable

T = TypeVar("T")


def is_touched(path: str, by: str) -> bool:
    """Whether two paths are the same, or one is a folder that holds the other."""
    return path == by or path.startswith(by + os.sep) or by.startswith(path + os.sep)


@dataclass(eq=False)
class Job:
    """What is to be done, for which paths, and not before when (on the monotonic clock; 0: now).
    It makes way for saves until `polite_until`."""

    act: Callable[[], Any]
    paths: tuple[str, ...]
    due: float
    polite_until: float = 0.0
    future: Future[Any] = field(default_factory=Future)

    def touches(self, paths: Iterable[str]) -> bool:
        return any(is_touched(mine, other) for mine in self.paths for other in paths)


class Worker:
    """An ordered queue and the one thread that empties it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: list[Job] = []
        self._running: Job | None = None
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._calm_at = 0.0

    def submit(
        self,
        act: Callable[[], T],
        paths: Iterable[str] = (),
        *,
        delay_seconds: float = 0.0,
        polite_seconds: float = 0.0,
    ) -> Future[T]:
        """The future of `act`, which runs after every earlier job that touches one of `paths`."""
        now = clock.monotonic()
        job = Job(act, tuple(paths), now + delay_seconds if delay_seconds else 0.0)
        if polite_seconds:
            job.polite_until = max(now, job.due) + polite_seconds
        with self._changed:
            if self._stopping:
                job.future.set_exception(Unavailable("The server is stopping."))
                return job.future
            self._hasten(job.paths)
            self._jobs.append(job)
            self._start()
            self._changed.notify_all()
        return job.future

    def hasten(self, paths: Iterable[str] | None = None, *, only_polite: bool = False) -> None:
        """Waiting jobs that touch `paths` (or all of them) are due now; those that only make way
        for saves, if `only_polite`."""
        with self._changed:
            self._hasten(None if paths is None else tuple(paths), only_polite)
            self._changed.notify_all()

    def make_way(self, seconds: float) -> None:
        """Polite jobs wait for so long from now, unless their time of grace is over."""
        with self._changed:
            now, is_sooner = clock.monotonic(), False
            self._calm_at = now + seconds
            for job in self._jobs:
                if job.due and job.polite_until > now:
                    due = min(now + seconds, job.polite_until)
                    is_sooner = is_sooner or due < job.due
                    job.due = due
            if is_sooner:  # to be woken for less costs the save that it makes way for
                self._changed.notify_all()

    def calm_in(self) -> float:
        """In how many seconds those who make way may go on."""
        return max(0.0, self._calm_at - clock.monotonic())

    def pending(self, path: str | None, *, waiting: bool = True) -> Future[Any] | None:
        """The last unfinished job that touches `path`, or the last of all without a path; among
        the due ones if `waiting` is off."""
        now = clock.monotonic()
        with self._changed:
            for job in reversed(self._jobs):
                if (path is None or job.touches((path,))) and (waiting or job.due <= now):
                    return job.future
            running = self._running
            if running is not None and (path is None or running.touches((path,))):
                return running.future
        return None

    @property
    def is_running(self) -> bool:
        """Whether a job is being done this moment."""
        return self._running is not None

    def count(self) -> int:
        """How many jobs are not finished."""
        with self._changed:
            return len(self._jobs) + (self._running is not None)

    def stop(self, timeout_seconds: float) -> int:
        """How many jobs were left undone when the time was up; nothing is accepted any more."""
        until = clock.monotonic() + timeout_seconds
        with self._changed:
            self._stopping = True
            self._hasten(None)
            self._changed.notify_all()
            while self._jobs or self._running is not None:
                rest = until - clock.monotonic()
                if rest <= 0 or self._thread is None:
                    break
                self._changed.wait(rest)
            left, self._jobs = self._jobs, []
        for job in left:
            job.future.set_exception(Unavailable("The server stopped before this was done."))
        return len(left) + (self._running is not None)

    def _hasten(self, paths: tuple[str, ...] | None, only_polite: bool = False) -> None:
        for job in self._jobs:
            is_meant = bool(job.polite_until) or not only_polite
            if job.due and is_meant and (paths is None or job.touches(paths)):
                job.due = 0.0

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                result = job.act()
            except BaseException as error:
                job.future.set_exception(error)
            else:
                job.future.set_result(result)
            with self._changed:
                self._running = None
                self._changed.notify_all()

    def _next(self) -> Job | None:
        with self._changed:
            while True:
                now = clock.monotonic()
                for place, job in enumerate(self._jobs):
                    if job.due <= now:
                        self._running = self._jobs.pop(place)
                        return job
                if self._stopping:
                    self._thread = None
                    self._changed.notify_all()
                    return None
                self._changed.wait(min((job.due for job in self._jobs), default=now + 3600) - now)
